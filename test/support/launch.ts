// Runs the real command until it ends, with the user and limits that a test requires.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { AGENT_FLAGS, MAIN } from "./agent.ts";
import { DEADLINE } from "./deadline.ts";
import { environment } from "./environment.ts";

const clone = fileURLToPath(new URL("../..", import.meta.url));
const node = process.execPath.replace(clone, "./");

export interface Launched {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface LaunchOptions {
  /** The command that starts it: `sh -c 'ulimit -n 64; exec "$@"' sh`. */
  readonly launcher?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Called when it is ready; it is stopped afterwards. */
  readonly ready?: (pid: number) => Promise<void> | void;
  /** Milliseconds until it is killed; DEADLINE by default. */
  readonly limit?: number;
}

/** Runs `wirespan ARGS`; a command that would run until stopped is stopped when it is ready. */
export async function launch(args: readonly string[], options: LaunchOptions = {}): Promise<Launched> {
  const { launcher = [], env = {}, ready = () => {}, limit = DEADLINE } = options;
  const [program, ...words] = [...launcher, node, ...AGENT_FLAGS, MAIN, ...args];
  const child = spawn(program!, words, {
    cwd: clone,
    env: { ...environment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  let isReady = false;
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    const pid = Number(/^\{"ready":true,"pid":(\d+)/m.exec(err)?.[1] ?? 0);
    if (isReady || pid === 0) return;
    isReady = true;
    void Promise.resolve(ready(pid)).finally(() => process.kill(pid, "SIGTERM"));
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), limit);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  return { code, out, err };
}

/** Runs as an ordinary user with these capabilities, who can read this clone even if it is in root's home. */
export function asUser(...capabilities: string[]): string[] {
  const added = capabilities.map((c) => `+${c}`).join(",");
  const grant = added ? [`--inh-caps=${added}`, `--ambient-caps=${added}`] : [];
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...grant, "--"];
  return ["unshare", "--mount", "sh", "-c", 'mount --bind . /mnt && cd /mnt && exec "$@"', "sh", ...user];
}

/** Runs a shell command first, in a separate mount namespace. */
export const after = (command: string): string[] => [
  "unshare",
  "--mount",
  "sh",
  "-c",
  `${command}; exec "$@"`,
  "sh",
];
