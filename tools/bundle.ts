// Writes tsyringe, as far as we use it, as one file: to find and read its 34 modules costs ten times what they do.
// Set-up runs it after npm ci; core/base/container.ts takes the package itself if the file is not there.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const BUNDLE = join(ROOT, "node_modules/.cache/wirespan/tsyringe.cjs");

/** The text of a CommonJS module that has all modules which `exports` names, and theirs; `exports`: expressions by name. */
function bundle(exports: Readonly<Record<string, readonly [module: string, name: string]>>): string {
  const ids = new Map<string, number>();
  const modules: string[] = [];
  const add = (path: string): number => {
    const known = ids.get(path);
    if (known !== undefined) return known;
    const id = ids.size;
    ids.set(path, id);
    const { resolve } = createRequire(path);
    const text = readFileSync(path, "utf8")
      .replace(/^\/\/# sourceMappingURL=.*$/m, "")
      .replace(/^\/\*[\s\S]*?\*\//, "")
      .replace(/\brequire\("([^"]+)"\)/g, (_, name: string) => `load(${add(resolve(name))})`);
    modules[id] = `(module, exports) => {\n${text}\n}`;
    return id;
  };
  const from = createRequire(join(ROOT, "package.json"));
  const names = Object.entries(exports).map(
    ([as, [module, name]]) => `exports.${as} = load(${add(from.resolve(module))}).${name};`,
  );
  return `"use strict";
const loaded = [];
function load(id) {
  if (loaded[id] === undefined) {
    loaded[id] = { exports: {} };
    modules[id](loaded[id], loaded[id].exports);
  }
  return loaded[id].exports;
}
const modules = [${modules.join(",\n")}];
${names.join("\n")}
`;
}

mkdirSync(dirname(BUNDLE), { recursive: true });
writeFileSync(
  `${BUNDLE}.part`,
  bundle({
    container: ["tsyringe/dist/cjs/dependency-container.js", "instance"],
    instanceCachingFactory: ["tsyringe/dist/cjs/factories/instance-caching-factory.js", "default"],
  }),
);
renameSync(`${BUNDLE}.part`, BUNDLE);
