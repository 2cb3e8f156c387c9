// What each plugin of the installed service reports about other services on its machine, and what the drop-in for
// names adds.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { allPackages } from "../../test/support/all-packages.ts";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { Machine } from "../../test/support/machine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { OtlpSink } from "../../test/support/otlp-sink.ts";
import { packageFile } from "../../test/support/packaged.ts";
import { eventsOf, seriesOf, spansOf, type Told, type ToldSpan } from "../../test/support/received.ts";
import { RootFs } from "../../test/support/rootfs.ts";
import { countUnseen } from "../../test/support/unseen.ts";
import { build, type Case } from "../../test/support/workload.ts";

const UNIT = "wirespan.service";
const DROP_IN = "/usr/share/doc/wirespan/examples/names.conf";
/** An address where nothing answers. */
const PEER = "10.213.7.2";

describe("the installed service", () => {
  let sink: OtlpSink;
  /** The network of the observed services. */
  let netns: Netns;
  let peer: Netns;
  let root: RootFs;
  let machine: Machine;

  before(async function () {
    needsRoot(this);
    await build();
    const folder = allPackages();
    sink = await OtlpSink.start("grpc");
    netns = await Netns.create();
    peer = await Netns.create();
    await join();
    root = await RootFs.create(this);
    machine = await Machine.boot(root.path, {
      network: "host",
      folders: {
        "/packages": folder,
        "/netns": dirname(netns.path),
        "/workload": `${import.meta.dirname}/../../test/workload/build`,
      },
    });
    await configure();
    await machine.run(
      "dpkg",
      "--force-confold",
      "--install",
      `/packages/${basename(packageFile(folder, "deb"))}`,
    );
  });
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    root?.[Symbol.dispose]();
    await peer?.[Symbol.asyncDispose]();
    await netns?.[Symbol.asyncDispose]();
    await sink?.[Symbol.asyncDispose]();
  });

  /** Connects both by interfaces that carry only what the services send. */
  async function join(): Promise<void> {
    for (const one of [netns, peer]) await one.sysctl({ "net.ipv6.conf.default.disable_ipv6": 1 });
    await netns.sysctl({ "net.ipv4.tcp_syn_linear_timeouts": 0 });
    await netns.ip("link", "add", "peer", "type", "veth", "peer", "name", "near", "netns", peer.name);
    await netns.ip("address", "add", "10.213.7.1/24", "dev", "peer");
    await peer.ip("address", "add", `${PEER}/24`, "dev", "near");
    await netns.ip("link", "set", "peer", "up");
    await peer.ip("link", "set", "near", "up");
    await peer.rule("input", "tcp dport 9103", "drop");
  }

  /** Written before the package is installed, as an administrator may do; dpkg keeps it. */
  async function configure(): Promise<void> {
    const config = `version: 1
filter: { include: { netns: ["${inodeOf(netns)}"] } }
metrics: { interval: 500ms }
exporters: { sink: { type: otlp_grpc, endpoint: "${sink.endpoint}" } }
`;
    await machine.run("mkdir", "/etc/wirespan");
    await machine.run("sh", "-c", 'printf %s "$0" >/etc/wirespan/wirespan.yaml', config);
  }

  /** Runs a case as a service with its own user, which sets its name as applications do. */
  const shop = (name: Case, ...options: readonly string[]) => {
    const properties = [
      ...["DynamicUser=yes", `NetworkNamespacePath=/netns/${netns.name}`],
      ...["Environment=OTEL_SERVICE_NAME=shop"],
    ];
    // Long enough for the agent to read it.
    return machine.service("till", properties, "/workload/load", name, "linger=500", ...options);
  };

  interface Reported {
    /** The sum over a metric's series with these attributes. */
    sum(name: string, of?: Readonly<Record<string, unknown>>): number;
    readonly spans: readonly ToldSpan[];
    readonly events: readonly Told[];
    /** The services that have spans. */
    readonly services: readonly unknown[];
    /** Packets of the interface to the peer, as it counted them. */
    readonly packets: number;
    /** Runs of NET_RX on this host while the service ran, and for a short time around that. */
    readonly netRx: number;
  }

  /** What the restarted service reports about three connections, two refusals and an attempt without an answer. */
  async function reported(): Promise<Reported> {
    sink.received.length = 0;
    const netRx = runsOfNetRx();
    await machine.run("systemctl", "restart", UNIT);
    const counted = countUnseen(async () => {
      const status = JSON.parse(await machine.run("wirespan", "status", "--json")) as { unseen: number };
      return status.unseen;
    });
    const packets = await transmitted();
    await shop("clientCloses", "count=3", "up=1000", "down=500");
    await shop("attempt", "port=9", "count=2");
    await shop("attempt", `address=${PEER}`, "port=9103", "synRetries=1");
    await netns.settled();
    const sent = (await transmitted()) - packets;
    await counted();
    await machine.run("systemctl", "stop", UNIT);
    assert.equal(await machine.property(UNIT, "ExecMainStatus"), "0", await machine.journal(UNIT));
    const series = seriesOf(sink.received);
    const services = sink.received.flatMap((each) =>
      each.signal !== "traces"
        ? []
        : each.decoded.resourceSpans.map(({ resource }) => resource.attributes["service.name"]),
    );
    return {
      sum: (name, of = {}) =>
        series
          .filter((one) => one.name === name)
          .filter(({ attributes }) => Object.entries(of).every(([key, value]) => attributes[key] === value))
          .reduce((total, { value }) => total + value, 0),
      spans: spansOf(sink.received),
      events: eventsOf(sink.received),
      services: [...new Set(services)],
      packets: sent,
      netRx: runsOfNetRx() - netRx,
    };
  }

  /** Packets that were sent on the interface to the peer. */
  async function transmitted(): Promise<number> {
    const [link] = JSON.parse(await netns.ip("-json", "-stats", "link", "show", "dev", "peer")) as [
      { stats64: { tx: { packets: number } } },
    ];
    return link.stats64.tx.packets;
  }

  /** Every plugin but those that observe accept(), compared with numbers from the workload. */
  function check({ sum, spans, events, packets, netRx }: Reported): void {
    const transmit = { "network.io.direction": "transmit" };
    const established = { "network.connection.state": "established" };
    const values = {
      tcpconnect: sum("wirespan.tcp.connect.attempts"),
      tcpconnlat: sum("wirespan.tcp.connect.duration"),
      tcpdrop: sum("wirespan.tcp.packet.dropped", { "wirespan.packet.drop.reason": "NO_SOCKET" }),
      tcplife: [sum("wirespan.tcp.connection.closed"), sum("wirespan.tcp.io", transmit)],
      tcpretrans: sum("wirespan.tcp.retransmits"),
      tcpstates: sum("wirespan.tcp.state.duration", established),
      tcpsubnet: sum("wirespan.tcp.subnet.io", transmit),
      tcptop: sum("wirespan.tcp.process.io", transmit),
      solisten: events.filter(({ name }) => name === "wirespan.socket.listen").length,
      netqtop: sum("wirespan.netdev.queue.packets", { ...transmit, "network.interface.name": "peer" }),
    };
    assert.deepEqual(values, {
      ...{ tcpconnect: 6, tcpconnlat: 6, tcpdrop: 2, tcplife: [9, 4500], tcpretrans: 1, tcpstates: 6 },
      ...{ tcpsubnet: 4500, tcptop: 4500, solisten: 1, netqtop: packets },
    });
    const runs = sum("wirespan.softirq.runs", { "wirespan.softirq.vector": "net_rx" });
    assert.ok(runs > 0 && runs <= netRx, `softirqs: ${runs} of ${netRx}`);
    const ends = spans.filter(({ name }) => name === "tcp connection");
    const traces = Map.groupBy(ends, ({ traceId }) => traceId);
    assert.deepEqual([...traces.values()].map(({ length }) => length).sort(), [1, 1, 1, 2, 2, 2]);
  }

  it("counts known traffic with every plugin, with the names of units", async () => {
    const values = await reported();
    check(values);
    assert.deepEqual(values.services, ["till"]);
  });

  it("has applications' own names and every hook, with the drop-in", async () => {
    await machine.run("install", "-D", "-m", "644", DROP_IN, `/etc/systemd/system/${UNIT}.d/names.conf`);
    await machine.run("systemctl", "daemon-reload");
    const values = await reported();
    check(values);
    assert.deepEqual(values.services, ["shop"]);
    assert.equal(values.sum("wirespan.tcp.connection.accepted"), 3, "tcpaccept");
    const connects = values.spans.filter(({ name }) => name === "tcp connect").map(({ traceId }) => traceId);
    const accepts = values.spans.filter(({ name }) => name === "tcp accept").map(({ traceId }) => traceId);
    assert.equal(accepts.length, 3, "tcptracer");
    assert.ok(accepts.every((id) => connects.includes(id)));
  });
});

/** Runs of the softirq on all CPUs since this host booted. */
function runsOfNetRx(): number {
  const [, counts = ""] = /^\s*NET_RX:(.*)$/m.exec(readFileSync("/proc/softirqs", "latin1")) ?? [];
  return counts
    .trim()
    .split(/\s+/)
    .reduce((sum, count) => sum + Number(count), 0);
}
