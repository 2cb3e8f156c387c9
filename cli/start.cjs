// Run by `npm start` and by packages: runs the bundle with the code that an earlier start has compiled. Node's own
// cache contains only what is compiled when a file is loaded, and none of the functions that are called afterwards.
"use strict";
const { createHash } = require("node:crypto");
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");
const vm = require("node:vm");

/** Milliseconds: an agent has attached everything by then, and V8 has not freed the code of its start yet. */
const STARTED = 3000;
const DIGEST_BYTES = 32;

/** CACHE_DIRECTORY: a systemd unit's. */
const folder = process.env.NODE_COMPILE_CACHE ?? process.env.CACHE_DIRECTORY?.split(":")[0] ?? "";
const kept = join(folder, "wirespan.code");
const file = join(__dirname, "../dist/wirespan.cjs");

/**
 * V8 does not check this by itself.
 * @param {(string | Uint8Array)[]} parts
 */
function digestOf(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** @param {Uint8Array} digest of the source */
function earlier(digest) {
  try {
    const bytes = readFileSync(kept);
    const code = bytes.subarray(DIGEST_BYTES);
    return digestOf(digest, code).equals(bytes.subarray(0, DIGEST_BYTES)) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** Source and code must not stay in memory: 3 MB. */
function compile() {
  const bytes = readFileSync(file);
  const digest = digestOf(bytes);
  // esbuild writes ASCII.
  const source = bytes.toString("latin1").replace(/^#!/, "//");
  const code = folder === "" ? undefined : earlier(digest);
  const script = new vm.Script(
    `(function (exports, require, module, __filename, __dirname) { ${source}\n})`,
    {
      filename: file,
      ...(code && { cachedData: code }),
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    },
  );
  return { digest, script, isKept: code !== undefined && !script.cachedDataRejected };
}

function keep() {
  try {
    const code = script.createCachedData();
    mkdirSync(folder, { recursive: true });
    const part = `${kept}.${process.pid}`;
    writeFileSync(part, Buffer.concat([digestOf(digest, code), code]), { mode: 0o600 });
    renameSync(part, kept);
  } catch {
    // The next start takes longer.
  }
}

const { digest, script, isKept } = compile();
const [command = "agent"] = process.argv.slice(2);
const isAgent = command === "agent" || command.startsWith("-");
if (folder !== "" && isAgent && !isKept) setTimeout(keep, STARTED).unref();
const bundle = { exports: {} };
script.runInThisContext()(bundle.exports, createRequire(file), bundle, file, join(file, ".."));
