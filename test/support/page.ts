// Building blocks for tests of the store: declared signals, rows of connections, a store in this process.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spansWith } from "../../core/plugin/connection.ts";
import type { AnyAttributes, EventSpec, SpanSpec } from "../../core/plugin/signals.ts";
import { type Declaration, KINDS, RowBuilder } from "../../exporters/local/columns.ts";
import { columnsOf, encodeFrame, FrameReader, type Head } from "../../exporters/local/frame.ts";
import tcpaccept from "../../plugins/tcpaccept/index.ts";
import tcpconnlat from "../../plugins/tcpconnlat/index.ts";
import tcplife from "../../plugins/tcplife/index.ts";
import { signals as retransmissions } from "../../plugins/tcpretrans/signals.ts";
import { Copier } from "../../store/copier.ts";
import { Database } from "../../store/database.ts";
import type { Store } from "../../store/http/api.ts";
import { Ingest } from "../../store/ingest.ts";
import { Resources } from "../../store/query/resources.ts";
import { Scan } from "../../store/query/scan.ts";

export function declarationOf(spec: SpanSpec | EventSpec): Declaration {
  const { signal, name, description, attributes } = spec;
  return { signal, name, description, attributes, scope: "wirespan.connections" };
}

const { connection, connect, accept } = spansWith(
  [tcplife, tcpaccept, tcpconnlat].map(({ spans = {} }) => spans),
);
export const CONNECTION = declarationOf(connection);
export const CONNECT = declarationOf(connect);
export const ACCEPT = declarationOf(accept);
export const RETRANSMIT = declarationOf(retransmissions.retransmit);

/** A span's row; times in seconds. */
export interface Made {
  readonly start: number;
  readonly duration: number;
  readonly trace: number;
  readonly service?: string;
  readonly error?: string;
  readonly attributes: AnyAttributes;
}

/** A trace id with `number` in its last four bytes, and a different value in its first two. */
export function traceId(number: number): Uint8Array {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(12, number);
  new DataView(id.buffer).setUint16(0, (number * 40503) & 0xffff);
  return id;
}

/** Attributes of an outbound connection to 10.0.0.`peer`:5432. */
export function outbound(peer: number, more: AnyAttributes = {}): AnyAttributes {
  return {
    "network.transport": "tcp",
    "network.local.address": "10.0.9.9",
    "network.local.port": 40_000,
    "network.peer.address": `10.0.0.${peer}`,
    "network.peer.port": 5432,
    "wirespan.connection.direction": "outbound",
    "wirespan.connection.id": "1",
    ...more,
  };
}

/** A store whose frames are created here. */
export class TestStore implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "wirespan-store-"));
  readonly file = join(this.folder, "viewer.db");
  readonly db: Database;
  readonly ingest: Ingest;
  readonly store: Store;
  readonly #reader = new FrameReader();
  readonly #ids = new Map<unknown, number>();
  #seq = 0;
  #collected: number | undefined;
  /** Seconds between collections. */
  interval = 10;

  constructor({ bytes = 64 * 1024 ** 2, rate = 1e6, now = () => Date.now() / 1000 } = {}) {
    this.db = new Database(this.file, bytes);
    this.ingest = new Ingest(this.db, rate);
    const scan = new Scan(this.db, this.ingest, new Resources(this.db));
    this.store = {
      db: this.db,
      copier: () => new Copier(this.file, join(this.folder, "save"), true),
      ingest: this.ingest,
      scan,
      findings: { raised: [] },
      about: () => ({ host: "test" }),
      isRecording: false,
      now,
    };
  }

  /** Passes a frame to the store as the agent does, as bytes. */
  frame(head: Head, columns: readonly Uint8Array[] = [], now = Date.now()): void {
    for (const { head: read, body } of this.#reader.push(encodeFrame(head, columns)))
      if (read.type !== "token" && read.type !== "living") this.ingest.take(read, body, now);
  }

  spans(declaration: Declaration, made: readonly Made[], now = Date.now()): void {
    const signal = this.#declared(declaration, (id) => ({ type: "signal", id, declaration }));
    const rows = new RowBuilder(declaration.attributes, Math.max(1, made.length));
    for (const { start, duration, trace, service = "web", error, attributes } of made) {
      const resource = this.resource(service);
      const id = traceId(trace);
      rows.add(
        {
          traceId: id,
          spanId: Uint8Array.from(id.subarray(8), (byte, b) => (b === 0 ? signal : byte)),
          start: start * 1e6,
          duration: duration * 1e9,
          resource,
          kind: KINDS.indexOf("internal"),
          error,
        },
        attributes,
      );
    }
    const { n, words } = rows;
    const head: Head = { type: "rows", seq: ++this.#seq, signal, n, links: rows.linkBytes, words };
    this.frame(head, columnsOf(rows), now);
  }

  /** The values of a counter or gauge in one collection, by attributes as JSON. */
  metrics(
    time: number,
    name: string,
    instrument: "counter" | "gauge" | "updowncounter",
    values: Readonly<Record<string, number>>,
    service = "web",
  ): void {
    const spec = { signal: "metric", name, instrument, unit: "1", description: "", attributes: {} } as const;
    const metric = this.#declared(name, (id) => ({ type: "metric", id, scope: "wirespan.test", spec }));
    const points = Object.keys(values).map((attributes) => JSON.parse(attributes) as Record<string, unknown>);
    const head: Head = {
      type: "metrics",
      seq: ++this.#seq,
      time: time * 1e6,
      seconds: this.#since(time),
      metrics: [{ metric, resource: this.resource(service), points }],
    };
    this.frame(head, [new Uint8Array(Float64Array.from(Object.values(values)).buffer)]);
  }

  /** The growth of a histogram of scale 3: `counts` begins at bucket `offset`. */
  histogram(
    time: number,
    name: string,
    attributes: Readonly<Record<string, string | number>>,
    { offset, counts }: { readonly offset: number; readonly counts: readonly number[] },
    service = "web",
  ): void {
    const what = { signal: "metric", name, instrument: "histogram" } as const;
    const spec = { ...what, unit: "s", description: "", attributes: {} };
    const metric = this.#declared(name, (id) => ({ type: "metric", id, scope: "wirespan.test", spec }));
    const head: Head = {
      type: "metrics",
      seq: ++this.#seq,
      time: time * 1e6,
      seconds: this.#since(time),
      metrics: [{ metric, resource: this.resource(service), points: [attributes] }],
    };
    const count = counts.reduce((sum, n) => sum + n, 0);
    const numbers = [count, 0, 3, 0, offset, counts.length, ...counts];
    this.frame(head, [new Uint8Array(Float64Array.from(numbers).buffer)]);
  }

  resource(service: string): number {
    return this.#declared(`resource ${service}`, (id) => ({
      type: "resource",
      id,
      attributes: { "service.name": service },
    }));
  }

  [Symbol.dispose](): void {
    this.db.close();
    rmSync(this.folder, { recursive: true });
  }

  /** Values with the same time are one collection. */
  #since(time: number): number {
    const seconds = time === this.#collected ? 0 : this.interval;
    this.#collected = time;
    return seconds;
  }

  #declared(what: unknown, declare: (id: number) => Head): number {
    let id = this.#ids.get(what);
    if (id === undefined) {
      id = this.#ids.size + 1;
      this.#ids.set(what, id);
      this.frame(declare(id));
    }
    return id;
  }
}
