// What an installed wirespan consists of, for every kind of package.
import { chmodSync, cpSync, globSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { addon } from "./addon.ts";
import { type Arch, nodePackage } from "./fetched.ts";
import { addonParts, bundledParts, nodePart, thirdParty } from "./parts.ts";
import { ROOT } from "./version.ts";

const FILES = [
  ...[
    "dist/{wirespan,store,sdk}.cjs",
    "dist/wirespan.cjs.map",
    "viewer/dist/*.{js,css,html,svg}",
    "{bpf,plugins}/*/*.bpf.o",
  ],
  ...[
    "cli/{start.cjs,node-flags}",
    "config/wirespan.schema.json",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "LICENSES/*",
  ],
];

/** Copies a file of the repository to the path `to`; its mode does not depend on the clone's umask. */
export function copy(from: string, to: string, mode = 0o644): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(ROOT, from), to);
  chmodSync(to, mode);
}

/** Copies into `folder` what is the same for every processor: the bundle, the page, the BPF objects, the texts. */
export function copyCommon(folder: string): void {
  for (const file of globSync(FILES, { cwd: ROOT })) copy(file, join(folder, file));
  writeFileSync(join(folder, "THIRD-PARTY.txt"), thirdParty(bundledParts()));
}

/**
 * Copies a complete wirespan for a processor into `folder`, with its own Node: `node FLAGS dist/wirespan.cjs` runs
 * there, with the flags of `cli/node-flags`.
 */
export async function copyProgram(folder: string, arch: Arch): Promise<void> {
  copyCommon(folder);
  mkdirSync(join(folder, "native/build"), { recursive: true });
  cpSync(await addon(arch), join(folder, "native/build/wirespan.node"));
  cpSync(join(await nodePackage(arch), "bin/node"), join(folder, "node"));
  chmodSync(join(folder, "node"), 0o755);
  const parts = [...bundledParts(), ...(await addonParts()), await nodePart(arch)];
  writeFileSync(join(folder, "THIRD-PARTY.txt"), thirdParty(parts));
}
