// Third-party parts of packages: their versions and the texts of their licences, for the SBOM and THIRD-PARTY.txt.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import lock from "../../package-lock.json" with { type: "json" };
import { type Arch, librarySources, nodePackage, ZIG, zig } from "./fetched.ts";
import { ROOT } from "./version.ts";

export interface Part {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression: the licence under which it is distributed. */
  readonly license: string;
  readonly text: string;
  readonly purl: string;
  /** SHA-512, as hex, of the file in its registry, if the registry states one. */
  readonly sha512?: string;
}

const read = (folder: string, file: string) => readFileSync(join(folder, file), "utf8");

/** The texts of the licence and notice files in a folder. */
function texts(folder: string): string {
  const files = globSync("{LICENSE,LICENCE,license,NOTICE}{,.*}", { cwd: folder }).sort();
  if (files.length === 0) throw new Error(`${folder} has no file with its licence`);
  return files.map((file) => read(folder, file)).join("\n");
}

/** An npm package of package-lock.json, with the texts in `folder`. */
function npmPart(path: string, folder = join(ROOT, path)): Part {
  const { name, license } = JSON.parse(read(folder, "package.json")) as Record<"name" | "license", string>;
  const packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>> =
    lock.packages;
  const { version = "", integrity = "" } = packages[path] ?? {};
  const sha512 = /^sha512-(\S+)$/.exec(integrity)?.[1];
  return {
    name,
    version,
    license,
    text: texts(folder),
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    ...(sha512 !== undefined && { sha512: Buffer.from(sha512, "base64").toString("hex") }),
  };
}

/** The packages in the bundles and the page, from the lists that were written with them. */
export function bundledParts(): readonly Part[] {
  const paths = ["dist/bundled.json", "viewer/dist/bundled.json"].flatMap(
    (file) => JSON.parse(read(ROOT, file)) as string[],
  );
  // A version may be in two folders.
  return [...new Map(paths.map((path) => npmPart(path)).map((part) => [part.purl, part])).values()];
}

function versionIn(folder: string, file: string, pattern: RegExp): string {
  const version = pattern.exec(read(folder, file))?.[1];
  if (version === undefined) throw new Error(`${file} states no version`);
  return version;
}

/** The parts of the addon. */
export async function addonParts(): Promise<readonly Part[]> {
  const sources = await librarySources();
  const lib = join(await zig(), "../lib");
  const bpf = versionIn(sources, "libbpf/src/libbpf.map", /(?:.*LIBBPF_(\d+\.\d+\.\d+) )/s);
  const elf = versionIn(sources, "elfutils/configure.ac", /AC_INIT\(\[elfutils\],\[([^\]]+)\]/);
  const z = versionIn(sources, "zlib/zlib.h", /ZLIB_VERSION "([^"]+)"/);
  const cxx = Number(versionIn(lib, "libcxx/include/__config", /_LIBCPP_VERSION (\d+)/));
  const llvm = [cxx / 10_000, (cxx / 100) % 100, cxx % 100].map(Math.trunc).join(".");
  return [
    {
      name: "libbpf",
      version: bpf,
      license: "BSD-2-Clause",
      text: read(sources, "libbpf/LICENSE.BSD-2-Clause"),
      purl: `pkg:github/libbpf/libbpf@v${bpf}`,
    },
    {
      name: "libelf (elfutils)",
      version: elf,
      license: "LGPL-3.0-or-later",
      text: [
        "Its sources are in the crate libbpf-sys. `npm run package` links the addon again, with another libelf if",
        "tools/package/fetched.ts names one.\n",
        read(sources, "elfutils/COPYING-LGPLV3"),
        read(sources, "elfutils/COPYING"),
      ].join("\n"),
      purl: `pkg:generic/elfutils@${elf}`,
    },
    {
      name: "zlib",
      version: z,
      license: "Zlib",
      text: read(sources, "zlib/LICENSE"),
      purl: `pkg:github/madler/zlib@v${z}`,
    },
    {
      name: "libc++, libc++abi and libunwind (LLVM)",
      version: llvm,
      license: "Apache-2.0 WITH LLVM-exception",
      text: read(lib, "libcxx/LICENSE.TXT"),
      purl: `pkg:github/llvm/llvm-project@llvmorg-${llvm}`,
    },
    {
      name: "compiler_rt (Zig)",
      version: ZIG.version,
      license: "MIT",
      text: read(lib, "../LICENSE"),
      purl: `pkg:pypi/ziglang@${ZIG.version}`,
    },
    npmPart("node_modules/node-addon-api"),
  ];
}

/** Node, for packages that contain it. */
export async function nodePart(arch: Arch): Promise<Part> {
  return npmPart(`node_modules/node-linux-${arch}`, await nodePackage(arch));
}

/** The file THIRD-PARTY.txt: each part, and each text once. */
export function thirdParty(parts: readonly Part[]): string {
  const rule = "=".repeat(80);
  const title = ({ name, version, license }: Part) => `${name} ${version}: ${license}`;
  const sections = [...Map.groupBy(parts, ({ text }) => text.trim())].map(([text, of]) =>
    [rule, ...of.map(title), rule, "", text, ""].join("\n"),
  );
  return ["This package contains work of others, under these licences.", "", ...sections].join("\n");
}
