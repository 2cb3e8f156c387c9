// The file: SQLite with a size limit. Tests: store/database.test.ts.
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { prepare, requireSchema, SCHEMA } from "./file.ts";

/** Retention classes: uneventful connections, notable ones, and what applications sent. */
export const CLASSES = ["calm", "notable", "application"] as const;
export type Class = (typeof CLASSES)[number];

/** Bytes. */
export const PAGE = 8192;

/** The level of sums and points that reaches back furthest. */
const COARSEST = 1;

/**
 * Fractions of the limit; the rest is for sums, points and the index. Unused space of a class is lent to the others.
 */
const SHARE: Readonly<Record<Class, number>> = { calm: 0.45, notable: 0.25, application: 0.1 };

/** Fraction that chunks leave free: some sizes fill their pages badly. */
const RESERVE = 0.04;

/** The fraction of all chunks together. */
const CHUNKS = CLASSES.reduce((sum, one) => sum + SHARE[one], 0);

/** Maximum bytes of a declaration or a finding that are read, since a file from elsewhere may have larger ones. */
export const LONGEST_TEXT = 65_536;

/** Maximum bytes of a value in a recording: more than any chunk, or window of sums, has. */
export const LONGEST_VALUE = 64 * 1024 ** 2;

/** Bytes of a chunk. */
const SIZE = "octet_length(data) + octet_length(ids) + octet_length(head)";

export const TABLES = `
CREATE TABLE IF NOT EXISTS meta (k TEXT PRIMARY KEY, v TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS resource (id INTEGER PRIMARY KEY, attributes TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS signal (id INTEGER PRIMARY KEY, declaration TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS metric (id INTEGER PRIMARY KEY, declaration TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS chunk (id INTEGER PRIMARY KEY, signal INTEGER NOT NULL, class TEXT NOT NULL, t0 REAL NOT NULL,
  t1 REAL NOT NULL, n INTEGER NOT NULL, one_in INTEGER NOT NULL, longest REAL NOT NULL, ids BLOB NOT NULL, head TEXT NOT NULL,
  data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS chunk_time ON chunk (signal, t1);
CREATE TABLE IF NOT EXISTS chunk_resource (chunk INTEGER NOT NULL, resource INTEGER NOT NULL, PRIMARY KEY (chunk, resource))
  WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS chunk_removed AFTER DELETE ON chunk
  BEGIN DELETE FROM chunk_resource WHERE chunk = old.id; END;
CREATE TABLE IF NOT EXISTS edge (id INTEGER PRIMARY KEY, edge TEXT NOT NULL UNIQUE, used REAL NOT NULL DEFAULT (unixepoch()));
CREATE TABLE IF NOT EXISTS sum (level INTEGER NOT NULL, t REAL NOT NULL, data BLOB NOT NULL, PRIMARY KEY (level, t)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, metric INTEGER NOT NULL, resource INTEGER NOT NULL,
  attributes TEXT NOT NULL, used REAL NOT NULL DEFAULT (unixepoch()), UNIQUE (metric, resource, attributes));
CREATE TABLE IF NOT EXISTS point (level INTEGER NOT NULL, t REAL NOT NULL, data BLOB NOT NULL, PRIMARY KEY (level, t)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finding (id INTEGER PRIMARY KEY, since REAL NOT NULL, until REAL, finding TEXT NOT NULL);
`;

/** The tables of texts that have a number, and their columns. */
const COLUMN = {
  resource: "attributes",
  signal: "declaration",
  metric: "declaration",
  edge: "edge",
} as const;
type Interning = keyof typeof COLUMN;

export interface StoredChunk {
  readonly id: number;
  readonly signal: number;
  readonly class: Class;
  /** Microseconds since the epoch, of the first and the last end. */
  readonly t0: number;
  readonly t1: number;
  readonly n: number;
  /** One in this many rows was stored. */
  readonly oneIn: number;
  /** The longest duration, nanoseconds. */
  readonly longest: number;
  readonly ids: Uint8Array;
  readonly head: string;
  readonly data: Uint8Array;
}

type ChunkRows = Pick<StoredChunk, "class" | "n" | "oneIn" | "head" | "data">;

export class Database {
  readonly file: string;
  readonly bytes: number;
  /** Why an older file was moved aside. */
  readonly replaced: string | undefined;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #used: Record<Class, number> = { calm: 0, notable: 0, application: 0 };
  #evicted = 0;

