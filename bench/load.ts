// CPU time to load each object, one after the other.
import { engineParts } from "../agent/engine-parts.ts";
import { load, selection } from "../cli/setup.ts";
import { installedPlugins } from "../core/engine/discover.ts";
import { parts } from "../core/engine/parts.ts";
import { native } from "../native/index.ts";
import { log } from "./contenders.ts";
import { median, type Row } from "./figures.ts";

/** Milliseconds by object, while an engine attaches. */
async function loads(): Promise<Map<string, number>> {
  const took = new Map<string, number>();
  const { load: loadNow } = native;
  let last: Promise<unknown> = Promise.resolve();
  native.load = (name, ...rest) => {
    const turn = last.then(async () => {
      const before = process.cpuUsage();
      const object = await loadNow.call(native, name, ...rest);
      const { user, system } = process.cpuUsage(before);
      took.set(name, (took.get(name) ?? 0) + (user + system) / 1000);
      return object;
    });
    last = turn.catch(() => {}); // the caller gets the error
    return turn;
  };
  try {
    const { config, plugins } = await load(undefined, selection(installedPlugins(), "bench"));
    const engine = await engineParts({ config, plugins, log }).resolve(parts.engine);
    engine.close();
  } finally {
    native.load = loadNow;
  }
  return took;
}

export async function loadRow(rounds: number): Promise<Row> {
  const figures = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++)
    for (const [name, ms] of await loads()) figures.set(name, [...(figures.get(name) ?? []), ms]);
  const ours = Array.from({ length: rounds }, (_, i) =>
    [...figures.values()].reduce((sum, each) => sum + (each[i] ?? 0), 0),
  );
  const each = [...figures]
    .map(([name, ms]) => [name, median(ms)] as const)
    .sort(([, a], [, b]) => b - a)
    .map(([name, ms]) => `${name} ${ms.toFixed(1)}`);
  return {
    measure: `loading ${figures.size} objects, CPU`,
    unit: "ms",
    ours,
    peers: [],
    goal: "≤ 120",
    met: median(ours) <= 120,
    note: each.join(", "),
  };
}
