// Builds the packaged addon: for glibc 2.28 or newer, which Node itself requires, or for musl, statically linked with libbpf, libelf
// and zlib, so that it requires no library other than libc.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, globSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import {
  type Arch,
  cached,
  LIBBPF_SYS,
  type Libc,
  librarySources,
  nodePackage,
  ZIG,
  zig,
} from "./fetched.ts";
import { ROOT } from "./version.ts";

const RECIPE = ["packaging/addon/libraries.mk", "packaging/addon/config.h"];
const CPUS = { x64: "x86_64", arm64: "aarch64" } as const;
const SYSTEMS = { glibc: "linux-gnu.2.28", musl: "linux-musl" } as const;

interface Toolchain {
  readonly cc: string;
  readonly cxx: string;
  readonly ar: string;
  readonly env: NodeJS.ProcessEnv;
}

async function toolchain(arch: Arch, libc: Libc): Promise<Toolchain> {
  const target = `${CPUS[arch]}-${SYSTEMS[libc]}`;
  const program = await zig();
  const cache = join(dirname(dirname(program)), "cache");
  return {
    cc: `${program} cc -target ${target}`,
    cxx: `${program} c++ -target ${target}`,
    ar: `${program} ar`,
    env: { ZIG_LOCAL_CACHE_DIR: cache, ...process.env, ZIG_GLOBAL_CACHE_DIR: cache },
  };
}

function make(args: readonly string[], env: NodeJS.ProcessEnv): void {
  const words = ["-s", "-j", String(availableParallelism()), ...args];
  // Without the flags of an enclosing make.
  execFileSync("make", words, { cwd: ROOT, stdio: ["ignore", 2, 2], env: { ...env, MAKEFLAGS: "" } });
}

/** The folder with `libbpf.a`, which contains all three libraries, and `include/bpf`. */
async function libraries(arch: Arch, libc: Libc): Promise<string> {
  const recipe = createHash("sha256");
  for (const file of RECIPE) recipe.update(readFileSync(join(ROOT, file)));
  const key = recipe.digest("hex").slice(0, 12);
  return cached(`libraries-${LIBBPF_SYS.version}-zig-${ZIG.version}-${arch}-${libc}-${key}`, async (part) => {
    const { cc, ar, env } = await toolchain(arch, libc);
    const sources = await librarySources();
    make(["-f", RECIPE[0]!, `SOURCES=${sources}`, `OUT=${part}`, `CC=${cc}`, `AR=${ar}`], env);
    mkdirSync(join(part, "include/bpf"), { recursive: true });
    for (const header of globSync(join(sources, "libbpf/src/*.h")))
      cpSync(header, join(part, "include/bpf", basename(header)));
  });
}

/** The path of the addon for a processor and a C library, built if something has changed. */
export async function addon(arch: Arch, libc: Libc = "glibc"): Promise<string> {
  const built = await libraries(arch, libc);
  const { cxx, env } = await toolchain(arch, libc);
  const out = `build/packaged/${arch}-${libc}-zig-${ZIG.version}`;
  // The headers of Node are the same for every processor.
  const node = await nodePackage(process.arch as Arch);
  const includes = [join(built, "include"), join(await librarySources(), "libbpf/include/uapi")];
  make(
    [
      "-C",
      "native",
      `OUT=${out}`,
      `ARCH=${arch}`,
      `CXX=${cxx}`,
      `NODE_DIR=${node}`,
      `LIBBPF=${built}/libbpf.a`,
    ],
    { ...env, CPPFLAGS: includes.map((path) => `-I${path}`).join(" "), LDFLAGS: "-s -Wl,--gc-sections" },
  );
  return join(ROOT, "native", out, "wirespan.node");
}
