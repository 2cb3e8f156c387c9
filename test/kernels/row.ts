// The agent under a stock kernel, in a guest: every plugin runs, and a workload with known numbers is reported exactly.
// Oracles are the programs, the kernel's own counters and libbpf-tools.
import assert from "node:assert/strict";
import { installedPlugins } from "../../core/engine/discover.ts";
import type { Arch } from "../../tools/package/fetched.ts";
import { judge } from "../support/loss.ts";
import type { Told } from "../support/received.ts";
import { skip } from "../support/skip.ts";
import { pick } from "../support/workload.ts";
import { type Kernel, kernelOf } from "./archive.ts";
import type { Finding } from "./finding.ts";
import { golden, lost } from "./golden.ts";
import { machineOf } from "./machine.ts";
import type { Peer } from "./peers.ts";
import { runUnder } from "./vm.ts";

/** Milliseconds; a third of it if the machine is otherwise idle. */
export const limit = 540_000;
/** Bytes. */
const linkHeader = 14;
/**
 * The kernel skips programs that are attached by perf while another one runs on that CPU, so the tools may miss a few
 * events. They never report more.
 */
const missable = 2;

const connections = golden.v4.count + golden.v6.count;
const attempts = connections + golden.refused.count;
/** Each way, over all connections. */
const bytes = {
  v4: golden.v4.count * (golden.v4.up + golden.v4.down),
  v6: golden.v6.count * (golden.v6.up + golden.v6.down),
};

export async function needKernel(context: Mocha.Context, series: string, arch: Arch): Promise<Kernel> {
  const kernel = await kernelOf(series, arch);
  return kernel ?? skip(context, `Debian's archive offers no Linux ${series} any more`);
}

const isOf = (port: number) => (reported: Told) =>
  ["network.local.port", "network.peer.port"].some((key) => reported.attributes[key] === port);

/** Their counts by name, without those that the lost connection added. */
function countNames(all: readonly Told[]): Record<string, number> {
  const own = all.filter((reported) => !isOf(lost.port)(reported));
  return Object.fromEntries(
    [...Map.groupBy(own, ({ name }) => name)].map(([name, reported]) => [name, reported.length]),
  );
}

