// What tracing adds to a loopback connection, as the application sees it.
import type { Netns } from "../test/support/netns.ts";
import { type Contender, empty, libbpfTool, nothing, ours } from "./contenders.ts";
import { differences, median, type Row } from "./figures.ts";
import { CONNECTION_PLUGINS } from "./kernel.ts";
import * as storm from "./storm.ts";

export async function connectionRow(netns: Netns, rounds: number): Promise<Row> {
  const peer = libbpfTool("tcplife");
  const own = ours("ours", CONNECTION_PLUGINS);
  const floor = empty("empty_state");
  const contenders = [nothing, floor, own, ...(peer ? [peer] : [])];
  const figures = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      const watching = await contender.start();
      figures.get(contender.name)!.push(await storm.connections(netns, 600));
      await watching.stop();
    }
  }
  const added = (contender: Contender) =>
    differences(figures.get(contender.name)!, figures.get(nothing.name)!);
  return {
    measure: `time added to one loopback connection, ${CONNECTION_PLUGINS.length} connection plugins`,
    unit: "µs",
    ours: added(own),
    floor: { name: floor.name, figures: added(floor) },
    peers: peer ? [{ name: peer.name, figures: added(peer) }] : [],
    goal: "≤ 6, ≤ 0.6 × libbpf-tools' tcplife",
    ...(peer && { met: median(added(own)) <= 6 && median(added(own)) <= 0.6 * median(added(peer)) }),
    note: `unwatched ${median(figures.get(nothing.name)!).toFixed(1)} µs`,
  };
}
