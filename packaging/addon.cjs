// Loads the addon from the package for this processor and C library: a Node for musl cannot load an addon for glibc, nor the
// other way round.
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
