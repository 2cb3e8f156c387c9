// A podman with separate images, containers and cgroups for the test.
import { type ChildProcess, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { containerPrograms } from "./programs.ts";

const NOTES = "/var/lib/containers";

export class Podman implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "wirespan-podman-"));
  /** The environment in which `podman` is this one. */
  readonly env: NodeJS.ProcessEnv;
  /** Where podman records which images it has seen, whatever its settings are. */
  readonly #isNew = !existsSync(NOTES);
  readonly #parent = `/wirespan-podman-${process.pid}`;

  /** Skips if there is no podman. */
  constructor(context: Mocha.Context) {
    const env = containerPrograms(context, "podman", "runc", "conmon");
    const file = (name: string, text: string) => {
      writeFileSync(join(this.folder, name), text);
      return join(this.folder, name);
    };
    mkdirSync(join(this.folder, "home/.config/containers"), { recursive: true });
    file("home/.config/containers/policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}');
    const which = (program: string) =>
      execFileSync("sh", ["-c", `command -v ${program}`], { env, encoding: "utf8" }).trim();
    const settings = file(
      "containers.conf",
      `[containers]
# More than these takes CAP_SYS_RESOURCE.
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
# crun knows no host with both versions of cgroups.
runtime = "runc"
cgroup_manager = "cgroupfs"
cgroup_parent = "${this.#parent}"
events_logger = "file"
lock_type = "file"
conmon_path = ["${which("conmon")}"]
tmp_dir = "${this.folder}/tmp"
static_dir = "${this.folder}/static"
volume_path = "${this.folder}/volumes"
[engine.runtimes]
runc = ["${which("runc")}"]
`,
    );
    const storage = file(
      "storage.conf",
      `[storage]\ndriver = "overlay"\ngraphroot = "${this.folder}/graph"\nrunroot = "${this.folder}/run"\n`,
    );
    this.env = {
      ...env,
      HOME: join(this.folder, "home"),
      CONTAINERS_CONF: settings,
      CONTAINERS_STORAGE_CONF: storage,
    };
  }

  /** Runs `podman ...` until it ends; returns its standard output. Throws with its standard error. */
  run(...args: string[]): string {
    const { stdout, stderr, status } = this.try(...args);
    if (status !== 0) throw new Error(`podman ${args.join(" ")}: ${status}: ${stderr}`);
    return stdout;
  }

  try(...args: string[]): SpawnSyncReturns<string> {
    return spawnSync("podman", args, { env: this.env, encoding: "utf8", timeout: 60_000 });
  }

  /** Serves Docker's API at the socket, until it is disposed of. */
  serve(socket: string): ChildProcess {
    return spawn("podman", ["system", "service", "--time", "0", `unix://${socket}`], {
      env: this.env,
      stdio: "ignore",
    });
  }

  [Symbol.dispose](): void {
    this.try("rm", "--all", "--force", "--time", "0");
    const mounts = execFileSync("sh", ["-c", `grep -o '${this.folder}[^ ]*' /proc/self/mounts || true`], {
      encoding: "utf8",
    });
    for (const path of mounts.trim().split("\n").reverse()) if (path) execFileSync("umount", ["-l", path]);
    rmSync(this.folder, { recursive: true });
    if (this.#isNew) rmSync(NOTES, { recursive: true, force: true });
    for (const group of globSync(`/sys/fs/cgroup/{,*/}${this.#parent.slice(1)}`)) rmdirSync(group);
  }
}
