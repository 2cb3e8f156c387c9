// Individually stored rows, newest first: those in the file and those not written yet. Tests:
// store/query/queries.test.ts.
import { LINK, type Rows } from "../../exporters/local/columns.ts";
import type { TraceRow } from "../answers.ts";
import { Workspace } from "../chunk.ts";
import type { Class, Database } from "../database.ts";
import type { Ingest } from "../ingest.ts";
import type { Signal } from "../signal.ts";
import type { Filter, NumberField, Subject, TextField } from "./filter.ts";
import type { Resources } from "./resources.ts";
import { traceRow } from "./trace-row.ts";

/** Microseconds since the epoch: rows that ended in it. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

export interface Slice {
  readonly signal: Signal;
  readonly rows: Rows;
  readonly class: Class;
  readonly oneIn: number;
}

/** Milliseconds after which a scan yields to the event loop, and after which it ends with what it has. */
const TURN = 20;
export const DEADLINE = 500;

/** The progress of a query. */
export class Progress {
  scanned = 0;
  oneIn = 1;
  partial = false;
  readonly #deadline: number;
  #turn = performance.now() + TURN;

  /** `most`: milliseconds. */
  constructor(most = DEADLINE) {
    this.#deadline = performance.now() + most;
  }

  /** Yields to other work occasionally; false: there is no time left. */
  async goOn(rows: number, oneIn: number): Promise<boolean> {
    this.scanned += rows;
    this.oneIn = Math.max(this.oneIn, oneIn);
    const now = performance.now();
    if (now > this.#deadline) {
      this.partial = true;
      return false;
    }
    if (now > this.#turn) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#turn = performance.now() + TURN;
    }
    return true;
  }
}

export class Scan {
  readonly #db: Database;
  readonly #ingest: Ingest;
  readonly resources: Resources;
  /** Not in use. */
  #workspace: Workspace | undefined;

  constructor(db: Database, ingest: Ingest, resources: Resources) {
    this.#db = db;
    this.#ingest = ingest;
    this.resources = resources;
  }

  signal(name: string): Signal | undefined {
    return this.#ingest.signals.findLast((signal) => signal.name === name);
  }

  get signals(): readonly Signal[] {
    return this.#ingest.signals;
  }

  /**
   * The rows of signals that may have ended in the interval: the newest slices first. Those of a slice are valid until
   * the next one.
   */
  async *slices(
    names: readonly string[],
    { from, to }: Interval,
    progress: Progress,
    only?: Class,
  ): AsyncGenerator<Slice> {
    const workspace = this.#workspace ?? new Workspace();
    this.#workspace = undefined;
    try {
      yield* this.#slices(names, { from, to }, progress, only, workspace);
    } finally {
      workspace.clear();
      this.#workspace = workspace;
    }
  }

