// What an installed wirespan consists of, for every kind of package.
import { chmodSync, cpSync, globSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { addon } from "./addon.ts";
import { type Arch, nodePackage } from "./fetched.ts";

export const ROOT = join(import.meta.dirname, "../..");

const FILES = [
  ...["dist/{wirespan,store,sdk}.cjs", "dist/wirespan.cjs.map", "viewer/dist/*", "{bpf,plugins}/*/*.bpf.o"],
  ...["cli/node-flags", "config/wirespan.schema.json", "README.md", "CHANGELOG.md", "LICENSE", "LICENSES/*"],
];

/** Copies a file of the repository to the path `to`; its mode does not depend on the clone's umask. */
export function copy(from: string, to: string, mode = 0o644): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(ROOT, from), to);
  chmodSync(to, mode);
}

/** Puts into `folder` what is the same for every processor: the bundle, the page, the BPF objects, the texts. */
export function copyCommon(folder: string): void {
  for (const file of globSync(FILES, { cwd: ROOT })) copy(file, join(folder, file));
}

/**
 * Puts a whole wirespan for a processor into `folder`, with a Node of its own: `node FLAGS dist/wirespan.cjs` runs there,
 * with the flags of `cli/node-flags`.
 */
export async function copyProgram(folder: string, arch: Arch): Promise<void> {
  copyCommon(folder);
  mkdirSync(join(folder, "native/build"), { recursive: true });
  cpSync(await addon(arch), join(folder, "native/build/wirespan.node"));
  const node = await nodePackage(arch);
  cpSync(join(node, "bin/node"), join(folder, "node"));
  cpSync(join(node, "LICENSE"), join(folder, "LICENSES/Node.txt"));
  chmodSync(join(folder, "node"), 0o755);
}
