// Everything stored about one trace, and about one connection. Tests: store/query/queries.test.ts.
import { IDS, LINK, type Rows } from "../../exporters/local/columns.ts";
import type { TraceRow } from "../answers.ts";
import { decodeChunk, mayHold } from "../chunk.ts";
import type { Database } from "../database.ts";
import { unhex } from "../hex.ts";
import type { Ingest } from "../ingest.ts";
import type { Resources } from "./resources.ts";
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
      const chunk = db.chunk(chunkId);
      if (chunk) take(decodeChunk(signal.declaration.attributes, chunk.n, chunk.head, chunk.data));
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

function isAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}
