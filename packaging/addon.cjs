// Loads the addon from the package that has it for this processor and C library: one for glibc cannot be loaded by a Node for
// musl, nor the other way round.
"use strict";
const base = `wirespan-linux-${process.arch}`;

function load() {
  let failure;
  for (const name of [base, `${base}-musl`]) {
    try {
      return require(`${name}/wirespan.node`);
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") failure ??= error;
    }
  }
  throw failure ?? new Error(`the package ${base} is not installed`);
}

module.exports = load();
