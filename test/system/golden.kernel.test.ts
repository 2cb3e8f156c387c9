// `wirespan trace` of all thirteen tools at once over the workload with known numbers, compared with the output of
// bcc's tools for it, and with libbpf-tools themselves if they run.
import assert from "node:assert/strict";
import { installedPlugins } from "../../core/engine/discover.ts";
import { golden, runGolden } from "../kernels/golden.ts";
import { arePeersInstalled, type Drawn, peersByTracepoint, startPeers } from "../kernels/peers.ts";
import { type Agent, type Row, startAgent } from "../support/agent.ts";
import { bcc } from "../support/bcc.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { skip } from "../support/skip.ts";
import { build } from "../support/workload.ts";

const connections = golden.v4.count + golden.v6.count;
const attempts = connections + golden.refused.count;
/** Each way, over all connections. */
const bytes = {
  v4: golden.v4.count * (golden.v4.up + golden.v4.down),
  v6: golden.v6.count * (golden.v6.up + golden.v6.down),
};
/** Number of rows that we print; except for tcpdrop, the same as bcc's. */
const rows: Readonly<Record<string, number>> = {
  tcpaccept: connections,
  tcpconnect: attempts,
  tcpconnlat: attempts,
  tcpdrop: golden.refused.count,
  tcplife: 2 * connections + golden.refused.count,
  tcpretrans: 0,
  tcpstates: 10 * connections + 2 * golden.refused.count + 2 * 2,
  tcptracer: 4 * connections,
  solisten: 2,
};
const words: Readonly<Record<string, readonly string[]>> = {
  netqtop: ["--loopback", "-i", "1"],
  // One interval for everything: a connection that transfers bytes in two of them has a row in each.
  tcptop: ["-S", "-r", "100", "60"],
};
/** Bytes. */
const linkHeader = 14;
/** The perf buffers of libbpf-tools lose some on a busy machine. They never report more. */
const missable = 2;

describe("the thirteen tools over the golden workload", () => {
  const printed = new Map<string, readonly Row[]>();
  let carried: { readonly bytes: number; readonly packets: number };
  let peers: readonly Drawn[] = [];

  before(async function () {
    needsRoot(this);
    await build();
    await using netns = await Netns.create();
    await using agents = new AsyncDisposableStack();
    const here = `filter.include.netns=${inodeOf(netns)}`;
    const started = await Promise.all(
      installedPlugins().map(async (tool): Promise<[string, Agent]> => {
        // A softirq belongs to no namespace.
        const filter = tool === "softirqs" ? [] : ["--set", here];
        return [
          tool,
          agents.use(await startAgent(["trace", tool, ...(words[tool] ?? []), "--json", ...filter])),
        ];
      }),
    );
    const endPeers = arePeersInstalled(peersByTracepoint) ? await startPeers(peersByTracepoint) : undefined;
    await runGolden(netns);
    await netns.settled();
    carried = await netns.loopback();
    peers = (await endPeers?.()) ?? [];
    for (const [tool, agent] of started) {
      const { code, stdout, stderr } = await agent.stop("SIGINT");
      assert.equal(code, 0, stderr.join("\n"));
      printed.set(
        tool,
        stdout.map((line) => JSON.parse(line) as Row),
      );
    }
  });

  const sum = (tool: string, field: string, of: Row = {}) =>
    printed
      .get(tool)!
      .filter((row) => Object.entries(of).every(([key, value]) => row[key] === value))
      .reduce((all, row) => all + Number(row[field]), 0);

  for (const [tool, expected] of Object.entries(rows)) {
    const { prints, wrong } = bcc[tool]!;
    const beside = prints === expected ? "as bcc's" : `bcc's ${prints}: ${wrong}`;
    it(`${tool} prints ${expected} rows (${beside})`, () => {
      assert.equal(printed.get(tool)!.length, expected, JSON.stringify(printed.get(tool), undefined, 1));
    });
  }

  it("failures are distinguished from the rest", () => {
    for (const tool of ["tcpconnect", "tcpconnlat", "tcplife"]) {
      const failed = printed.get(tool)!.filter((row) => row["error.type"] === "connection_refused");
      assert.equal(failed.length, golden.refused.count, tool);
    }
  });

  it("tcptracer prints a C and an A for each connection, and an X for each end", () => {
    const names = Map.groupBy(printed.get("tcptracer")!, ({ name }) => name);
    const count = (name: string) => names.get(name)?.length;
    assert.deepEqual([count("tcp connect"), count("tcp accept")], [connections, connections]);
    assert.equal(count("tcp connection"), 2 * connections);
  });

  it("tcpsubnet counts what bcc's does, and also received bytes and IPv6", () => {
    for (const [subnet, expected] of [
      ["127.0.0.1/32", bytes.v4],
      ["::/0", bytes.v6],
    ] as const) {
      const of = { "wirespan.subnet.name": subnet };
      assert.equal(sum("tcpsubnet", "wirespan.tcp.bytes_sent", of), expected);
      assert.equal(sum("tcpsubnet", "wirespan.tcp.bytes_received", of), expected);
    }
    assert.equal(bytes.v4, bcc.tcpsubnet!.prints);
  });

  it("tcptop has every connection's bytes, including those of less than a kilobyte", () => {
    assert.equal(printed.get("tcptop")!.length, 2 * connections);
    for (const way of ["sent", "received"]) {
      assert.equal(sum("tcptop", `wirespan.tcp.bytes_${way}`), bytes.v4 + bytes.v6);
    }
  });

  it("netqtop counts as the interface does", () => {
    for (const way of ["transmit", "receive"]) {
      const of = { "network.io.direction": way };
      assert.equal(sum("netqtop", "packets", of), carried.packets);
      assert.equal(sum("netqtop", "bytes", of), carried.bytes + linkHeader * carried.packets);
    }
  });

  it("softirqs times net_rx", () => {
    const received = printed.get("softirqs")!.filter((row) => row["wirespan.softirq.vector"] === "net_rx");
    assert.ok(received.length > 0);
  });

  it("libbpf-tools print the same number of rows, if they run without kprobes", function () {
    if (peers.length === 0) skip(this, "libbpf-tools are not installed");
    const ports = Object.values(golden).map(({ port }) => port);
    const ofGolden = new RegExp(`\\b(${ports.join("|")})\\b`);
    for (const { tool, lines } of peers) {
      const missed = rows[tool]! - lines.filter((line) => ofGolden.test(line)).length;
      assert.ok(missed >= 0 && missed <= missable, `${tool} misses ${missed} of ${rows[tool]}`);
    }
  });
});