  async *#slices(
    names: readonly string[],
    { from, to }: Interval,
    progress: Progress,
    only: Class | undefined,
    workspace: Workspace,
  ): AsyncGenerator<Slice> {
    for (const signal of this.#ingest.signals) {
      if (!names.includes(signal.name)) continue;
      // Before the open rows, so that rows that are written in the meantime are not seen twice.
      const written = this.#db.chunks(signal.id, from, to, only);
      for (const { signal: of, class: is, rows, oneIn } of this.#ingest.openChunks) {
        if (of !== signal || rows.n === 0 || (only && is !== only)) continue;
        yield { signal, rows, class: is, oneIn };
        if (!(await progress.goOn(rows.n, oneIn))) return;
      }
      for (const { id } of written) {
        workspace.clear();
        const chunk = signal.chunk(this.#db, id, workspace);
        if (chunk === undefined) continue;
        yield { signal, ...chunk };
        if (!(await progress.goOn(chunk.rows.n, chunk.oneIn))) return;
      }
    }
  }

  /** All stored rows of a signal, in parts of at most `most` rows. */
  async *all(signal: Signal, most: number): AsyncGenerator<TraceRow[]> {
    const everything = { from: 0, to: Number.MAX_SAFE_INTEGER };
    let part: TraceRow[] = [];
    for await (const { signal: of, rows } of this.slices(
      [signal.name],
      everything,
      new Progress(Number.POSITIVE_INFINITY),
    )) {
      if (of !== signal) continue;
      let linksAt = 0;
      for (let i = 0; i < rows.n; i++) {
        part.push(traceRow(of, rows, i, linksAt, this.resources));
        linksAt += rows.linkCount[i]! * LINK;
        if (part.length < most) continue;
        yield part;
        part = [];
      }
    }
    if (part.length > 0) yield part;
  }

  /** Calls `each` for every row that ended in the interval and that the filter matches. */
  async rows(
    names: readonly string[],
    interval: Interval,
    filter: Filter,
    progress: Progress,
    each: (slice: Slice, row: number) => void,
  ): Promise<void> {
    for await (const slice of this.slices(names, interval, progress))
      for (const row of this.matching(slice, interval, filter)) each(slice, row);
  }

  /** The rows of a slice that ended in the interval and that the filter matches. */
  *matching(slice: Slice, interval: Interval, filter: Filter): Generator<number> {
    const subject = new RowSubject(slice, this.resources);
    const { start, duration, n } = slice.rows;
    for (let i = 0; i < n; i++) {
      const end = start[i]! + Math.max(0, duration[i]!) / 1000;
      if (end < interval.from || end > interval.to) continue;
      subject.row = i;
      if (filter.matches(subject)) yield i;
    }
  }
}

const NUMBERS: Readonly<Record<Exclude<NumberField, "connect" | "life">, string>> = {
  queue: "wirespan.tcp.accept.queue_wait",
  rtt: "wirespan.tcp.rtt.smoothed",
  sent: "wirespan.tcp.bytes_sent",
  received: "wirespan.tcp.bytes_received",
  retransmits: "wirespan.tcp.retransmits",
};

/** A row as a filter sees it. */
export class RowSubject implements Subject {
  row = 0;
  readonly #slice: Slice;
  readonly #resources: Resources;

  constructor(slice: Slice, resources: Resources) {
    this.#slice = slice;
    this.#resources = resources;
  }

  text(field: TextField): string | undefined {
    const { signal, rows } = this.#slice;
    const i = this.row;
    const whole = (key: string) => {
      const value = signal.number(rows, i, key);
      return Number.isNaN(value) ? undefined : String(value);
    };
    return textOf(field, rows.resource[i]!, this.#resources, (key) => signal.text(rows, i, key), whole);
  }

  number(field: NumberField): number | undefined {
    const { signal, rows } = this.#slice;
    const i = this.row;
    if (field === "connect") return signal.name === "tcp connect" ? rows.duration[i]! / 1e9 : undefined;
    if (field === "life") return signal.name === "tcp connection" ? rows.duration[i]! / 1e9 : undefined;
    const value = signal.number(rows, i, NUMBERS[field]);
    return Number.isNaN(value) ? undefined : value;
  }
}

/** A field of a connection. `text`, `whole`: its text attributes, and its numeric ones. */
export function textOf(
  field: TextField,
  resource: number,
  resources: Resources,
  text: (key: string) => string | undefined,
  whole: (key: string) => string | undefined,
): string | undefined {
  switch (field) {
    case "service":
      return resources.service(resource);
    case "container":
      return resources.container(resource);
    case "process":
      return text("process.executable.name") ?? text("thread.name");
    case "pid":
      return whole("process.pid");
    case "uid":
      return whole("wirespan.process.uid");
    case "peer":
      return text("network.peer.address");
    case "port":
      return whole(
        text("wirespan.connection.direction") === "inbound" ? "network.local.port" : "network.peer.port",
      );
    case "netns":
      return text("wirespan.netns.name") ?? whole("wirespan.netns.inode");
    case "direction":
      return text("wirespan.connection.direction");
    case "cause":
      return text("error.type");
    case "ended":
      return text("wirespan.tcp.close.reason");
  }
}
