// The additional cost of a call to OpenSSL's SSL_write if requests are read there (correlate.tlsUprobe).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { engineParts } from "../agent/engine-parts.ts";
import { load, selection } from "../cli/setup.ts";
import { parts } from "../core/engine/parts.ts";
import { forget, log } from "./contenders.ts";
import { differences, median, type Row } from "./figures.ts";

async function reading(work: () => Promise<number>): Promise<number> {
  const flags = [...selection([], "bench"), { path: "correlate.tlsUprobe", value: "true", flag: "bench" }];
  const { config, plugins } = await load(undefined, flags);
  const engine = await engineParts({ config, plugins, log }).resolve(parts.engine);
  engine.run(forget);
  try {
    const { correlation, error } = await engine.correlated();
    if (!correlation) throw error;
    if (!correlation.tlsLibraries?.paths.length) throw new Error("no library is watched");
    return await work();
  } finally {
    engine.close();
  }
}

/** No rows if this machine's Python has no TLS. */
export async function tlsRows(rounds: number): Promise<Row[]> {
  const child = spawn("python3", [join(import.meta.dirname, "tls.py")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const measure = async () => {
    child.stdin.write("\n");
    return Number((await lines.next()).value);
  };
  const [ours, nothing]: [number[], number[]] = [[], []];
  try {
    await measure();
    for (let round = 0; round < rounds; round++) {
      nothing.push(await measure());
      ours.push(await reading(measure));
    }
  } finally {
    child.stdin.end();
    await once(child, "close");
  }
  return [
    {
      measure:
        "a request of 90 bytes is handed to OpenSSL, which is watched (correlate.tlsUprobe, off by default), CPU",
      unit: "ns",
      ours,
      floor: { name: "the same call, not watched", figures: nothing },
      peers: [],
      goal: "≤ 50,000 more",
      met: median(differences(ours, nothing)) <= 50_000,
    },
  ];
}
