// The console under load: few lines, including failures, and every connection has a line or is counted.
import assert from "node:assert/strict";
import { startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { one, run } from "../support/workload.ts";

describe("console", () => {
  let netns: Netns;
  before(async function () {
    needsRoot(this);
    netns = await Netns.create();
  });
  after(() => netns?.[Symbol.asyncDispose]());

  const config = () => `control: { socket: "" }\nfilter: { include: { netns: ["${inodeOf(netns)}"] } }\n`;

  it("prints at most the configured lines per second, failures first, and counts the rest", async () => {
    const seconds = 6;
    await using agent = await startAgent(["--format", "text"], { config: config() });
    const [lines] = await Promise.all([
      run(netns, "paced", { rate: 1000, seconds }),
      run(netns, "attempt", { count: 5, port: 9 }),
    ]);
    await netns.settled();
    const { stdout, code } = await agent.stop();
    assert.equal(code, 0);
    const { connections } = one(lines, "summary", "client");
    const matching = (pattern: RegExp) => stdout.filter((line) => pattern.test(line)).length;
    const more = stdout.flatMap((line) => /^and ([\d,]+) more connections/.exec(line)?.[1] ?? []);
    const counted = more.reduce((sum, text) => sum + Number(text.replaceAll(",", "")), 0);
    assert.equal(matching(/connection_refused$/), 5);
    assert.equal(matching(/dropped: NO_SOCKET/), 5);
    assert.equal(matching(/B out, .* in {2}[\d.]+ .?s$/) + counted, 2 * connections);
    assert.ok(more.length >= seconds - 1, `${more.length}`);
    // Each second ends with the number of those without a line; a summary of the metrics has at most 18 lines.
    const ends = stdout.flatMap((line, i) => (/^and [\d,]+ more connections/.test(line) ? [i] : []));
    const lengths = ends.map((end, i) => end - (ends[i - 1] ?? -1));
    assert.ok(Math.max(...lengths) <= 40, `${lengths}`);
    assert.ok(stdout.length <= (seconds + 4) * 21 + 2 * 18, `${stdout.length} lines`);
  });

  it("without an exporter and a terminal prints only how to configure an exporter, and its own state", async () => {
    await using agent = await startAgent(["--set", "metrics.interval=1s"], { config: config() });
    await run(netns, "clientCloses", { count: 10 });
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const { stdout, stderr, code } = await agent.stop();
    assert.equal(code, 0);
    assert.deepEqual(stdout, []);
    const rows = stderr.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(rows.filter(({ msg }) => /OTEL_EXPORTER_OTLP_ENDPOINT/.test(String(msg))).length, 1);
    const state = rows.findLast(({ msg }) => msg === "state");
    assert.equal(state!.connections, 20);
    assert.equal(state!.failed, 0);
    assert.equal(state!.bytesSent, 15_000);
    assert.deepEqual(state!.lost, {});
  });
});
