// What `npm start` runs: the bundle, with the code that an earlier start has compiled. Node's own cache has what is
// compiled when a file is loaded, and none of the functions that are called afterwards.
"use strict";
const { createHash } = require("node:crypto");
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");
const vm = require("node:vm");

/** Milliseconds: an agent has attached everything by then, and V8 has not freed the code of its start yet. */
const STARTED = 3000;
const DIGEST_BYTES = 32;

const folder = process.env.NODE_COMPILE_CACHE ?? "";
const kept = join(folder, "wirespan.code");
const file = join(__dirname, "../dist/wirespan.cjs");
const source = readFileSync(file, "utf8").replace(/^#!/, "//");

/**
 * V8 does not check this by itself.
 * @param {Uint8Array} code
 */
const digestOf = (code) => createHash("sha256").update(source).update(code).digest();

function earlier() {
  try {
    const bytes = readFileSync(kept);
    const code = bytes.subarray(DIGEST_BYTES);
    return digestOf(code).equals(bytes.subarray(0, DIGEST_BYTES)) ? code : undefined;
  } catch {
    return undefined;
  }
}

function keep() {
  try {
    const code = script.createCachedData();
    mkdirSync(folder, { recursive: true });
    const part = `${kept}.${process.pid}`;
    writeFileSync(part, Buffer.concat([digestOf(code), code]), { mode: 0o600 });
    renameSync(part, kept);
  } catch {
    // The next start takes longer.
  }
}

const code = folder === "" ? undefined : earlier();
const script = new vm.Script(
  `(function (exports, require, module, __filename, __dirname) { ${source}\n})`,
  {
    filename: file,
    ...(code && { cachedData: code }),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  },
);
const [command = "agent"] = process.argv.slice(2);
const isAgent = command === "agent" || command.startsWith("-");
if (folder !== "" && isAgent && (!code || script.cachedDataRejected)) setTimeout(keep, STARTED).unref();
const bundle = { exports: {} };
script.runInThisContext()(bundle.exports, createRequire(file), bundle, file, join(file, ".."));
