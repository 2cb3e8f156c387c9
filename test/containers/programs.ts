// Container runtimes and Kubernetes for the tests: found on PATH, otherwise unpacked, not installed, from Debian's
// archive; helm, kubelet and kube-apiserver are in the user's cache or on PATH.
import { execFileSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { skip } from "../support/skip.ts";

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "wirespan");
const UNPACKED = join(cache, "containers");
const PACKAGES = ["podman", "containerd", "runc", "containernetworking-plugins", "etcd-server"];
const FOLDERS = ["usr/bin", "usr/sbin", "usr/lib/cni"].map((folder) => join(UNPACKED, folder));

/** The environment that finds these container runtimes; skips if they are not available. */
export function containerPrograms(context: Mocha.Context, ...names: readonly string[]): NodeJS.ProcessEnv {
  const own = (process.env.PATH ?? "").split(delimiter);
  if (names.every((name) => onPath(name, own))) return process.env;
  if (!existsSync(UNPACKED)) {
    if (!onPath("apt-get", own)) skip(context, `no ${names.join(", ")} on PATH, nor apt to get them`);
    unpack();
  }
  return {
    ...process.env,
    PATH: [...own, ...FOLDERS].join(delimiter),
    LD_LIBRARY_PATH: globSync(join(UNPACKED, "usr/lib/*-linux-gnu"))[0],
  };
}

/** The folder of the CNI plugins. */
export function cniPlugins(): string {
  return existsSync("/usr/lib/cni/bridge") ? "/usr/lib/cni" : join(UNPACKED, "usr/lib/cni");
}

/** The pinned versions of the programs that `.ci/run` unpacks into the cache. */
const kubernetes = { helm: "4.3.2", kubelet: "1.37.2", "kube-apiserver": "1.37.2" };

/** The path of one of Kubernetes' programs; skips if it is absent. */
export function kubernetesProgram(context: Mocha.Context, name: keyof typeof kubernetes): string {
  const cached = join(cache, "kubernetes", `${name}-${kubernetes[name]}`);
  const found = isProgram(cached) ? cached : onPath(name, (process.env.PATH ?? "").split(delimiter));
  return found ?? skip(context, `no ${name} on PATH`);
}

/** A file tree with what apt would install for the packages. */
function unpack(): void {
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, "unpack-"));
  try {
    const apt = (...args: string[]) => execFileSync("apt-get", args, { cwd: scratch, encoding: "utf8" });
    const plan = apt("--simulate", "--no-install-recommends", "install", ...PACKAGES);
    apt("download", "-q", ...plan.matchAll(/^Inst (\S+)/gm).map(([, name]) => name!));
    const root = join(scratch, "root");
    for (const deb of globSync(join(scratch, "*.deb"))) execFileSync("dpkg-deb", ["-x", deb, root]);
    renameSync(root, UNPACKED);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function onPath(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
