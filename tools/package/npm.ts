// npm packages that run no script when they are installed. `wirespan` contains the bundle, the page and the BPF objects, which
// are the same for every processor; `wirespan-linux-ARCH` contains the addon, and `wirespan-linux-ARCH-musl` that for musl.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { addon } from "./addon.ts";
import { copy, copyCommon } from "./contents.ts";
import type { Arch, Libc } from "./fetched.ts";
import { addonParts, thirdParty } from "./parts.ts";

const { name, version, description, license, engines } = packageJson;
const common = { version, description, license, engines, os: ["linux"] };

/** The platforms with an addon. */
const PLATFORMS: readonly (readonly [Arch, Libc])[] = [
  ["x64", "glibc"],
  ["arm64", "glibc"],
  ["x64", "musl"],
];
const binary = (arch: Arch, libc: Libc) => `${name}-linux-${arch}${libc === "musl" ? "-musl" : ""}`;

/** The names of the packages with an addon. */
export const BINARIES = PLATFORMS.map((platform) => binary(...platform));

const ADDON = 'require(bundleRoot + "/native/build/wirespan.node")';

function describe(folder: string, manifest: object): void {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

function makeMain(folder: string): void {
  copyCommon(folder);
  copy("packaging/launcher.cjs", join(folder, "bin/wirespan.cjs"), 0o755);
  copy("packaging/addon.cjs", join(folder, "bin/addon.cjs"));
  const bundle = join(folder, "dist/wirespan.cjs");
  const parts = readFileSync(bundle, "utf8").split(ADDON);
  if (parts.length !== 2)
    throw new Error(`dist/wirespan.cjs: expected ${ADDON} once, not ${parts.length - 1} times`);
  writeFileSync(bundle, parts.join('require(bundleRoot + "/bin/addon.cjs")'));
  describe(folder, {
    name,
    ...common,

    bin: { wirespan: "bin/wirespan.cjs" },
    // Not optionalDependencies: npm would query a registry for those that are not given as files, where the name may
    // belong to somebody else.
    peerDependencies: Object.fromEntries(BINARIES.map((each) => [each, version])),
    peerDependenciesMeta: Object.fromEntries(BINARIES.map((each) => [each, { optional: true }])),
  });
}

async function makeBinary(folder: string, arch: Arch, libc: Libc): Promise<void> {
  cpSync(await addon(arch, libc), join(folder, "wirespan.node"));
  copy("LICENSE", join(folder, "LICENSE"));
  writeFileSync(join(folder, "THIRD-PARTY.txt"), thirdParty(await addonParts()));
  describe(folder, { name: binary(arch, libc), ...common, cpu: [arch], libc: [libc] });
}

/** Makes the tarballs in the folder `out`. */
export async function npm(out: string): Promise<void> {
  await pack(out, makeMain);
  for (const platform of PLATFORMS) await pack(out, (folder) => makeBinary(folder, ...platform));
}

/** Makes an npm tarball in the folder `out` from what `fill` puts into an empty folder. */
export async function pack(out: string, fill: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "wirespan-package-"));
  try {
    await fill(folder);
    mkdirSync(out, { recursive: true });
    execFileSync("npm", ["pack", "--silent", "--pack-destination", out], { cwd: folder, stdio: "inherit" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
