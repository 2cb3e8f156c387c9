// More concurrent connections, and attempts, than fit into bcc's and libbpf-tools' tables (10,240 at most).
import assert from "node:assert/strict";
import { inodeOf } from "../support/connection-ends.ts";
import { type Kept, type Watch, watch } from "../support/engine.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { addresses, pair } from "../support/topology.ts";
import { build, one, run } from "../support/workload.ts";

const count = 12_000;

const namesOf = (spans: readonly Kept[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...Map.groupBy(spans, (s) => `${s.name} ${s.attributes["wirespan.connection.direction"]}`)].map(
      ([name, all]) => [name, all.length],
    ),
  );

/** Spans of that namespace, once there are that many. */
async function spans(seen: Watch, netns: Netns, expected: number): Promise<readonly Kept[]> {
  const inode = inodeOf(netns);
  const here = () => seen.spans.filter(({ attributes }) => attributes["wirespan.netns.inode"] === inode);
  await seen.until(`${expected} spans`, () => here().length + (seen.counters().lost_spans ?? 0) >= expected);
  assert.equal(seen.counters().lost_spans, 0);
  return here();
}

describe(`${count} at once`, () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("are connections, each with its owner, its bytes, its connect and its accept", async () => {
    await using netns = await Netns.create();
    await using seen = await watch(["tcplife", "tcptracer", "tcpconnlat"], { "ring.core": "64MiB" });
    const lines = await run(netns, "crowd", { count, limit: 120_000 });
    const [client, server] = [one(lines, "summary", "client"), one(lines, "summary", "server")];
    assert.deepEqual([client.connections, client.sent, server.received], [count, count, count]);
    const reported = await spans(seen, netns, 4 * count);
    assert.deepEqual(namesOf(reported), {
      "tcp connect outbound": count,
      "tcp accept inbound": count,
      "tcp connection outbound": count,
      "tcp connection inbound": count,
    });
    for (const { attributes } of reported) {
      const outbound = attributes["wirespan.connection.direction"] === "outbound";
      assert.equal(attributes["process.pid"], outbound ? client.pid : server.pid);
    }
    const bytes = (direction: string, key: string) =>
      reported
        .filter(({ name }) => name === "tcp connection")
        .filter(({ attributes }) => attributes["wirespan.connection.direction"] === direction)
        .reduce((sum, { attributes }) => sum + Number(attributes[key]), 0);
    assert.equal(bytes("outbound", "wirespan.tcp.bytes_sent"), count);
    assert.equal(bytes("inbound", "wirespan.tcp.bytes_received"), count);
  });

  it("are attempts, each of which is reported as aborted", async () => {
    await using net = await pair();
    await net.b.rule("input", "tcp dport 9", "drop");
    await using seen = await watch(["tcpconnlat", "tcpconnect"], { "ring.core": "64MiB" });
    const summary = one(await run(net.a, "unanswered", { count, address: addresses.b }), "summary");
    assert.deepEqual([summary.connections, summary.failed], [0, count]);
    const reported = await spans(seen, net.a, count);
    assert.deepEqual(namesOf(reported), { "tcp connect outbound": count });
    for (const { attributes } of reported) {
      assert.equal(attributes["wirespan.tcp.close.reason"], "aborted");
      assert.equal(attributes["process.pid"], summary.pid);
    }
  });
});
