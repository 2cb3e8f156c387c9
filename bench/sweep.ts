// What open connections cost: the sweeps of a collection, compared with ss, which reads netlink; and memory.
import { readFileSync } from "node:fs";
import { engineParts } from "../agent/engine-parts.ts";
import { load, selection } from "../cli/setup.ts";
import { installedPlugins } from "../core/engine/discover.ts";
import type { Engine } from "../core/engine/engine.ts";
import { parts } from "../core/engine/parts.ts";
import type { Netns } from "../test/support/netns.ts";
import { forget, log } from "./contenders.ts";
import { differences, type Figures, median, type Row } from "./figures.ts";
import * as storm from "./storm.ts";

/** As many as one process can hold with a hard limit of 20,000 files. */
const CONNECTIONS = 9000;
const SOCKETS = 2 * CONNECTIONS;

/** CPU microseconds of this process. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** Bytes in the kernel's allocated slab objects. */
function slabBytes(): number {
  return readFileSync("/proc/slabinfo", "utf8")
    .split("\n")
    .slice(2)
    .map((line) => line.split(/\s+/))
    .reduce((sum, [, active, , size]) => sum + (Number(active) || 0) * (Number(size) || 0), 0);
}

/** Bytes that the kernel allocates per socket of the held connections. */
async function bytesPerSocket(netns: Netns, meanwhile?: () => Promise<unknown>): Promise<number> {
  const before = slabBytes();
  await using held = await storm.hold(netns, CONNECTIONS);
  await meanwhile?.();
  const bytes = (slabBytes() - before) / SOCKETS;
  void held;
  return bytes;
}

async function watching(): Promise<Engine> {
  const { config, plugins } = await load(undefined, selection(installedPlugins(), "bench"));
  const engine = await engineParts({ config, plugins, log }).resolve(parts.engine);
  engine.run(forget);
  await engine.correlated();
  await engine.collect();
  return engine;
}

export async function sweepRows(netns: Netns, rounds: number): Promise<Row[]> {
  const alone: number[] = [];
  const collection: number[] = [];
  const ss: number[] = [];
  const plain: number[] = [];
  const watched: number[] = [];
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    plain.push(await bytesPerSocket(netns));
    const engine = await watching();
    try {
      const idle = await cpuOf(() => engine.collect());
      alone.push(idle / 1000);
      watched.push(
        await bytesPerSocket(netns, async () => {
          // The first collection creates the sockets' marks.
          await engine.collect();
          for (let turn = 0; turn < rounds; turn++) {
            collection.push(((await cpuOf(() => engine.collect())) - idle) / SOCKETS);
            const seconds = await netns.run(
              "bash",
              "-c",
              "TIMEFORMAT='%U %S'; { time ss -tin >/dev/null; } 2>&1",
            );
            ss.push((seconds.split(" ").reduce((sum, each) => sum + Number(each), 0) * 1e6) / SOCKETS);
          }
        }),
      );
    } finally {
      engine.close();
    }
  }
  const bytes: Figures = differences(watched, plain);
  const count = installedPlugins().length;
  return [
    {
      measure: `collection without connections, ${count} plugins, encoding and sending apart, CPU`,
      unit: "ms",
      ours: alone,
      peers: [],
      goal: "≤ 5",
      met: median(alone) <= 5,
    },
    {
      measure: `collection over ${SOCKETS / 1000}k idle sockets, ${count} plugins, CPU`,
      unit: "µs a socket",
      ours: collection,
      peers: [{ name: "ss -tin", figures: ss }],
      goal: "≤ 1.3",
      met: median(collection) <= 1.3,
    },
    {
      measure: `kernel memory of a watched socket, ${count} plugins, with the marks of a collection`,
      unit: "bytes",
      ours: bytes,
      peers: [],
      goal: "≤ 320",
      met: median(bytes) <= 320,
      note: `the socket itself ${median(plain).toFixed(0)}; 192 the kernel's head of its storage, 128 its row in tuples`,
    },
  ];
}
