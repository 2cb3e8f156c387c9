// Network namespaces that tests create, use and remove. Needs root.
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { text } from "node:stream/consumers";
import { skip } from "./skip.ts";
import { until } from "./until.ts";

const folder = "/run/netns";
const alive = new Set<Netns>();
let made = 0;

/** Skips the test, or in a `before` hook the whole suite, for a user who may not create namespaces. */
export function needsRoot(context: Mocha.Context): void {
  if (process.getuid?.() !== 0) skip(context, "needs root");
}

/** A counting nft rule; removing it ends its effect. */
export interface Rule {
  packets(): Promise<number>;
  remove(): Promise<void>;
  /** Accepts matching packets from now on, removes the rule, and returns its count. */
  end(): Promise<number>;
}

/** A network namespace with its loopback up; disposal ends the processes spawned in it and removes it. */
export class Netns implements AsyncDisposable {
  readonly name: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(name: string) {
    this.name = name;
  }

  /** Creates one; the first call in a process removes namespaces that ended processes have left behind. */
  static async create(): Promise<Netns> {
    if (made === 0) start();
    const netns = new Netns(`ws-${process.pid}-${++made}`);
    await output("ip", ["netns", "add", netns.name]);
    alive.add(netns);
    await netns.ip("link", "set", "lo", "up");
    return netns;
  }

  /** The path for setns. */
  get path(): string {
    return `${folder}/${this.name}`;
  }

  /** Starts a program inside; its pid is the child's (nsenter turns into it). */
  spawn(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn("nsenter", [`--net=${this.path}`, "--", program, ...args], options);
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    return child;
  }

  /** Runs a program inside until it ends; returns its standard output. Throws with its standard error. */
  run(program: string, ...args: string[]): Promise<string> {
    return output("nsenter", [`--net=${this.path}`, "--", program, ...args]);
  }

  ip(...args: string[]): Promise<string> {
    return output("ip", ["-n", this.name, ...args]);
  }

  /** Sets sysctls by dotted name; throws if this kernel does not have one. */
  async sysctl(values: Readonly<Record<string, string | number>>): Promise<void> {
    await this.run("sysctl", "-qw", ...Object.entries(values).map(([name, value]) => `${name}=${value}`));
  }

  /** Adds a counting rule, e.g. `rule("input", "tcp dport 80", "drop")`. */
  async rule(hook: "input" | "output" | "forward", match: string, verdict: string): Promise<Rule> {
    const chain = ["inet", "wirespan", hook];
    await this.run("nft", "add table inet wirespan");
    await this.run("nft", `add chain ${chain.join(" ")} { type filter hook ${hook} priority 0; }`);
    const added = await this.run("nft", "-jea", `add rule ${chain.join(" ")} ${match} counter ${verdict}`);
    const handle = ruleOf(added).handle;
    const packets = async () => {
      const { nftables } = JSON.parse(await this.run("nft", "-ja", "list", "chain", ...chain)) as Listing;
      const found = nftables.find(({ rule }) => rule?.handle === handle)?.rule;
      return found?.expr.find(({ counter }) => counter)?.counter?.packets ?? 0;
    };
    const remove = async () => {
      await this.run("nft", "delete", "rule", ...chain, "handle", String(handle));
    };
    const end = async () => {
      await this.run("nft", `insert rule ${chain.join(" ")} ${match} accept`);
      const counted = await packets();
      await remove();
      return counted;
    };
    return { packets, remove, end };
  }

  /** Packets dropped by counting rules that still exist. */
  async dropped(): Promise<number> {
    const { nftables } = JSON.parse(await this.run("nft", "-j", "list", "ruleset")) as Listing;
    return nftables
      .map(({ rule }) => rule?.expr ?? [])
      .filter((expr) => expr.some((part) => "drop" in part))
      .reduce((sum, expr) => sum + (expr.find(({ counter }) => counter)?.counter?.packets ?? 0), 0);
  }

  /** The counters of /proc/net/netstat and snmp, with names such as `TcpExt.ListenOverflows`. */
  async counters(): Promise<Readonly<Record<string, number>>> {
    return parseCounters(await this.run("cat", "/proc/net/netstat", "/proc/net/snmp"));
  }

  /** Waits until every remaining socket has reached its last state, since programs end before their connections do. */
  async settled(): Promise<void> {
    await until("all sockets to be closed", async () => {
      const open = await this.run("ss", "-Htan", "state", "all", "exclude", "time-wait");
      return open.trim() === "";
    });
  }

  /** What its loopback has transmitted; all of it is also received. */
  async loopback(): Promise<{ readonly bytes: number; readonly packets: number }> {
    const lines = (await this.run("cat", "/proc/net/dev")).split("\n");
    const [, bytes = 0, packets = 0] = lines
      .find((line) => line.trim().startsWith("lo:"))!
      .replace(/.*lo:/, "lo ")
      .split(/\s+/)
      .map(Number);
    return { bytes, packets };
  }

  /** The increase of every counter that changed while `work` ran. */
  async moved(work: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
    const before = await this.counters();
    await work();
    const after = Object.entries(await this.counters());
    return Object.fromEntries(
      after.flatMap(([name, value]) => {
        const by = value - (before[name] ?? 0);
        return by === 0 ? [] : [[name, by]];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children].map(end));
    if (alive.delete(this)) await output("ip", ["netns", "del", this.name]);
  }
}

interface Listing {
  readonly nftables: readonly {
    readonly rule?: {
      readonly handle: number;
      readonly expr: readonly { readonly counter?: { readonly packets: number } }[];
    };
  }[];
}

/** The answer of nft -je: what it added, wrapped in the command. */
function ruleOf(added: string): { readonly handle: number } {
  const { nftables } = JSON.parse(added) as { nftables: { add?: { rule?: { handle: number } } }[] };
  const rule = nftables.find(({ add }) => add?.rule)?.add?.rule;
  if (!rule) throw new Error(`nft did not tell what it added: ${added}`);
  return rule;
}

/** The counters of files such as /proc/net/snmp, with names such as `Tcp.ActiveOpens`. */
export function parseCounters(text: string): Record<string, number> {
  // Two lines per group: names, then values.
  const lines = text.trim().split("\n");
  const counters: Record<string, number> = {};
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [group = "", ...names] = lines[i]?.split(" ") ?? [];
    const values = lines[i + 1]?.split(" ").slice(1) ?? [];
    for (const [at, name] of names.entries()) counters[`${group.slice(0, -1)}.${name}`] = Number(values[at]);
  }
  return counters;
}

/** Kills a child by its pid and waits for it. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** Runs a program until it ends; returns its standard output. Throws with its standard error. */
export async function output(program: string, args: readonly string[], input = ""): Promise<string> {
  const child = spawn(program, args, { stdio: "pipe" });
  const exited = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  child.stdin.on("error", () => {}); // the program may not read all of it
  child.stdin.end(input);
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    exited,
  ]);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${signal ?? code}: ${stderr || stdout}`);
  return stdout;
}

/** Removes what ended processes have left, and ensures that this one leaves nothing behind if it is interrupted. */
function start(): void {
  for (const name of namespaces()) {
    const pid = /^ws-(\d+)-\d+$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) remove(name);
  }
  process.once("exit", () => {
    for (const { name } of alive) remove(name);
  });
}

function namespaces(): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // none has been created since boot
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function remove(name: string): void {
  try {
    execFileSync("ip", ["netns", "del", name], { stdio: "ignore" });
  } catch {
    // Another test process has removed it at the same time.
  }
}
