// The memory of the agent and its store does not grow while connections open and close.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { size } from "../support/long.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { build, run } from "../support/workload.ts";

/** Seconds for caches to fill, and seconds that are evaluated. */
const WARM = size(8, 300);
const SECONDS = size(12, 1500);
const RATE = 500;

/** Megabytes of anonymous memory. */
function memoryOf(pid: number): number {
  const [, kilobytes] = /^Anonymous: +(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))!;
  return Number(kilobytes) / 1024;
}

/** Growth of equidistant `values` from the first to the last, by least squares. */
function growth(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const middle = (values.length - 1) / 2;
  const [top, bottom] = values.reduce(
    ([a, b], value, i) => [a + (i - middle) * (value - mean), b + (i - middle) ** 2],
    [0, 0],
  );
  return (top / bottom) * (values.length - 1);
}

describe("the memory of the agent and its store", function () {
  this.timeout((WARM + SECONDS) * 1000 + 120_000);

  before(async function () {
    needsRoot(this);
    await build();
  });

  it(`is flat over ${SECONDS} s of ${RATE} connections a second`, async () => {
    await using stack = new AsyncDisposableStack();
    const netns = stack.use(await Netns.create());
    await netns.sysctl({ "net.ipv4.tcp_max_tw_buckets": 500 });
    const folder = mkdtempSync(join(tmpdir(), "wirespan-flat-"));
    stack.defer(() => rmSync(folder, { recursive: true }));
    chmodSync(folder, 0o755);
    const agent = stack.use(
      await startAgent([], {
        config: `
control: { socket: "${folder}/control.sock" }
filter: { include: { netns: ["${inodeOf(netns)}"] } }
viewer: { enabled: true, address: "127.0.0.1:0", file: "${folder}/viewer.db", bytes: ${64 * 1024 ** 2} }
exporters: { c: { type: console, format: json, rate: 1 } }
`,
      }),
    );
    const children = readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, "utf8").trim().split(" ");
    assert.equal(children.length, 1);
    const pids = [agent.pid, Number(children[0])];
    const limit = (WARM + SECONDS + 60) * 1000;
    const traffic = run(netns, "paced", { rate: RATE, seconds: WARM + SECONDS, limit });
    await sleep(WARM * 1000);
    const samples: number[] = [];
    for (let i = 0; i < 12; i++) {
      samples.push(pids.reduce((sum, pid) => sum + memoryOf(pid), 0));
      await sleep((SECONDS * 1000) / 12);
    }
    await traffic;
    const grown = growth(samples);
    console.log(`      ${samples.map((mb) => mb.toFixed(0)).join(" ")} MB: ${grown.toFixed(1)} MB more`);
    // In the short form, the heaps still grow to their limits.
    assert.ok(grown < size(30, 8), `${grown.toFixed(1)} MB more: ${samples.map((mb) => mb.toFixed(1))}`);
    assert.ok(samples.at(-1)! <= 130, `${samples.at(-1)} MB`);
  });
});
