// The machines that guests are: x64 runs this machine's own programs; arm64 has a Debian of its own, and the project with
// the addon, the workloads and the Node that are made for it here.
import { execFileSync, spawnSync } from "node:child_process";
import { globSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { addon } from "../../tools/package/addon.ts";
import { type Arch, cached, nodePackage, zig } from "../../tools/package/fetched.ts";
import { output } from "../support/netns.ts";
import { skip } from "../support/skip.ts";
import { tscKhz } from "./tsc.ts";

export interface Machine {
  readonly emulator: string;
  readonly hardware: readonly string[];
  /** Of the kernel. */
  readonly parameters: string;
  /** The tree that is the guest's root, which it changes only in memory. */
  readonly root: string;
  /** What the guest has beside it, for reading: paths there, and the folders here. An outer one comes first. */
  readonly folders: Readonly<Record<string, string>>;
  /** The guest's. */
  readonly node: string;
  /** For tests there. */
  readonly variables: string;
}

const project = process.cwd();
/** For all CPUs: with one each, V8 crashes now and then, on either processor, and it is no faster. */
const oneThread = ["-accel", "tcg,thread=single"];

/** Skips the test, or in a `before` hook the whole suite, if there is nothing to make it with. */
export async function machineOf(context: Mocha.Context, arch: Arch): Promise<Machine> {
  if (process.arch !== "x64") skip(context, "the guests are emulated on x86-64: too slow elsewhere");
  return arch === "x64" ? await x64() : await arm64(context);
}

async function x64(): Promise<Machine> {
  return {
    emulator: "qemu-system-x86_64",
    hardware: ["-machine", "q35,usb=off", ...oneThread, "-cpu", "max"],
    parameters: `console=ttyS0 mitigations=off tsc=reliable tsc_early_khz=${await tscKhz()}`,
    root: "/",
    folders: {},
    node: process.execPath,
    variables: "",
  };
}

/** What the tests use there. */
const packages =
  "base-files,busybox-static,coreutils,dash,ethtool,grep,iproute2,kmod,libbpf-tools,libstdc++6,make,mount,nftables," +
  "procps,python3,sed,util-linux";

async function arm64(context: Mocha.Context): Promise<Machine> {
  const emulator = "qemu-system-aarch64";
  for (const program of [emulator, "mmdebstrap", "python3"])
    if (spawnSync(program, ["--version"]).error) skip(context, `needs ${program}`);
  const system = await cached("debian-trixie-arm64", (part) => {
    const words = ["--quiet", "--architectures=arm64", "--variant=extract", `--include=${packages}`];
    const into = ["trixie", join(part, "root"), "http://deb.debian.org/debian"];
    execFileSync("mmdebstrap", [...words, ...into], { stdio: ["ignore", "ignore", "inherit"] });
    // Debian 13 calls them so; test/kernels/peers.ts, as Debian 12.
    for (const tool of globSync(join(part, "root/usr/sbin/*-libbpf")))
      symlinkSync(basename(tool), tool.replace(/-libbpf$/, ""));
  });
  const node = await nodePackage("arm64");
  return {
    emulator,
    // A core without pointer authentication, which is slow to emulate.
    hardware: ["-machine", "virt,gic-version=3", ...oneThread, "-cpu", "cortex-a72"],
    parameters: "console=ttyAMA0",
    root: join(system, "root"),
    folders: {
      [project]: project,
      [join(project, "native/build")]: dirname(await addon("arm64")),
      [join(project, "test/workload/build")]: await workloads(),
      [node]: node,
    },
    node: join(node, "bin/node"),
    // The bundle: nothing has stored compiled sources there.
    variables: "TEST_MAIN=dist/wirespan.cjs",
  };
}

/** The folder with the workloads. */
async function workloads(): Promise<string> {
  const compiler = await zig();
  const cache = join(dirname(dirname(compiler)), "cache");
  const make = ["make", "-s", "-e", "-C", join(project, "test/workload")];
  const of = [`CC=${compiler} cc -target aarch64-linux-gnu.2.36`, "BUILD=build/arm64"];
  await output("env", [`ZIG_LOCAL_CACHE_DIR=${cache}`, `ZIG_GLOBAL_CACHE_DIR=${cache}`, ...of, ...make]);
  return join(project, "test/workload/build/arm64");
}
