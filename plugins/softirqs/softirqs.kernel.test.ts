import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { native } from "../../native/index.ts";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { leastTraced } from "../../test/support/softirqs.ts";
import { one, run } from "../../test/support/workload.ts";

const DATAGRAMS = 100_000;

/** Runs by vector and CPU: `net_rx 1`. */
type Runs = ReadonlyMap<string, number>;

/** What the kernel itself has counted since boot. */
function procSoftirqs(): Runs {
  const [head = "", ...lines] = readFileSync("/proc/softirqs", "utf8").trim().split("\n");
  const cpus = head.trim().split(/\s+/);
  return new Map(
    lines.flatMap((line) => {
      const [vector = "", ...counts] = line.trim().split(/\s+/);
      const name = vector.replace(":", "").toLowerCase();
      return counts.map((count, i) => [`${name} ${cpus[i]!.slice(3)}`, Number(count)] as const);
    }),
  );
}

const moved = (from: Runs, to: Runs, key: string) => (to.get(key) ?? 0) - (from.get(key) ?? 0);

interface Histogram {
  readonly count: number;
  readonly sum: number;
  readonly zeroCount: number;
  readonly counts: readonly number[];
  readonly max: number;
}

const keyOf = (row: Row) => `${row["wirespan.softirq.vector"]} ${row["cpu.logical_number"]}`;

/** The only interval's rows of a metric, by vector and CPU. */
function rowsOf<T>(rows: readonly Row[], name: string, field: "value" | "histogram"): Map<string, T> {
  const found = new Map<string, T>();
  for (const row of rows) {
    if (row.name !== name) continue;
    assert(!found.has(keyOf(row)), `${name} of ${keyOf(row)} comes twice`);
    found.set(keyOf(row), row[field] as T);
  }
  return found;
}

const flood = (netns: Netns) => run(netns, "datagrams", { count: DATAGRAMS, cpu: 1 });

/** One interval, which ends when the agent is stopped. */
const traced = (...options: string[]): Promise<Agent> =>
  startAgent(["trace", "softirqs", "--json", ...options, "3600"]);

