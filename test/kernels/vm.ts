// One command under a stock kernel: a temporary qemu guest, fully emulated (no KVM), over this machine's own root tree,
// read only. No disk image, no network.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { end, output } from "../support/netns.ts";
import type { Kernel } from "./archive.ts";

const init = fileURLToPath(new URL("init.sh", import.meta.url));
const tscSource = fileURLToPath(new URL("tsc.c", import.meta.url));
const needed = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];
const busybox = "/bin/busybox";

/** The result of a command in a guest. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Boots, runs `script` with sh as root in the caller's working directory; throws after `limit` milliseconds. */
export async function runUnder(kernel: Kernel, script: string, limit: number): Promise<Ended> {
  const scratch = await mkdtemp(join(tmpdir(), "wirespan-guest-"));
  try {
    const job = join(scratch, "job");
    await mkdir(job);
    await writeFile(join(job, "command"), `${environment()}\n${script}\n`);
    const initrd = await buildInitrd(kernel, scratch);
    const ended = await power(kernel, { initrd, job, console: join(scratch, "console") }, limit);
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

interface Boot {
  readonly initrd: string;
  /** The only folder that the guest may write to. */
  readonly job: string;
  readonly console: string;
}

/** The result, in words. */
async function power(
  { folder, release }: Kernel,
  { initrd, job, console }: Boot,
  limit: number,
): Promise<string> {
  const shares = [
    share("root", "/", "readonly=on"),
    share("modules", join(folder, "lib/modules", release), "readonly=on"),
    share("job", job, "readonly=off"),
  ].flat();
  const append = `console=ttyS0 panic=-1 quiet mitigations=off tsc=reliable tsc_early_khz=${await tscKhz()}`;
  // One thread for both CPUs: with one each, V8 once crashed, and it is no faster.
  const words = [
    ...["-machine", "q35,usb=off", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", "3072"],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", `file:${console}`],
    ...["-kernel", join(folder, "vmlinuz"), "-initrd", initrd, "-append", append],
    ...shares,
  ];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "qemu-system-x86_64", ...words], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return await limited(child, limit);
}

/** The guest sees this machine's counter, but sometimes measures it wrongly: its clock is then off by a factor. */
async function tscKhz(): Promise<string> {
  const program = join(await mkdtemp(join(tmpdir(), "wirespan-tsc-")), "tsc");
  try {
    await output("cc", ["-o", program, tscSource]);
    return (await output(program, [])).trim();
  } finally {
    await rm(dirname(program), { recursive: true });
  }
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

/** busybox, init.sh and the modules that the root needs, in the order in which they must be loaded. */
async function buildInitrd({ folder, release }: Kernel, scratch: string): Promise<string> {
  const tree = join(scratch, "tree");
  for (const name of ["bin", "dev", "proc", "modules", "host", "memory", "new"]) {
    await mkdir(join(tree, name), { recursive: true });
  }
  await copyFile(busybox, join(tree, "bin/busybox"));
  await copyFile(init, join(tree, "init"));
  await chmod(join(tree, "init"), 0o755);
  // It complains about those that are built in if the package does not list them.
  const modprobe = 'modprobe -d "$0" -S "$@" 2>/dev/null || true';
  const plan = await output("sh", ["-c", modprobe, folder, release, "--all", "--show-depends", ...needed]);
  const paths = new Set([...plan.matchAll(/^insmod (\S+)/gm)].map(([, path]) => path!));
  for (const [i, path] of [...paths].entries()) {
    await cp(path, join(tree, `modules/${String(i).padStart(2, "0")}-${basename(path)}`));
  }
  const initrd = join(scratch, "initrd");
  await output("sh", ["-c", 'cd "$0" && find . | "$1" cpio -o -H newc >"$2"', tree, busybox, initrd]);
  return initrd;
}
