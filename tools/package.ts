// `npm run package`: what was built, as npm packages in dist/packages. `wirespan` has the bundle, the page and the BPF
// objects, which are the same for every processor; `wirespan-linux-ARCH` has the addon. The bytes depend on what was
// built alone.
import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import packageJson from "../package.json" with { type: "json" };

const ROOT = join(import.meta.dirname, "..");
const PACKAGES = join(ROOT, "dist/packages");
const { name, version, description, license, engines } = packageJson;
const BINARY = `${name}-linux-${process.arch}`;
const common = { version, description, license, os: ["linux"] };

const FILES = [
  ...["dist/{wirespan,store,sdk}.cjs", "dist/wirespan.cjs.map", "viewer/dist/*", "{bpf,plugins}/*/*.bpf.o"],
  ...["cli/node-flags", "config/wirespan.schema.json", "README.md", "CHANGELOG.md", "LICENSE", "LICENSES/*"],
];

const ADDON = 'require(bundleRoot + "/native/build/wirespan.node")';

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(ROOT, from), to);
}

function describe(folder: string, manifest: object): void {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

function makeMain(folder: string): void {
  for (const file of globSync(FILES, { cwd: ROOT })) copy(file, join(folder, file));
  copy("packaging/launcher.cjs", join(folder, "bin/wirespan.cjs"));
  const bundle = join(folder, "dist/wirespan.cjs");
  const parts = readFileSync(bundle, "utf8").split(ADDON);
  if (parts.length !== 2)
    throw new Error(`dist/wirespan.cjs: expected ${ADDON} once, not ${parts.length - 1} times`);
  writeFileSync(bundle, parts.join(`require("${name}-linux-" + process.arch + "/wirespan.node")`));
  describe(folder, {
    name,
    ...common,
    engines,
    bin: { wirespan: "bin/wirespan.cjs" },
    optionalDependencies: { [BINARY]: version },
  });
}

function makeBinary(folder: string): void {
  copy("native/build/wirespan.node", join(folder, "wirespan.node"));
  copy("LICENSE", join(folder, "LICENSE"));
  describe(folder, { name: BINARY, ...common, cpu: [process.arch], libc: ["glibc"] });
}

const stage = mkdtempSync(join(tmpdir(), "wirespan-package-"));
try {
  rmSync(PACKAGES, { recursive: true, force: true });
  mkdirSync(PACKAGES, { recursive: true });
  for (const [each, make] of [[name, makeMain] as const, [BINARY, makeBinary] as const]) {
    const folder = join(stage, each);
    mkdirSync(folder);
    make(folder);
    execFileSync("npm", ["pack", "--silent", "--pack-destination", PACKAGES], {
      cwd: folder,
      stdio: "inherit",
    });
  }
} finally {
  rmSync(stage, { recursive: true });
}
