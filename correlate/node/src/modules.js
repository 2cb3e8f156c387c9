// Packages without a diagnostics channel are hooked when they are loaded, by require or by import of a
// CommonJS package. In Node 20 no other hook for this is available before the application starts.
import Module from "node:module";
import { guarded, wrap } from "./guard.js";

/** By package: what to do with what it exports. @type {Map<string, (exports: unknown) => void>} */
const awaited = new Map();

/**
 * Calls `adopt` with the exports of each module of that package that is loaded from outside the package; possibly more than
 * once with the same exports.
 * @param {string} name
 * @param {(exports: unknown) => void} adopt
 */
export function onLoad(name, adopt) {
  if (awaited.size === 0) watch();
  awaited.set(name, adopt);
}

function watch() {
  wrap(Module, "_load", (original) => {
    return function _load(...args) {
      const exports = original.apply(this, args);
      const adopt = awaited.get(packageOf(args[0]));
      if (adopt) guarded(adopt, exports);
      return exports;
    };
  });
}

const FOLDER = "/node_modules/";

/**
 * The package that a specifier names, by its name or, as import does, by a file's path.
 * @param {unknown} specifier
 */
function packageOf(specifier) {
  if (typeof specifier !== "string" || specifier.startsWith(".")) return "";
  const at = specifier.lastIndexOf(FOLDER);
  const name = at < 0 ? specifier : specifier.slice(at + FOLDER.length);
  const slash = name.indexOf("/");
  return slash < 0 ? name : name.slice(0, slash);
}
