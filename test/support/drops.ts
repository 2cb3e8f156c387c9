// What the agent reports about dropped packets, for tests that know each of them.
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { AnyAttributes } from "../../core/plugin/signals.ts";
import { type BpfObject, native } from "../../native/index.ts";
import { built } from "./bpf.ts";
import { inodeOf } from "./connection-ends.ts";
import { type Kept, type Watch, watch } from "./engine.ts";
import type { Netns, Rule } from "./netns.ts";
import { countUnseen } from "./unseen.ts";

/** A program that makes segments that ordinary programs do not send; its file lists them. */
const SEGMENTS = fileURLToPath(new URL("../segments/segments.py", import.meta.url));

type Words = Readonly<Record<string, string | number>>;

const words = (options: Words): string[] => Object.entries(options).map(([key, value]) => `${key}=${value}`);

/** Runs it in a namespace until it ends; returns its reports, by name. */
export async function segments(
  netns: Netns,
  what: string,
  options: Words = {},
): Promise<Record<string, string>> {
  const said = await netns.run("python3", SEGMENTS, what, ...words(options));
  return Object.fromEntries(said.split(/\s+/).map((word) => word.split("=") as [string, string]));
}

/** One that runs until it is stopped. */
export interface Held extends AsyncDisposable {
  readonly pid: number;
  /** Writes a line to its standard input. */
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
 * Counts what the rules of a namespace drop, and compares that with what the kernel shows to a separate BPF program, since
 * some machines omit events. A test that fails for that reason is repeated (again.ts).
 */
export async function witnessRules(
  netns: Netns,
  rules: readonly Pick<Rule, "packets">[],
): Promise<AsyncDisposable> {
  const object = await native.load("rule-drops", built("rule-drops"), { programs: ["drop"] });
  const before = await packetsOf(rules);
  object.attach("drop");
  const end = countUnseen(async () => {
    const dropped = (await packetsOf(rules)) - before;
    return Math.max(0, dropped - shownIn(object, netns));
  });
  return {
    async [Symbol.asyncDispose]() {
      await end();
      object.close();
    },
  };
}

/** Drops by rules in a namespace, as far as they were shown to the program. */
function shownIn(witness: BpfObject, netns: Netns): number {
  const key = new BigUint64Array([BigInt(inodeOf(netns))]);
  const shown = new BigUint64Array(1);
  const found = witness.map("rule_drops").lookUp(new Uint8Array(key.buffer), new Uint8Array(shown.buffer));
  return found ? Number(shown[0]) : 0;
}

async function packetsOf(rules: readonly Pick<Rule, "packets">[]): Promise<number> {
  const counts = await Promise.all(rules.map((rule) => rule.packets()));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Packets that existing rules of these namespaces have dropped. */
async function droppedByRules(namespaces: readonly Netns[]): Promise<number> {
  const rules = await Promise.all(namespaces.map((netns) => netns.dropped()));
  return rules.reduce((sum, packets) => sum + packets, 0);
}

/** An agent with tcpdrop that reports each drop, and a program that counts what rules drop: see `witnessRules`. */
export class Drops implements AsyncDisposable {
  readonly watched: Watch;
  readonly #witness: BpfObject;
  readonly #counted = countUnseen(() => this.#unseen);
  #unseen = 0;

  private constructor(watched: Watch, witness: BpfObject) {
    this.watched = watched;
    this.#witness = witness;
  }

  static async watch(plugins: readonly string[] = ["tcpdrop"], settings: Words = {}): Promise<Drops> {
    const given = Object.entries(settings).map(([key, value]) => [key, String(value)]);
    const witness = await native.load("rule-drops", built("rule-drops"), { programs: ["drop"] });
    witness.attach("drop");
    return new Drops(
      await watch(plugins, { "plugins.tcpdrop.eventRate": "1000000", ...Object.fromEntries(given) }),
      witness,
    );
  }

  /** The drops in these namespaces while `work` ran; in an unknown namespace (0) only on request. */
  async during(namespaces: readonly (Netns | 0)[], work: () => Promise<unknown>): Promise<AnyAttributes[]> {
    return (await this.eventsDuring(namespaces, work)).map(({ attributes }) => attributes);
  }

  async eventsDuring(namespaces: readonly (Netns | 0)[], work: () => Promise<unknown>): Promise<Kept[]> {
    const known = namespaces.filter((netns) => netns !== 0);
    const ids = new Set(namespaces.map((netns) => (netns === 0 ? undefined : inodeOf(netns))));
    const before = { dropped: await droppedByRules(known), shown: this.#shown(known) };
    this.watched.engine.drain();
    this.watched.events.length = 0;
    await work();
    await delay(150); // what is in transit still arrives
    const dropped = (await droppedByRules(known)) - before.dropped;
    this.#unseen += Math.max(0, dropped - (this.#shown(known) - before.shown));
    this.watched.engine.drain();
    return this.watched.events.filter(
      ({ name, attributes }) =>
        name === "wirespan.tcp.packet.drop" && ids.has(attributes["wirespan.netns.inode"] as number),
    );
  }

  #shown(namespaces: readonly Netns[]): number {
    return namespaces.reduce((sum, netns) => sum + shownIn(this.#witness, netns), 0);
  }

  /** The number of connections that listeners of a namespace have rejected so far. */
  async turnedAway(netns: Netns): Promise<number> {
    const metrics = await this.watched.collect();
    return metrics
      .filter(({ spec }) => spec.name === "wirespan.tcp.listener.dropped")
      .flatMap(({ points }) => points)
      .filter(({ attributes }) => attributes["wirespan.netns.inode"] === inodeOf(netns))
      .reduce((sum, { value }) => sum + Number(value), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#counted();
    this.#witness.close();
    await this.watched[Symbol.asyncDispose]();
  }
}