  /**
   * Opens or creates the file, with a maximum size of `bytes`. Throws if it cannot be used. `readOnly`: a recording.
   */
  constructor(file: string, bytes: number, readOnly = false) {
    this.file = file;
    this.bytes = bytes;
    this.replaced = readOnly ? undefined : prepare(file);
    this.#db = new DatabaseSync(file, { readOnly, ...(readOnly && { limits: { length: LONGEST_VALUE } }) });
    if (readOnly) {
      requireSchema(this.#db);
      this.#db.exec("PRAGMA cache_size = -4000; PRAGMA temp_store = MEMORY;");
      return;
    }
    this.#db.exec(`PRAGMA page_size = ${PAGE}; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
      PRAGMA synchronous = OFF; PRAGMA cache_size = -1000; PRAGMA temp_store = MEMORY;
      PRAGMA journal_size_limit = 4194304; PRAGMA wal_autocheckpoint = 256;
      PRAGMA max_page_count = ${Math.floor(bytes / PAGE)};`);
    this.#db.exec(TABLES);
    this.setMeta("schema", SCHEMA);
    for (const { class: of, used } of this.all(`SELECT class, sum(${SIZE}) used FROM chunk GROUP BY class`))
      this.#used[of as Class] = Number(used);
  }

  meta(key: string): string | undefined {
    return this.get("SELECT v FROM meta WHERE k = ?", key)?.v as string | undefined;
  }

  setMeta(key: string, value: string): void {
    this.run("INSERT INTO meta VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v", key, value);
  }

  /** The number of a text in one of the tables that intern texts; a new text gets a new number. */
  intern(table: Interning, text: string): number {
    return (
      this.interned(table, text) ??
      Number(this.run(`INSERT INTO ${table} (${COLUMN[table]}) VALUES (?)`, text))
    );
  }

  interned(table: Interning, text: string): number | undefined {
    const known = this.get(`SELECT id FROM ${table} WHERE ${COLUMN[table]} = ?`, text);
    return known && Number(known.id);
  }

  /** Makes room by deleting the oldest chunks, and adds one. */
  addChunk(chunk: Omit<StoredChunk, "id">, resources: Iterable<number>): void {
    const size = chunk.data.length + chunk.ids.length + Buffer.byteLength(chunk.head);
    this.#makeRoom(chunk.class, size, CHUNKS * this.bytes);
    const { signal, t0, t1, n, oneIn, longest, ids, head, data } = chunk;
    const id = this.run(
      "INSERT INTO chunk (signal, class, t0, t1, n, one_in, longest, ids, head, data) VALUES (?,?,?,?,?,?,?,?,?,?)",
      ...[signal, chunk.class, t0, t1, n, oneIn, longest, ids, head, data],
    );
    for (const resource of resources) this.run("INSERT INTO chunk_resource VALUES (?, ?)", id, resource);
    this.#used[chunk.class] += size;
  }

  /** Deletes the oldest chunks until the compacted file is within its limit. */
  fit(): void {
    this.#makeRoom("calm", 0, this.bytes - this.#others());
  }

  /** Bytes of sums, points and names. */
  #others(): number {
    return this.bytes - this.#freeBytes() - this.#usedByAll();
  }

  /** Bytes within the limit that no page uses. */
  #freeBytes(): number {
    const pages = Number(this.get("PRAGMA page_count")?.page_count);
    const free = Number(this.get("PRAGMA freelist_count")?.freelist_count);
    return this.bytes - (pages - free) * PAGE;
  }

  /** Deletes the oldest tenth of the sums and points if they exceed their share. Returns whether it did. */
  boundSums(): boolean {
    if (this.#others() < 0.9 * (1 - CHUNKS) * this.bytes) return false;
    const all = "(SELECT t FROM sum UNION ALL SELECT t FROM point)";
    const { first, last } = this.get(`SELECT min(t) first, max(t) last FROM ${all}`) as {
      first: number;
      last: number;
    };
    // Whole minutes: both levels then refer to the same names.
    const until = Math.floor((first + Math.max(60, (last - first) / 10)) / 60) * 60;
    for (const table of ["sum", "point"]) this.run(`DELETE FROM ${table} WHERE t < ?`, until);
    return true;
  }

  /** Records that an edge or a series is in a window of sums or points at a time, seconds since the epoch. */
  use(table: "edge" | "series", id: number, seconds: number): void {
    this.run(`UPDATE ${table} SET used = ? WHERE id = ?`, seconds, id);
  }

  /** Removes edges, series and resources that nothing in the file refers to, except resources that may be named again. */
  removeUnused(resources: Iterable<number>): void {
    const removable = (table: string) => {
      // The last number must not be reused for another name.
      return `DELETE FROM ${table} WHERE id < (SELECT max(id) FROM ${table})`;
    };
    for (const [table, of] of [
      ["edge", "sum"],
      ["series", "point"],
    ] as const)
      this.run(`${removable(table)} AND used < (SELECT min(t) FROM ${of} WHERE level = ${COARSEST})`);
    this.run(
      `${removable("resource")}
        AND id NOT IN (SELECT value FROM json_each(?))
        AND id NOT IN (SELECT resource FROM chunk_resource)
        AND id NOT IN (SELECT resource FROM series)
        AND id NOT IN (SELECT edge ->> 'resource' FROM edge)`,
      JSON.stringify([...resources]),
    );
  }

  /** Whether there is no room within the limit, although there may be on the disk. */
  get isFull(): boolean {
    return Number(this.get("PRAGMA page_count")?.page_count) >= Math.floor(this.bytes / PAGE);
  }

  /** Deletes everything. */
  clear(): void {
    for (const table of [
      "chunk",
      "sum",
      "point",
      "finding",
      "edge",
      "series",
      "resource",
      "signal",
      "metric",
    ])
      this.#db.exec(`DELETE FROM ${table}`);
  }

  /** Windows of sums or points of a level that begin in [from, to), the oldest first; one at a time is in memory. */
  *windows(
    of: "sum" | "point",
    level: number,
    from: number,
    to: number,
  ): Generator<readonly [begin: number, data: Uint8Array]> {
    const begins = this.all(
      `SELECT t FROM ${of} WHERE level = ? AND t >= ? AND t < ? ORDER BY t`,
      level,
      from,
      to,
    );
    for (const { t } of begins) {
      const row = this.get(`SELECT data FROM ${of} WHERE level = ? AND t = ?`, level, Number(t));
      if (row) yield [Number(t), row.data as Uint8Array];
    }
  }

  /** Chunks of a signal that may contain what ended in the interval (microseconds), the newest first. */
  chunks(
    signal: number,
    from: number,
    to: number,
    of?: Class,
  ): { readonly id: number; readonly n: number }[] {
    const rows = this.all(
      `SELECT id, n FROM chunk WHERE signal = ? AND t1 >= ? AND t0 <= ? ${of ? `AND class = '${of}'` : ""} ORDER BY t1 DESC`,
      ...[signal, from, to],
    );
    return rows.map(({ id, n }) => ({ id: Number(id), n: Number(n) }));
  }

  /** Undefined if it was replaced with newer ones. */
  chunk(id: number): ChunkRows | undefined {
    const row = this.get("SELECT class, n, one_in AS oneIn, head, data FROM chunk WHERE id = ?", id);
    return row as unknown as ChunkRows | undefined;
  }

  /** Chunks of a signal that may contain a trace. */
  chunksOfTrace(signal: number, may: (ids: Uint8Array) => boolean): number[] {
    return this.all("SELECT id, ids FROM chunk WHERE signal = ? ORDER BY t1 DESC", signal)
      .filter(({ ids }) => may(ids as Uint8Array))
      .map(({ id }) => Number(id));
  }

  /** Bytes, rows and the oldest end (microseconds) of each class. */
  kept(): Readonly<Record<Class, { bytes: number; from: number | undefined; rows: number }>> {
    const of = (one: Class) => {
      const row = this.get("SELECT min(t0) t, sum(n) n FROM chunk WHERE class = ?", one);
      return {
        bytes: this.#used[one],
        from: (row?.t as number | null) ?? undefined,
        rows: Number(row?.n ?? 0),
      };
    };
    return { calm: of("calm"), notable: of("notable"), application: of("application") };
  }

  /** Chunks that were replaced with newer ones. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Calls `work` in a transaction; throws what it throws, with nothing written. */
  transaction(work: () => void): void {
    this.#db.exec("BEGIN");
    try {
      work();
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  run(sql: string, ...values: (string | number | Uint8Array | null)[]): number {
    return Number(this.#prepared(sql).run(...values).lastInsertRowid);
  }

  get(sql: string, ...values: (string | number)[]): Record<string, unknown> | undefined {
    return this.#prepared(sql).get(...values);
  }

  all(sql: string, ...values: (string | number)[]): Record<string, unknown>[] {
    return this.#prepared(sql).all(...values);
  }

  /** Returns free pages to the file system. */
  shrink(): void {
    this.#db.exec("PRAGMA incremental_vacuum(256)");
  }

  /** Rewrites the file without what was deleted. It is not copied to memory meanwhile. */
  compact(): void {
    this.#db.exec(
      "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA temp_store = FILE; VACUUM; PRAGMA journal_mode = DELETE;",
    );
  }

  close(): void {
    this.#db.close();
  }

  #usedByAll(): number {
    return CLASSES.reduce((sum, one) => sum + this.#used[one], 0);
  }

  /**
   * Deletes the oldest chunks of the class that exceeds its share most, until `more` bytes of a class fit into
   * `limit`.
   */
  #makeRoom(of: Class, more: number, limit: number): void {
    const excess = (one: Class) => (this.#used[one] + (one === of ? more : 0)) / SHARE[one];
    const isTight = () => this.#usedByAll() + more > limit || this.#freeBytes() - more < RESERVE * this.bytes;
    while (isTight()) {
      const first = CLASSES.toSorted((a, b) => excess(b) - excess(a)).find((one) => this.#evict(one));
      if (first === undefined) return;
    }
  }

  /** Deletes what was written first: a wrong clock, or an application, may have given it any time. */
  #evict(of: Class): boolean {
    const oldest = this.get(`SELECT id, ${SIZE} size FROM chunk WHERE class = ? ORDER BY id LIMIT 1`, of);
    if (oldest === undefined) return false;
    this.run("DELETE FROM chunk WHERE id = ?", Number(oldest.id));
    this.#used[of] -= Number(oldest.size);
    this.#evicted++;
    return true;
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
