// A machine with a real systemd as process 1, in its own namespaces on this kernel.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { cgroup2Mount } from "../../core/identity/cgroup-paths.ts";
import { output } from "./netns.ts";
import { until } from "./until.ts";

let made = 0;

/** Its programs do not inherit this process's environment. */
const ENV = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

/** Mounts cgroup v2 over the existing mount, and starts programs in the group $1. */
const SCRIPT = `umount -R -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit
# What nspawn leaves in /run is gone with the mount.
mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn || exit
mkdir /sys/fs/cgroup/$1 && echo 0 >/sys/fs/cgroup/$1/cgroup.procs || exit
shift
exec "$@"`;

export interface BootOptions {
  /** `host`: its programs can reach servers of the tests; `own` (default): they can only reach each other. */
  readonly network?: "own" | "host";
  /** Folders of this host that are mounted there read-only, by their paths there. */
  readonly folders?: Readonly<Record<string, string>>;
}

/** A booted machine; disposal stops everything that runs on it. */
export class Machine implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcess;
  /** The output of nspawn itself, once it has ended. */
  readonly #said: Promise<string>;
  #init = 0;

  private constructor(root: string, { network = "own", folders = {} }: BootOptions) {
    this.#name = `wirespan-${process.pid}-${++made}`;
    writeFileSync(join(root, "etc/machine-id"), `${randomUUID().replaceAll("-", "")}\n`);
    const shell = [
      "setpriv",
      "--pdeathsig=KILL",
      "unshare",
      "-m",
      "--propagation",
      "private",
      "sh",
      "-c",
      SCRIPT,
      "sh",
      this.#name,
    ];
    const nspawn = [
      ...[
        "systemd-nspawn",
        "-q",
        "-b",
        "-D",
        root,
        "-M",
        this.#name,
        "--register=no",
        "--keep-unit",
        "--console=pipe",
      ],
      ...["--capability=CAP_BPF,CAP_PERFMON", "--system-call-filter=bpf perf_event_open"],
      ...(network === "own" ? ["--private-network"] : []),
      ...Object.entries(folders).map(([there, here]) => `--bind-ro=${here}:${there}`),
    ];
    const env = { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" };
    const [program, ...words] = [...shell, ...nspawn];
    this.#child = spawn(program!, words, { env, stdio: ["ignore", "ignore", "pipe"] });
    this.#said = text(this.#child.stderr!);
  }

  /** Boots from the root file system in the folder `root`, and writes to it. */
  static async boot(root: string, options: BootOptions = {}): Promise<Machine> {
    const machine = new Machine(root, options);
    try {
      await machine.#booted();
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a program as root until it ends; returns its standard output. Throws with its standard error. */
  run(program: string, ...args: string[]): Promise<string> {
    return output("nsenter", [`--target=${this.#init}`, "--all", "--", ...ENV, program, ...args]);
  }

  /** Runs a program as a service with these unit properties until it ends; returns its standard output. */
  service(unit: string, properties: readonly string[], program: string, ...args: string[]): Promise<string> {
    const words = ["--quiet", "--wait", "--pipe", "--collect", `--unit=${unit}`];
    return this.run("systemd-run", ...words, ...properties.flatMap((each) => ["-p", each]), program, ...args);
  }

  /** What a unit has logged since the machine booted. */
  journal(unit: string): Promise<string> {
    return this.run("journalctl", "--output=cat", `--unit=${unit}`);
  }

  /** A property of a unit, as `systemctl show` prints it. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.run("systemctl", "show", "--value", "-p", name, unit)).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit");
      // Every process of a pid namespace ends with its first one.
      if (this.#init) process.kill(this.#init, "SIGKILL");
      else this.#child.kill("SIGKILL");
      await exited;
    }
    removeCgroups(join(cgroup2Mount()!, this.#name));
  }

  async #booted(): Promise<void> {
    await until("process 1 of the machine", async () => {
      if (this.#child.exitCode !== null) throw new Error(`systemd-nspawn ended: ${await this.#said}`);
      this.#init = initOf(this.#child.pid!);
      return this.#init !== 0;
    });
    await until(
      "the machine's systemd",
      () =>
        this.run("systemctl", "is-system-running", "--wait").then(
          () => true,
          () => false,
        ),
      60_000,
    );
    // As outside a container.
    await this.run("mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing");
  }
}

/** The child that is the first process of a pid namespace; 0 if there is none. */
function initOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ");
  const found = children.find((child) => {
    try {
      return /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${child}/status`, "latin1"));
    } catch {
      return false; // it has ended
    }
  });
  return Number(found ?? 0);
}

function removeCgroups(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroups(join(folder, entry.name));
  rmdirSync(folder);
}