/** The suite of a kernel; `missing`: what `doctor` and the README's table of kernels say. */
export function describeKernel(arch: Arch, series: string, missing: readonly string[]): void {
  describe(`under Linux ${series}${arch === "x64" ? "" : ` on ${arch}`}`, function () {
    // The first time, what the guest consists of is fetched and built.
    this.timeout(limit + 600_000);
    let found: Finding;

    before(async function () {
      const machine = await machineOf(this, arch);
      const kernel = await needKernel(this, series, arch);
      // A program that crashes leaves its address in the kernel's log.
      const crashes = '{ code=$?; dmesg | grep -E "segfault|trap" >&2; exit $code; }';
      const battery = `${machine.variables} '${machine.node}' test/kernels/battery.ts || ${crashes}`;
      const { code, stdout, stderr } = await runUnder(kernel, machine, battery, limit);
      assert.equal(code, 0, stderr);
      found = JSON.parse(stdout) as Finding;
    });

    /** The sum of a metric's series, of all of them or of those with these attributes. */
    function sum(name: string, of: Readonly<Record<string, unknown>> = {}): number {
      const matching = found.series
        .filter((s) => s.name === name)
        .filter((s) => Object.entries(of).every(([key, value]) => s.attributes[key] === value));
      assert.ok(matching.length > 0, `no series of ${name} with ${JSON.stringify(of)}`);
      return matching.reduce((all, { value }) => all + value, 0);
    }

    it(`runs every plugin; missing: ${missing.join(", ") || "nothing"}`, () => {
      const { ok, plugins, correlation } = found.doctor;
      assert.ok(ok, JSON.stringify(plugins.filter(({ state }) => state !== "running")));
      assert.deepEqual(plugins.map(({ name }) => name).sort(), ["connections", ...installedPlugins()].sort());
      const unwatched = [...plugins, correlation!].flatMap(({ name, hooks }) =>
        hooks.filter(({ at }) => !at).map(({ thing }) => `${name}: ${thing}`),
      );
      assert.deepEqual(unwatched, missing);
      assert.equal(found.agent.code, 0, found.agent.stderr.join("\n"));
    });

    it("reports every end, attempt and accept once, with the bytes that the programs counted", () => {
      assert.deepEqual(countNames(found.spans), {
        "tcp connection": 2 * connections + golden.refused.count,
        "tcp connect": attempts,
        "tcp accept": connections,
      });
      const ends = found.spans.filter(({ name }) => name === "tcp connection").map(({ attributes: a }) => a);
      const key = (id: unknown, sent: unknown, received: unknown, pid: unknown) =>
        [id, sent, received, pid].join(" ");
      assert.deepEqual(
        ends
          .map((a) =>
            key(
              a["wirespan.connection.id"],
              a["wirespan.tcp.bytes_sent"],
              a["wirespan.tcp.bytes_received"],
              a["process.pid"],
            ),
          )
          .sort(),
        pick(found.lines, "end")
          .map((end) => key(end.cookie.toString(16), end.sent, end.received, end.pid))
          .sort(),
      );
    });

    it("joins both ends of each connection in one trace", () => {
      const accepted = new Set(found.spans.filter(({ name }) => name === "tcp accept").map((s) => s.traceId));
      assert.equal(accepted.size, connections);
      for (const traceId of accepted) {
        const names = found.spans.filter((span) => span.traceId === traceId).map(({ name }) => name);
        assert.deepEqual(names.sort(), ["tcp accept", "tcp connect", "tcp connection", "tcp connection"]);
      }
    });

    it("reports ten changes of state per connection, two per refusal, two per listener", () => {
      const { "wirespan.tcp.state.change": changes } = countNames(found.events);
      assert.equal(changes, 10 * connections + 2 * golden.refused.count + 2 * 2);
    });

    it("reports the listeners", () => {
      const names = countNames(found.events);
      assert.equal(names["wirespan.socket.listen"], 2);
      assert.equal(names["wirespan.socket.listener.end"], 2);
    });

    it("reports refused SYNs and those that a rule drops, by this kernel's names, and no orderly ends", () => {
      const drops = found.events.filter(({ name }) => name === "wirespan.tcp.packet.drop");
      const reasons = drops.map(
        ({ attributes: a }) => `${a["wirespan.packet.drop.reason"]} ${a["destination.port"]}`,
      );
      assert.deepEqual(reasons.sort(), [
        ...Array<string>(found.thrownAway).fill(`NETFILTER_DROP ${lost.port}`),
        ...Array<string>(golden.refused.count).fill(`NO_SOCKET ${golden.refused.port}`),
      ]);
      assert.equal(sum("wirespan.tcp.packet.dropped"), drops.length);
    });

    it("counts retransmissions as the kernel does", () => {
      const { "Tcp.RetransSegs": again = 0 } = found.counters;
      assert.ok(again > 0);
      assert.equal(sum("wirespan.tcp.retransmits"), again);
      const events = found.events.filter(({ name }) => name === "wirespan.tcp.retransmit");
      assert.equal(events.length, again);
      assert.equal(sum("wirespan.tcp.subnet.retransmits"), again);
    });

    it("counts bytes by owner, by subnet and in total, exactly", () => {
      for (const way of ["transmit", "receive"]) {
        const io = (name: string, of = {}) => sum(name, { "network.io.direction": way, ...of });
        assert.equal(io("wirespan.tcp.io"), bytes.v4 + bytes.v6);
        assert.equal(io("wirespan.tcp.process.io"), bytes.v4 + bytes.v6);
        assert.equal(io("wirespan.tcp.subnet.io", { "wirespan.subnet.name": "127.0.0.1/32" }), bytes.v4);
        assert.equal(io("wirespan.tcp.subnet.io", { "wirespan.subnet.name": "::/0" }), bytes.v6);
      }
    });

    it("counts attempts, latencies, accepts and lives", () => {
      assert.equal(sum("wirespan.tcp.connect.attempts"), attempts + 1);
      assert.equal(sum("wirespan.tcp.connect.attempts", { "error.type": "connection_refused" }), 2);
      assert.equal(sum("wirespan.tcp.connect.duration"), attempts + 1);
      assert.equal(sum("wirespan.tcp.connection.accepted"), connections);
      assert.equal(sum("wirespan.tcp.accept.duration"), connections);
      assert.equal(sum("wirespan.tcp.connection.duration"), attempts + connections + 1);
    });

    it("counts an interface's packets as the interface does", () => {
      for (const way of ["transmit", "receive"]) {
        const of = { "wirespan.netns.inode": found.netns, "network.io.direction": way };
        assert.equal(sum("wirespan.netdev.queue.packets", of), found.loopback.packets);
        // Loopback's own statistics exclude the link header.
        const bytes = found.loopback.bytes! + linkHeader * found.loopback.packets!;
        assert.equal(sum("wirespan.netdev.queue.io", of), bytes);
      }
    });

    it("times softirqs", () => {
      const received = { "wirespan.softirq.vector": "net_rx" };
      assert.ok(sum("wirespan.softirq.runs", received) > 0);
      assert.ok(sum("wirespan.softirq.duration", received) > 0);
    });

    it("receives data from every plugin, and loses nothing on the way", () => {
      const scopes = new Set([...found.events, ...found.series].map(({ scope }) => scope));
      const spanOnly = ["tcptracer"];
      for (const name of installedPlugins()) {
        assert.ok(spanOnly.includes(name) || scopes.has(`wirespan.${name}`), `nothing of ${name}`);
      }
      const kinds = found.series.filter(({ name }) => name === "wirespan.agent.events");
      const losses = kinds.filter(({ attributes: a, value }) => {
        return value > 0 && /^(lost|suppressed|overflow)/.test(String(a["wirespan.agent.event.kind"]));
      });
      assert.deepEqual(losses, []);
      assert.equal(
        sum("wirespan.agent.events", { "wirespan.agent.event.kind": "seen_spans" }),
        found.spans.length,
      );
    });

    const readsContexts = !missing.includes("correlation: contexts that are sent");
    it(`reads ${readsContexts ? "the trace contexts of 100 requests at both ends, and reports each retransmission in the right one" : "no trace contexts, and reports no retransmission in a request"}`, () => {
      const { asked, answered, again, spans, series } = found.requests;
      assert.equal(asked.length, 100);
      const read = (direction: string) =>
        series.find(
          ({ name, attributes: a }) =>
            name === "wirespan.correlate.contexts" &&
            a["wirespan.context.source"] === "header" &&
            a["network.io.direction"] === direction,
        )?.value;
      const contexts = readsContexts ? 100 : 0;
      assert.deepEqual([read("transmit"), read("receive")], [contexts, contexts]);
      const reported = spans.filter(({ name }) => name === "tcp retransmit");
      if (!readsContexts) {
        assert.deepEqual([reported, again.length >= 10], [[], true]);
        return;
      }
      const { exact, wrong, unseen, missing } = judge(again, [...asked, ...answered], reported);
      assert.deepEqual([wrong, unseen, missing], [[], [], []]);
      assert.ok(exact >= 10, `${exact} retransmissions in requests`);
    });

    it("reports everything that libbpf-tools report", function () {
      if (found.peers.length === 0) skip(this, "libbpf-tools are not installed");
      const ports = Object.values(golden).map(({ port }) => port);
      const ofGolden = new RegExp(`\\b(${ports.join("|")})\\b`);
      const expected: Partial<Record<Peer, number>> = {
        tcplife: 2 * connections + golden.refused.count,
        tcpconnect: attempts,
        tcpconnlat: attempts,
        tcptracer: 4 * connections,
        solisten: 2,
      };
      for (const { tool, lines } of found.peers) {
        const missed = expected[tool]! - lines.filter((line) => ofGolden.test(line)).length;
        assert.ok(missed >= 0 && missed <= missable, `${tool} misses ${missed} of ${expected[tool]}`);
      }
    });
  });
}
