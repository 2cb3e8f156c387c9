// Creates what `npm start` runs and packages contain: dist/wirespan.cjs, the agent as one CommonJS file; dist/store.cjs,
// the process that stores and shows its data; and dist/sdk.cjs with the packages that only `path: sdk` loads. The bytes
// depend only on the sources, not on the folder. Setup runs this whenever one of its inputs has changed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, type BuildResult, build, type Plugin } from "esbuild";
import { readObject } from "../core/bridge/btf.ts";
import { pluginNames } from "../core/engine/plugin-folder.ts";
import type { Skeleton } from "../core/plugin/skeleton.ts";
import packageJson from "../package.json" with { type: "json" };

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
/** A sibling of `dist`, so that its content resolves paths in the same way. */
const PART = join(ROOT, `dist.part-${process.pid}`);

/** Packages in the file for `path: sdk`. */
const OF_SDK = /^@(opentelemetry|grpc)\//;

/** Options for all bundles that run in Node. */
export const shared = {
  absWorkingDir: ROOT,
  bundle: true,
  metafile: true,
  platform: "node",
  target: "node24",
  format: "cjs",
  legalComments: "none",
  logLevel: "warning",
} as const satisfies BuildOptions;

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** The hash of each object's layout, by the digest of its file; only objects that match their skeletons. */
async function layouts(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of globSync("{bpf,plugins}/*/*.bpf.o", { cwd: ROOT }).sort()) {
    const elf = readFileSync(join(ROOT, path));
    const reader = join(ROOT, path.replace(/bpf\.o$/, "skel.ts"));
    if (!existsSync(reader)) continue;
    const { skeleton } = (await import(pathToFileURL(reader).href)) as { skeleton: Skeleton };
    if (readObject(elf).hash === skeleton.hash) found[sha256(elf)] = skeleton.hash;
  }
  return found;
}

/** Modules that are replaced by what is known when the bundle is created. */
async function made(): Promise<Readonly<Record<string, string>>> {
  const names = pluginNames(join(ROOT, "plugins")).sort();
  const modules = names.map(
    (name) => `${JSON.stringify(name)}: () => import("../../plugins/${name}/index.ts")`,
  );
  return {
    "core/engine/plugin-folder.ts": `const modules = {${modules.join(", ")}};
      export const pluginNames = () => Object.keys(modules);
      export const importIndex = (folder, name) => modules[name]();`,
    "exporters/local/store-main.ts": 'export const STORE_MAIN = __dirname + "/store.cjs";',
    "core/bridge/known-layouts.ts": `export const KNOWN_LAYOUTS = ${JSON.stringify(await layouts())};`,
  };
}

/** A source's text with paths relative to the bundle, and with `require` for packages that are loaded on first use. */
function inBundle(path: string, text: string): string {
  const changed = text
    .replaceAll(/createRequire\(import\.meta\.url\)\(\s*"(\.[^"]*\.node)",?\s*\)/g, (_, file: string) => {
      return `require(bundleRoot + ${JSON.stringify(`/${join(dirname(path), file)}`)})`;
    })
    .replaceAll(/createRequire\(import\.meta\.url\)\(\s*("[^"]+"),?\s*\)/g, "require($1)")
    .replaceAll("import.meta.dirname", `(bundleRoot + ${JSON.stringify(`/${dirname(path)}`)})`);
  if (/createRequire\(|import\.meta/.test(changed))
    throw new Error(
      `${path}: the bundle knows import.meta.dirname and createRequire(import.meta.url)("NAME") only`,
    );
  return changed;
}

/** The sources' location relative to the folder of a bundle. */
export const BANNER = '"use strict"; const bundleRoot = require("node:path").dirname(__dirname);';

export async function sources(): Promise<Plugin> {
  const replaced = await made();
  return {
    name: "sources",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const name = relative(ROOT, path);
        const contents = replaced[name] ?? inBundle(name, readFileSync(path, "utf8"));
        return { contents, loader: "ts" as const };
      });
    },
  };
}

/** `digest`: of the SDK's file; a different file is not loaded. */
function fromSdk(digest: string): Plugin {
  const load = `
    const { readFileSync } = require("node:fs");
    const path = __dirname + "/sdk.cjs";
    if (require("node:crypto").createHash("sha256").update(readFileSync(path)).digest("hex") !== "${digest}")
      throw new Error(path + " and wirespan.cjs are of different builds; run: npm run build");
    module.exports = require(path);`;
  return {
    name: "sdk",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: OF_SDK }, ({ path }) => ({ path, namespace: "sdk" }));
      onResolve({ filter: /^sdk:/ }, ({ path }) => ({ path, namespace: "sdk" }));
      onLoad({ filter: /^sdk:/, namespace: "sdk" }, () => ({ contents: load }));
      onLoad({ filter: OF_SDK, namespace: "sdk" }, ({ path }) => ({
        contents: `module.exports = require("sdk:")[${JSON.stringify(path)}]();`,
      }));
    },
  };
}

/** The folders, relative to the root of the repository, of the packages that the bundles contain parts of. */
export function packagesIn(results: readonly Pick<BuildResult, "metafile">[]): readonly string[] {
  const folders = results
    .flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {}))
    .flatMap((file) => /^(?:\w+:)?(.*node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []);
  return [...new Set(folders)].sort();
}

async function bundle(): Promise<void> {
  mkdirSync(PART);
  const packages = Object.keys(packageJson.dependencies).filter((name) => OF_SDK.test(name));
  const sdk = join(PART, "sdk.cjs");
  const ofSdk = await build({
    ...shared,
    stdin: {
      resolveDir: ROOT,
      contents: packages.map((name) => `exports["${name}"] = () => require("${name}");`).join("\n"),
    },
    outfile: sdk,
  });
  const agent = await build({
    ...shared,
    entryPoints: ["cli/main.ts"],
    plugins: [await sources(), fromSdk(sha256(readFileSync(sdk)))],
    banner: { js: BANNER },
    sourcemap: "external",
    sourcesContent: false,
    outfile: join(PART, "wirespan.cjs"),
  });
  const store = await build({
    ...shared,
    entryPoints: ["store/main.ts"],
    plugins: [await sources()],
    banner: { js: BANNER },
    outfile: join(PART, "store.cjs"),
  });
  writeFileSync(join(PART, "bundled.json"), JSON.stringify(packagesIn([ofSdk, agent, store])));
  // Runs every module once, so that a bundle that cannot be loaded is rejected.
  execFileSync(process.execPath, [join(PART, "wirespan.cjs"), "plugins"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  mkdirSync(DIST, { recursive: true });
  for (const name of ["bundled.json", "sdk.cjs", "store.cjs", "wirespan.cjs.map", "wirespan.cjs"])
    renameSync(join(PART, name), join(DIST, name));
}

if (import.meta.main) {
  try {
    await bundle();
  } finally {
    rmSync(PART, { recursive: true, force: true });
  }
}
