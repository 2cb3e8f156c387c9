// What the agent reports about dropped packets, for tests that know each of them.
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { AnyAttributes } from "../../core/plugin/signals.ts";
import { native } from "../../native/index.ts";
import { built } from "./bpf.ts";
import { inodeOf } from "./connection-ends.ts";
import { type Kept, type Watch, watch } from "./engine.ts";
import type { Netns, Rule } from "./netns.ts";
import { countUnseen } from "./unseen.ts";

/** Makes segments that no ordinary program sends; the file says which. */
const SEGMENTS = fileURLToPath(new URL("../segments/segments.py", import.meta.url));

type Words = Readonly<Record<string, string | number>>;

const words = (options: Words): string[] => Object.entries(options).map(([key, value]) => `${key}=${value}`);

/** Runs it inside a namespace to its end; returns its reports, by name. */
export async function segments(
  netns: Netns,
  what: string,
  options: Words = {},
): Promise<Record<string, string>> {
  const said = await netns.run("python3", SEGMENTS, what, ...words(options));
  return Object.fromEntries(said.split(/\s+/).map((word) => word.split("=") as [string, string]));
}

/** One that goes on until it is stopped. */
export interface Held extends AsyncDisposable {
  readonly pid: number;
  /** Gives it a line. */
  goOn(): void;
  end(): Promise<void>;
}

/** Starts it, and waits for its first line. */
export async function hold(netns: Netns, what: string, options: Words = {}): Promise<Held> {
  const child = netns.spawn("python3", [SEGMENTS, what, ...words(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const ready = new Promise<boolean>((resolve) => child.stdout?.once("data", () => resolve(true)));
  if (!(await Promise.race([ready, exited.then(() => false)]))) throw new Error(`${what} did not start`);
  const end = async () => {
    child.stdin?.end();
    await exited;
  };
  const goOn = () => void child.stdin?.write("\n");
  return { pid: child.pid!, goOn, end, [Symbol.asyncDispose]: end };
}

/**
 * Counts what the rules of a namespace drop, and compares that with what the kernel shows to a program of its own: some
 * machines leave out events. A test that this explains is repeated (again.ts).
 */
export async function witnessRules(
  netns: Netns,
  rules: readonly Pick<Rule, "packets">[],
): Promise<AsyncDisposable> {
  const object = await native.load("rule-drops", built("rule-drops"), { programs: ["drop"] });
  const key = new BigUint64Array([BigInt(inodeOf(netns))]);
  const shown = new BigUint64Array(1);
  const before = await packetsOf(rules);
  object.attach("drop");
  const end = countUnseen(async () => {
    const dropped = (await packetsOf(rules)) - before;
    const found = object.map("rule_drops").lookUp(new Uint8Array(key.buffer), new Uint8Array(shown.buffer));
    return Math.max(0, dropped - (found ? Number(shown[0]) : 0));
  });
  return {
    async [Symbol.asyncDispose]() {
      await end();
      object.close();
    },
  };
}

async function packetsOf(rules: readonly Pick<Rule, "packets">[]): Promise<number> {
  const counts = await Promise.all(rules.map((rule) => rule.packets()));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** An agent with tcpdrop that reports each drop. */
export class Drops implements AsyncDisposable {
  readonly watched: Watch;

  private constructor(watched: Watch) {
    this.watched = watched;
  }

  static async watch(plugins: readonly string[] = ["tcpdrop"], settings: Words = {}): Promise<Drops> {
    const given = Object.entries(settings).map(([key, value]) => [key, String(value)]);
    return new Drops(
      await watch(plugins, { "plugins.tcpdrop.eventRate": "1000000", ...Object.fromEntries(given) }),
    );
  }

  /** The drops in these namespaces while `work` ran; in an unknown namespace (0) only on request. */
  async during(namespaces: readonly (Netns | 0)[], work: () => Promise<unknown>): Promise<AnyAttributes[]> {
    return (await this.eventsDuring(namespaces, work)).map(({ attributes }) => attributes);
  }

  async eventsDuring(namespaces: readonly (Netns | 0)[], work: () => Promise<unknown>): Promise<Kept[]> {
    const ids = new Set(namespaces.map((netns) => (netns === 0 ? undefined : inodeOf(netns))));
    this.watched.engine.drain();
    this.watched.events.length = 0;
    await work();
    await delay(150); // what is in transit still arrives
    this.watched.engine.drain();
    return this.watched.events.filter(
      ({ name, attributes }) =>
        name === "wirespan.tcp.packet.drop" && ids.has(attributes["wirespan.netns.inode"] as number),
    );
  }

  /** What listeners of a namespace have rejected so far. */
  async turnedAway(netns: Netns): Promise<number> {
    const metrics = await this.watched.collect();
    return metrics
      .filter(({ spec }) => spec.name === "wirespan.tcp.listener.dropped")
      .flatMap(({ points }) => points)
      .filter(({ attributes }) => attributes["wirespan.netns.inode"] === inodeOf(netns))
      .reduce((sum, { value }) => sum + Number(value), 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.watched[Symbol.asyncDispose]();
  }
}
