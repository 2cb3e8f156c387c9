// Nanoseconds per run in the kernel, from its own run statistics.
import { installedPlugins } from "../core/engine/discover.ts";
import { native } from "../native/index.ts";
import type { Netns } from "../test/support/netns.ts";
import { addresses, pair } from "../test/support/topology.ts";
import { bpftrace, type Contender, empty, libbpfTool, ours, type Runs } from "./contenders.ts";
import { differences, type Figures, median, type Row, ratios } from "./figures.ts";
import * as storm from "./storm.ts";

/** The installed plugins that follow connections. */
export const CONNECTION_PLUGINS = [
  "tcplife",
  "tcpconnlat",
  "tcpaccept",
  "tcpconnect",
  "tcpstates",
  "tcptracer",
].filter((name) => installedPlugins().includes(name));

/** Nanoseconds for one run of every program on the hooks. */
function perRun(before: readonly Runs[], after: readonly Runs[], hooks: readonly string[]): number {
  let sum = 0;
  for (const [i, { hook, count, ns }] of after.entries()) {
    const runs = count - before[i]!.count;
    if (runs > 0 && (hook === "" || hooks.includes(hook))) sum += (ns - before[i]!.ns) / runs;
  }
  if (sum === 0) throw new Error("its programs did not run");
  return sum;
}

/** The load while programs are attached. */
type Load = () => Promise<unknown>;

/** Each contender's figures for each load, measured in turn; the first run of each only warms up. */
async function takeTurns(
  contenders: readonly Contender[],
  hooks: readonly string[],
  rounds: number,
  ...loads: readonly Load[]
): Promise<Map<string, number[]>[]> {
  const figures = loads.map(() => new Map<string, number[]>(contenders.map(({ name }) => [name, []])));
  const statistics = native.enableStats();
  try {
    for (let round = 0; round < rounds; round++) {
      for (const contender of contenders) {
        const watching = await contender.start();
        await loads[0]!();
        for (const [i, load] of loads.entries()) {
          const before = watching.runs();
          await load();
          figures[i]!.get(contender.name)!.push(perRun(before, watching.runs(), hooks));
        }
        await watching.stop();
      }
    }
  } finally {
    statistics.close();
  }
  return figures;
}

const below = (figures: Figures, most: number) => median(figures) <= most;

const OPENED = 4000;

/** The goals of a row of state changes, as ratios. */
interface StateGoals {
  readonly empty: number;
  readonly libbpf: number;
  readonly bpftrace: number;
}

export async function stateRows(netns: Netns, rounds: number): Promise<Row[]> {
  const floor = empty("empty_state");
  const [one, all] = [ours("tcplife", ["tcplife"]), ours("all", CONNECTION_PLUGINS)];
  const tcplife = libbpfTool("tcplife");
  const script = bpftrace("tcplife.bt");
  const peers = [tcplife, script].filter((peer) => peer !== undefined);
  const hooks = ["tp_btf/inet_sock_set_state"];
  const contenders = [floor, one, all, ...peers];
  let held: AsyncDisposable | undefined;
  const open = async () => {
    held = await storm.hold(netns, OPENED);
  };
  const close = async () => held?.[Symbol.asyncDispose]();
  const both = () => storm.connections(netns, 300);
  const [whole, opening, closing] = await takeTurns(contenders, hooks, rounds, both, open, close);
  const row = (measure: string, contender: Contender, of: Map<string, number[]>, goals?: StateGoals): Row => {
    const [own, least] = [of.get(contender.name)!, of.get(floor.name)!];
    const isBelow = (peer: Contender | undefined, most: number) =>
      peer === undefined || below(ratios(own, of.get(peer.name)!), most);
    return {
      measure: `inet_sock_set_state, ${measure}`,
      unit: "ns a call",
      ours: own,
      floor: { name: floor.name, figures: least },
      peers: peers.map((peer) => ({ name: peer.name, figures: of.get(peer.name)! })),
      goal: goals ? `≤ ${goals.empty} × empty, ≤ ${goals.libbpf}, ≤ ${goals.bpftrace}` : "–",
      ...(goals &&
        peers.length === 2 && {
          met:
            below(ratios(own, least), goals.empty) &&
            isBelow(tcplife, goals.libbpf) &&
            isBelow(script, goals.bpftrace),
        }),
    };
  };
  const few = { empty: 6.5, libbpf: 0.35, bpftrace: 0.5 };
  const many = { empty: 9, libbpf: 0.5, bpftrace: 1 };
  const six = `${CONNECTION_PLUGINS.length} connection plugins`;
  // The peers wake their reader when a connection ends, which costs more or less depending on the machine. The first rows exclude that.
  return [
    row("connections that open, connections + tcplife", one, opening!, few),
    row(`connections that open, ${six}`, all, opening!, many),
    row("connections that close (peers wake their reader), connections + tcplife", one, closing!),
    row(`connections that close (peers wake their reader), ${six}`, all, closing!),
    row("whole connections, connections + tcplife", one, whole!, few),
    row(`whole connections, ${six}`, all, whole!, many),
  ];
}

export async function softirqRow(netns: Netns, rounds: number): Promise<Row> {
  const floor = empty("empty_entry", "empty_exit");
  const own = ours("softirqs", ["softirqs"]);
  const peer = libbpfTool("softirqs", "-d");
  const hooks = ["tp_btf/softirq_entry", "tp_btf/softirq_exit"];
  const contenders = [floor, own, ...(peer ? [peer] : [])];
  const load = () => storm.datagrams(netns, 50_000);
  const [figures] = await takeTurns(contenders, hooks, rounds, load);
  const net = (contender: Contender) => differences(figures!.get(contender.name)!, figures!.get(floor.name)!);
  return {
    measure: "softirqs, entry + exit, net of empty",
    unit: "ns",
    ours: net(own),
    peers: peer ? [{ name: peer.name, figures: net(peer) }] : [],
    goal: "≤ 110, ≤ libbpf-tools' softirqs",
    ...(peer && { met: below(net(own), 110) && median(net(own)) <= median(net(peer)) }),
    note: `empty ${median(figures!.get(floor.name)!).toFixed(0)} ns`,
  };
}

export async function packetRow(rounds: number): Promise<Row> {
  await using net = await pair();
  const floor = empty("empty_transmit", "empty_receive");
  const own = ours("netqtop", ["netqtop"]);
  const peer = bpftrace("netqtop.bt");
  const hooks = ["tp_btf/net_dev_start_xmit", "tp_btf/netif_receive_skb"];
  const contenders = [floor, own, ...(peer ? [peer] : [])];
  const load = () => storm.datagrams(net.a, 50_000, { address: addresses.b, server: net.b });
  const [figures] = await takeTurns(contenders, hooks, rounds, load);
  // On this link each packet is transmitted once and received once.
  const each = (contender: Contender) => figures!.get(contender.name)!.map((ns) => ns / hooks.length);
  const beyond = (contender: Contender) => differences(each(contender), each(floor));
  return {
    measure: "netqtop, net of empty",
    unit: "ns a packet",
    ours: beyond(own),
    peers: peer ? [{ name: peer.name, figures: beyond(peer) }] : [],
    goal: "≤ 15",
    met: below(beyond(own), 15),
    note: `empty ${median(each(floor)).toFixed(0)} ns`,
  };
}
