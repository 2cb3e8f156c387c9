// What each context costs an application with @wirespan/correlate.
import type { Socket } from "node:net";
import { label } from "../correlate/node/src/label.js";
import { slotOf, takeOver, write } from "../correlate/node/src/table.js";
import { type Figures, median, type Row } from "./figures.ts";

const TIMES = 500_000;
/** Connections that are used in turn. */
const SOCKETS = 64;
/** The goal: a context costs at most as much as this many copies of its text into a buffer. */
const GATE = 4;

const texts = Array.from({ length: 16 }, (_, i) => {
  return `00-0af7651916cd43dd8448eb211c8031${(i + 16).toString(16)}-b7ad6b7169203331-01`;
});

/** Rows for the record alone and for the whole call, in nanoseconds, compared with copying the text into a buffer. */
export function correlateNodeRows(rounds: number): Row[] {
  const buffer = Buffer.alloc(64) as Buffer & {
    latin1Write(text: string, at: number, length: number): number;
  };
  const key = { localPort: 0, remotePort: 443, localAddress: "10.0.0.1", remoteAddress: "10.0.0.2" };
  const keys = Array.from({ length: SOCKETS }, (_, i) => ({ ...key, localPort: 20_000 + i }));
  const slots = keys.map(({ localPort, remotePort }) => slotOf(localPort, remotePort));
  keys.forEach((each, i) => {
    takeOver(slots[i]!, each);
  });
  const sockets = keys.map(
    (each) => ({ ...each, connecting: false, _handle: {}, once() {} }) as unknown as Socket,
  );

  const copies: number[] = [];
  const records: number[] = [];
  const calls: number[] = [];
  const take = () => {
    copies.push(each((i) => buffer.latin1Write(texts[i & 15]!, 0, 55)));
    records.push(each((i) => write(slots[i & 63]!, texts[i & 15]!)));
    calls.push(each((i) => label(sockets[i & 63]!, texts[i & 15]!)));
  };
  take(); // so that the code is compiled
  for (const figures of [copies, records, calls]) figures.length = 0;
  for (let round = 0; round < rounds; round++) take();

  const floor = { name: "latin1Write", figures: copies };
  return [
    row("a context written to the table by @wirespan/correlate", records, floor),
    row("a context written for a socket by @wirespan/correlate", calls, floor),
  ];
}

function row(measure: string, ours: Figures, floor: NonNullable<Row["floor"]>): Row {
  const met = median(ours) <= GATE * median(floor.figures);
  return { measure, unit: "ns", ours, floor, peers: [], goal: `≤ ${GATE} × floor`, met };
}

function each(work: (i: number) => void): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < TIMES; i++) work(i);
  return Number(process.hrtime.bigint() - start) / TIMES;
}
