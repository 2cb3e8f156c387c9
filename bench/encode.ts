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
  const net = (name: string) => ({ name, figures: differences(of(name), made) });
  // Net of its own making of attributes; absent where there is no Go.
  const goes = [...figures].filter(([name]) => name.startsWith("Go SDK"));
  const go = goes.map(([, taken]) => ({ name: "Go SDK", figures: taken }));
  const row = (measure: string, ours: Figures, peers: Row["peers"], most: number): Row => ({
    measure,
    unit: "µs CPU",
    ours,
    peers,
    goal: `≤ ${most}`,
    met: median(ours) <= most,
    note: "net of making the objects",
  });
  const toWire = differences(of("ours: over gRPC, compression none"), made);
  return [
    row(
      "span of 20 attributes to OTLP bytes",
      of("ours: to bytes, spans made beforehand"),
      [net("SDK: serializer")],
      1,
    ),
    row("the same to the wire, closed loop", toWire, [net("SDK: tracer"), ...go], 2),
  ];
}