describe("softirqs", () => {
  let netns: Netns;

  before(async function () {
    needsRoot(this);
    netns = await Netns.create();
  });

  after(() => netns?.[Symbol.asyncDispose]());

  describe("during a flood of datagrams on one CPU", () => {
    let rows: readonly Row[];
    let outer: [Runs, Runs];
    let inner: [Runs, Runs];
    let seconds: number;
    let received: number;

    before(async () => {
      const begun = performance.now();
      const first = procSoftirqs();
      await using agent = await traced("--per-cpu");
      const second = procSoftirqs();
      const lines = await flood(netns);
      const third = procSoftirqs();
      const { stdout } = await agent.stop();
      outer = [first, procSoftirqs()];
      inner = [second, third];
      seconds = (performance.now() - begun) / 1000;
      rows = stdout.map((line) => JSON.parse(line) as Row);
      received = one(lines, "datagrams", "server").datagrams;
    });

    it("counts as many runs as the kernel for every vector and CPU", () => {
      const runs = rowsOf<number>(rows, "wirespan.softirq.runs", "value");
      for (const key of outer[1].keys()) {
        const count = runs.get(key) ?? 0;
        const [least, most] = [moved(...inner, key), moved(...outer, key)];
        assert(leastTraced(least) <= count && count <= most, `${key}: ${least} <= ${count} <= ${most}`);
      }
      assert.deepEqual(
        [...runs.keys()].filter((key) => !outer[1].has(key)),
        [],
      );
    });

    it("finds the flood on the CPU that it was pinned to", () => {
      const packets = rowsOf<number>(rows, "wirespan.softirq.napi.packets", "value");
      const polls = rowsOf<number>(rows, "wirespan.softirq.napi.polls", "value");
      const time = rowsOf<number>(rows, "wirespan.softirq.time", "value");
      assert(received > 0.9 * DATAGRAMS);
      assert(packets.get("undefined 1")! >= received);
      assert(polls.get("undefined 1")! >= received / 64, "a poll of loopback takes 64 at most");
      assert(time.get("net_rx 1")! > received * 100e-9, "a datagram takes more than 100 ns");
    });

    it("has a histogram that holds every run that has ended", () => {
      const runs = rowsOf<number>(rows, "wirespan.softirq.runs", "value");
      const durations = rowsOf<Histogram>(rows, "wirespan.softirq.duration", "histogram");
      assert.deepEqual([...durations.keys()].sort(), [...runs.keys()].sort());
      for (const [key, { count, counts, zeroCount }] of durations) {
        const sum = counts.reduce((a, b) => a + b, zeroCount);
        assert.equal(sum, count, key);
        // One run may be in progress at either end of the interval.
        assert(Math.abs(count - runs.get(key)!) <= 1, `${key}: ${count} of ${runs.get(key)}`);
      }
    });

    it("spends no more time on a CPU than has passed, and no run takes longer than all", () => {
      const durations = rowsOf<Histogram>(rows, "wirespan.softirq.duration", "histogram");
      const time = rowsOf<number>(rows, "wirespan.softirq.time", "value");
      const perCpu = new Map<string, number>();
      for (const [key, { sum, max }] of durations) {
        assert.equal(sum, time.get(key));
        assert(max <= sum, key);
        const cpu = key.split(" ")[1]!;
        perCpu.set(cpu, (perCpu.get(cpu) ?? 0) + sum);
      }
      assert.deepEqual([...perCpu.keys()].sort().slice(0, 2), ["0", "1"]);
      for (const [cpu, sum] of perCpu) assert(sum <= seconds, `CPU ${cpu}: ${sum} of ${seconds} s`);
    });

    it("has at most one wait per run, and one for most runs that a raise started", () => {
      const runs = rowsOf<number>(rows, "wirespan.softirq.runs", "value");
      const waits = rowsOf<Histogram>(rows, "wirespan.softirq.latency", "histogram");
      for (const [key, { count }] of waits) assert(count <= runs.get(key)!, key);
      assert(waits.get("net_rx 1")!.count > runs.get("net_rx 1")! / 2);
    });
  });

  it("sums over CPUs by default", async () => {
    const first = procSoftirqs();
    await using agent = await traced("--count");
    const second = procSoftirqs();
    await flood(netns);
    const third = procSoftirqs();
    const { stdout } = await agent.stop();
    const outer = [first, procSoftirqs()] as const;
    const rows = stdout.map((line) => JSON.parse(line) as Row);
    assert(rows.every((row) => row.name === "wirespan.softirq.runs" && !("cpu.logical_number" in row)));
    const row = rows.find((r) => r["wirespan.softirq.vector"] === "net_rx");
    const sum = (from: Runs, to: Runs) =>
      [...to.keys()]
        .filter((key) => key.startsWith("net_rx "))
        .reduce((n, key) => n + moved(from, to, key), 0);
    const count = row?.value as number;
    assert(sum(second, third) <= count && count <= sum(...outer));
  });

  it("observes only the selected CPUs", async () => {
    await using agent = await traced("--cpu", "0", "--per-cpu");
    await flood(netns);
    const { stdout } = await agent.stop();
    const rows = stdout.map((line) => JSON.parse(line) as Row);
    assert(rows.length > 0);
    assert.deepEqual([...new Set(rows.map((row) => row["cpu.logical_number"]))], [0]);
  });

  it("adds nothing for the end of a run whose start it did not observe", async () => {
    const elf = readFileSync(new URL("softirqs.bpf.o", import.meta.url));
    const object = await native.load("softirqs", elf, { programs: ["on_exit"] });
    try {
      object.attach("on_exit");
      await flood(netns);
      const map = object.map("vectors");
      const values = new Uint8Array(map.maxEntries * map.valueSize);
      assert.equal(map.read(new Uint8Array(map.maxEntries * map.keySize), values), map.maxEntries);
      assert(values.every((byte) => byte === 0));
    } finally {
      object.close();
    }
  });

  it("refuses an invalid CPU", async () => {
    await assert.rejects(traced("--cpu", "1,x"), /plugins\.softirqs\.cpus: "x" is not a CPU number/);
  });

  it("prints bcc's columns", async () => {
    await using agent = await startAgent(["trace", "softirqs", "0.2", "1"]);
    const { stdout } = await agent.ended();
    assert.equal(stdout[1], "SOFTIRQ          TOTAL_usecs");
    assert(stdout.slice(2).every((line) => /^[a-z_]+ +\d+$/.test(line)));
    const totals = stdout.slice(2).map((line) => Number(line.split(/ +/)[1]));
    assert.deepEqual(
      totals,
      totals.toSorted((a, b) => a - b),
    );
  });

  it("prints bcc's histograms, each with as many values as the vector ran", async () => {
    await using agent = await startAgent(["trace", "softirqs", "-d", "3600"]);
    const before = procSoftirqs();
    await flood(netns);
    const after = procSoftirqs();
    const { stdout } = await agent.stop();
    const from = stdout.indexOf("softirq = net_rx");
    assert.equal(stdout[from + 1], "     usecs               : count     distribution");
    const end = stdout.indexOf("", from);
    const lines = stdout.slice(from + 2, end < 0 ? undefined : end);
    const parsed = lines.map((line) => /^ *(\d+) -> (\d+) +: (\d+) +\|(\**) *\|$/.exec(line)!.slice(1));
    assert.deepEqual(
      parsed.map(([low, high]) => [Number(low), Number(high)]),
      parsed.map((_, i) => [i === 0 ? 0 : 2 ** i, 2 ** (i + 1) - 1]),
    );
    const sum = parsed.reduce((n, [, , count]) => n + Number(count), 0);
    const least = moved(before, after, "net_rx 0") + moved(before, after, "net_rx 1");
    assert(sum >= least, `${sum} of ${least}`);
    assert.equal(Math.max(...parsed.map(([, , , stars]) => stars!.length)), 40);
  });
});
