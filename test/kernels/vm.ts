// One command under a stock kernel: a temporary qemu guest, fully emulated (no KVM), over a root tree that it only reads.
// No disk image, no network.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { end, output } from "../support/netns.ts";
import type { Kernel } from "./archive.ts";
import type { Machine } from "./machine.ts";

const init = fileURLToPath(new URL("init.sh", import.meta.url));
const needed = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];
const busybox = "bin/busybox";

/** The result of a command in a guest. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Boots, runs `script` with sh as root in the caller's working directory; throws after `limit` milliseconds. */
export async function runUnder(
  kernel: Kernel,
  machine: Machine,
  script: string,
  limit: number,
): Promise<Ended> {
  const scratch = await mkdtemp(join(tmpdir(), "wirespan-guest-"));
  try {
    const job = join(scratch, "job");
    await mkdir(job);
    await writeFile(join(job, "command"), `${environment()}\n${script}\n`);
    // In the order in which they are mounted.
    const folders = {
      [`/lib/modules/${kernel.release}`]: join(kernel.folder, "lib/modules", kernel.release),
      ...machine.folders,
    };
    await buildInitrd(kernel, machine, Object.keys(folders), scratch);
    const shares = [
      share("root", machine.root, "readonly=on"),
      share("job", job, "readonly=off"),
      ...Object.values(folders).map((folder, i) => share(`folder${i}`, folder, "readonly=on")),
    ].flat();
    const ended = await power(kernel, machine, shares, scratch, limit);
    const read = (name: string) => readFile(join(scratch, name), "utf8").catch(() => "");
    const [code, stdout, stderr, said] = await Promise.all(
      ["job/status", "job/stdout", "job/stderr", "console"].map(read),
    );
    if (!code)
      throw new Error(`the guest ${ended}\n${said!.slice(-3000)}\n${stderr}\n${stdout!.slice(-3000)}`);
    return { code: Number(code), stdout: stdout!, stderr: stderr! };
  } finally {
    await rm(scratch, { recursive: true });
  }
}

function environment(): string {
  const { NODE_COMPILE_CACHE = "" } = process.env;
  return `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
export NODE_COMPILE_CACHE='${NODE_COMPILE_CACHE}'
cd '${process.cwd()}' || exit`;
}

/** The result, in words. */
async function power(
  { folder }: Kernel,
  { emulator, hardware, parameters }: Machine,
  shares: readonly string[],
  scratch: string,
  limit: number,
): Promise<string> {
  const words = [
    ...[...hardware, "-smp", "2", "-m", "3072", "-nodefaults", "-no-user-config", "-display", "none"],
    ...["-no-reboot", "-serial", `file:${join(scratch, "console")}`],
    ...["-kernel", join(folder, "vmlinuz"), "-initrd", join(scratch, "initrd")],
    ...["-append", `panic=-1 quiet ${parameters}`],
    ...shares,
  ];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", emulator, ...words], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return await limited(child, limit);
}

function share(tag: string, path: string, access: string): string[] {
  const folder = path.replaceAll(",", ",,");
  return [
    ...["-fsdev", `local,id=${tag},path=${folder},security_model=none,multidevs=remap,${access}`],
    ...["-device", `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
}

async function limited(child: ChildProcess, limit: number): Promise<string> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, limit);
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    return late ? `was not done after ${limit} ms` : `died (qemu: ${signal ?? code})`;
  } finally {
    clearTimeout(timer);
    await end(child);
  }
}

/** `initrd`: busybox, init.sh and the modules that the root needs, in the order in which they must be loaded. */
async function buildInitrd(
  { folder, release }: Kernel,
  { root }: Machine,
  folders: readonly string[],
  scratch: string,
): Promise<void> {
  const tree = join(scratch, "tree");
  for (const name of ["bin", "dev", "proc", "modules", "host", "memory", "new"]) {
    await mkdir(join(tree, name), { recursive: true });
  }
  await copyFile(join(root, busybox), join(tree, busybox));
  await copyFile(init, join(tree, "init"));
  await chmod(join(tree, "init"), 0o755);
  await writeFile(join(tree, "folders"), folders.map((path, i) => `folder${i} ${path}\n`).join(""));
  // It complains about those that are built in if the package does not list them.
  const modprobe = 'modprobe -d "$0" -S "$@" 2>/dev/null || true';
  const plan = await output("sh", ["-c", modprobe, folder, release, "--all", "--show-depends", ...needed]);
  const paths = new Set([...plan.matchAll(/^insmod (\S+)/gm)].map(([, path]) => path!));
  for (const [i, path] of [...paths].entries()) {
    await cp(path, join(tree, `modules/${String(i).padStart(2, "0")}-${basename(path)}`));
  }
  const pack = 'cd "$0" && find . | /bin/busybox cpio -o -H newc >"$1"';
  await output("sh", ["-c", pack, tree, join(scratch, "initrd")]);
}
