// What a sweep over living connections costs, beside ss, which reads them over netlink.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { engineParts } from "../agent/engine-parts.ts";
import { load, selection } from "../cli/setup.ts";
import { parts } from "../core/engine/parts.ts";
import { end, type Netns } from "../test/support/netns.ts";
import { forget, log } from "./contenders.ts";
import { type Figures, median, type Row } from "./figures.ts";
import * as storm from "./storm.ts";

/** As many as a hard limit of 20,000 files lets one process hold. */
const CONNECTIONS = 9000;
const SOCKETS = 2 * CONNECTIONS;

/** Microseconds a socket. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return ((performance.now() - start) * 1000) / SOCKETS;
}

export async function sweepRows(netns: Netns, rounds: number): Promise<Row[]> {
  const plugins = ["tcptop", "tcpsubnet"] as const;
  const { config, plugins: found } = await load(undefined, selection(plugins, "bench"));
  const engine = await engineParts({ config, plugins: found, log }).resolve(parts.engine);
  const held = netns.spawn(storm.program("hold"), [String(CONNECTIONS)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    engine.run(forget);
    const lines = createInterface({ input: held.stdout! });
    const [line] = await Promise.race([once(lines, "line"), once(held, "close")]);
    if (line !== "held") throw new Error("connections could not be held");
    await engine.collect();
    const figures = new Map<string, number[]>([...plugins, "ss"].map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const { plugin, loaded } of engine.runners) {
        const sweep = () => loaded.object.iterate("sweep", "conns");
        figures.get(plugin.name)!.push(await timed(sweep));
      }
      figures.get("ss")!.push(await timed(() => netns.run("sh", "-c", "ss -tin >/dev/null")));
    }
    const of = (name: string): Figures => figures.get(name)!;
    return plugins.map((name) => ({
      measure: `${name}, sweep of ${SOCKETS / 1000}k idle sockets`,
      unit: "µs a socket",
      ours: of(name),
      peers: [{ name: "ss -tin", figures: of("ss") }],
      goal: "≤ 1",
      met: median(of(name)) <= 1,
    }));
  } finally {
    engine.close();
    await end(held);
  }
}
