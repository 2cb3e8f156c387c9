// Spans to OTLP, as bench/otlp-encode.ts measures them in a process of its own.
import { join } from "node:path";
import { output } from "../test/netns.ts";
import { differences, type Figures, median, type Row } from "./figures.ts";

export async function encodeRows(quick: boolean): Promise<Row[]> {
  const path = join(import.meta.dirname, "otlp-encode.ts");
  const said = await output(process.execPath, [path, "--json", ...(quick ? ["--quick"] : [])]);
  const figures = new Map(Object.entries(JSON.parse(said) as Record<string, Figures>));
  const of = (start: string) => {
    const [, found] = [...figures].find(([name]) => name.startsWith(start)) ?? [];
    if (!found) throw new Error(`bench/otlp-encode.ts has no "${start}"`);
    return found;
  };
  const made = of("making the span objects");
  const row = (measure: string, ours: Figures, peer: string, most: number): Row => ({
    measure,
    unit: "µs CPU",
    ours,
    peers: [{ name: peer, figures: differences(of(peer), made) }],
    goal: `≤ ${most}`,
    met: median(ours) <= most,
    note: "net of making the objects",
  });
  const toWire = differences(of("ours: over gRPC, compression none"), made);
  return [
    row(
      "span of 20 attributes to OTLP bytes",
      of("ours: to bytes, spans made beforehand"),
      "SDK: serializer",
      1,
    ),
    row("the same to the wire, closed loop", toWire, "SDK: tracer", 2),
  ];
}
