// Everything stored about one trace, and about one connection. Tests: store/query/queries.test.ts.
import { ID, IDS, LINK, type Rows } from "../../exporters/local/columns.ts";
import type { TraceRow } from "../answers.ts";
import { mayHold, Workspace } from "../chunk.ts";
import type { Database } from "../database.ts";
import { unhex } from "../hex.ts";
import type { Ingest } from "../ingest.ts";
import { parseFilter } from "./filter.ts";
import type { Resources } from "./resources.ts";
import type { Progress, Scan } from "./scan.ts";
import { traceRow } from "./trace-row.ts";

/** Maximum spans of one trace. */
const MOST = 2000;

/** Undefined: the id is invalid. The earliest first. */
export function traceOf(
  db: Database,
  ingest: Ingest,
  resources: Resources,
  id: string,
): TraceRow[] | undefined {
  const wanted = unhex(id, 16);
  if (wanted === undefined) return undefined;
  const found: TraceRow[] = [];
  const workspace = new Workspace();
  for (const signal of ingest.signals) {
    const take = (rows: Rows) => {
      let linksAt = 0;
      for (let i = 0; i < rows.n; i++) {
        if (found.length < MOST && isAt(rows.ids, i * IDS, wanted))
          found.push(traceRow(signal, rows, i, linksAt, resources));
        linksAt += rows.linkCount[i]! * LINK;
      }
    };
    for (const open of ingest.openChunks) if (open.signal === signal) take(open.rows);
    for (const chunkId of db.chunksOfTrace(signal.id, (ids) => mayHold(ids, wanted))) {
      const chunk = signal.chunk(db, chunkId, workspace);
      if (chunk) take(chunk.rows);
      workspace.clear();
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

const NO_TRACE = new Uint8Array(16);

/**
 * What happened to connections before they had a trace, such as a retransmitted SYN: by the connection's id, and by a
 * packet's addresses. `rows`: of the trace.
 */
export async function eventsBefore(
  scan: Scan,
  rows: readonly TraceRow[],
  progress: Progress,
): Promise<TraceRow[]> {
  const ends = rows.filter(({ name }) => name === "tcp connect" || name === "tcp accept");
  const found: TraceRow[] = [];
  if (ends.length === 0) return found;
  const ids = new Set(ends.map(({ attributes }) => attributes[ID]));
  const ways = new Set(
    ends.flatMap(({ attributes: a }) => {
      const local = `${a["network.local.address"]} ${a["network.local.port"]}`;
      const peer = `${a["network.peer.address"]} ${a["network.peer.port"]}`;
      return [`${local} ${peer}`, `${peer} ${local}`];
    }),
  );
  const interval = {
    from: Math.min(...ends.map(({ start }) => start)) * 1e6,
    to: Math.max(...ends.map(({ start, duration = 0 }) => start + duration)) * 1e6,
  };
  const names = scan.signals.flatMap(({ declaration: { signal, name } }) =>
    signal === "event" ? [name] : [],
  );
  await scan.rows(names, interval, parseFilter(""), progress, ({ signal, rows: all }, i) => {
    if (found.length >= MOST || !isAt(all.ids, i * IDS, NO_TRACE)) return;
    const end = (side: string) =>
      `${signal.text(all, i, `${side}.address`)} ${signal.number(all, i, `${side}.port`)}`;
    const way = `${end("source")} ${end("destination")}`;
    if (ids.has(signal.text(all, i, ID)) || ways.has(way))
      found.push(traceRow(signal, all, i, 0, scan.resources));
  });
  return found;
}

function isAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}
