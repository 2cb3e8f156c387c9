// Generates the skeleton of every BPF object from its BTF, and once the structs that headers share. With --check: fails
// on a difference, writes nothing.
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { type ObjectLayout, readObject } from "../core/bridge/btf.ts";
import { headerTypes, type Shared, sharedBy, sharedSource } from "./skeleton/shared.ts";
import { source } from "./skeleton/source.ts";

const root = join(import.meta.dirname, "..");
const HEADERS = "bpf/include/wirespan";
const STRUCTS = `${HEADERS}/structs.skel.ts`;

/** The objects of the tracker and the plugins, and those of tests that have been built. */
const OBJECTS = "{bpf/*,plugins/*,test/*}/*.bpf.o";

interface Built {
  readonly path: string;
  readonly object: ObjectLayout;
}

function built(): Built[] {
  const paths = globSync(OBJECTS, { cwd: root }).sort();
  return paths.map((path) => ({ path, object: readObject(readFileSync(join(root, path))) }));
}

/** Whether a file is out of date; writes it unless `check`. */
function isStale(path: string, text: string, from: string, check: boolean): boolean {
  const file = join(root, path);
  if (existsSync(file) && readFileSync(file, "utf8") === text) return false;
  if (check) console.error(`${path} differs from what ${from} says; run npm run gen`);
  else writeFileSync(file, text);
  return true;
}

function skeletonOf({ path, object }: Built, shared: Shared): string {
  const from = `${basename(path, ".o")}.c`;
  return source(object, from, relative(dirname(join(root, path)), root), shared);
}

/** The number of files that were out of date. */
function generate(check: boolean): number {
  const objects = built();
  const product = objects.filter(({ path }) => !path.startsWith("test/"));
  const missing = globSync("{bpf/*,plugins/*}/*.bpf.c", { cwd: root }).filter(
    (path) => !product.some((each) => each.path === path.replace(/c$/, "o")),
  );
  if (missing.length) throw new Error(`${missing.join(", ")}: not built; run npm run build`);
  const headers = globSync(`${HEADERS}/**/*.h`, { cwd: root }).sort();
  const names = headerTypes(headers.map((path) => readFileSync(join(root, path), "utf8")));
  const shared = sharedBy(
    product.map(({ object }) => object),
    names,
  );
  let stale = isStale(STRUCTS, sharedSource(shared, "../../.."), HEADERS, check) ? 1 : 0;
  for (const each of objects) {
    const isPlugin = existsSync(join(root, dirname(each.path), "index.ts"));
    if (Object.keys(each.object.records).length === 0 && !isPlugin) continue;
    const to = each.path.replace(/bpf\.o$/, "skel.ts");
    if (isStale(to, skeletonOf(each, shared), each.path, check)) stale++;
  }
  return stale;
}

if (import.meta.main) {
  const check = process.argv.includes("--check");
  process.exitCode = generate(check) > 0 && check ? 1 : 0;
}
