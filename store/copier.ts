// Copies a part of a store's file into another file, in small steps between which other work goes on. Tests:
// store/recording.test.ts, exporters/local/local-exporter.test.ts.
import { closeSync, constants, fstatSync, ftruncateSync, openSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { LONGEST_VALUE, PAGE, TABLES } from "./database.ts";

/** Seconds since the epoch. */
export interface Times {
  readonly from: number;
  readonly to: number;
}

/** Milliseconds after which a copy lets other work go on. */
const TURN = 10;

/** Rows of names in one step. */
const NAMES = 200;

/** The tables of names, which are copied as a whole. */
const NAMED = ["resource", "signal", "metric", "edge", "series", "finding"];

export class Copier {
  readonly #db: DatabaseSync;
  readonly #fd: number;

  /**
   * Opens both files for good: later the process may not be allowed to. Throws if `to` exists or cannot be written.
   * `isUnlinked`: `to` has no name from the beginning, so that it disappears with the process.
   */
  constructor(from: string, to: string, isUnlinked = false) {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    this.#fd = openSync(to, flags, 0o600);
    try {
      this.#db = new DatabaseSync(to, { limits: { length: LONGEST_VALUE } });
      this.#db.exec("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000");
      this.#db.prepare("ATTACH ? AS source").run(from);
      this.#db.exec("PRAGMA source.cache_size = -1000; SELECT 1 FROM source.meta");
    } catch (error) {
      closeSync(this.#fd);
      rmSync(to);
      throw error;
    }
    if (isUnlinked) rmSync(to);
  }

  /** What ended in a time, with the sums of that time, as one transaction sees it. Throws if the disk is full. */
  async copy({ from, to }: Times): Promise<{ readonly fd: number; readonly size: number }> {
    this.#db.exec(`PRAGMA page_size = ${PAGE}; PRAGMA auto_vacuum = INCREMENTAL; ${TABLES} BEGIN`);
    try {
      let turn = performance.now() + TURN;
      for (const step of this.#steps(from, to)) {
        step();
        if (performance.now() < turn) continue;
        await new Promise((resolve) => setImmediate(resolve));
        turn = performance.now() + TURN;
      }
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      this.clear();
      throw error;
    }
    return { fd: this.#fd, size: fstatSync(this.#fd).size };
  }

  /** Gives back the space of what was copied. */
  clear(): void {
    ftruncateSync(this.#fd, 0);
    this.#db.exec("PRAGMA shrink_memory");
  }

  [Symbol.dispose](): void {
    this.#db.close();
    closeSync(this.#fd);
  }

  /** Each is short. */
  *#steps(from: number, to: number): Generator<() => void> {
    yield () => this.#db.exec("INSERT INTO meta SELECT * FROM source.meta");
    for (const table of NAMED) {
      const ids = this.#rows(`SELECT id FROM source.${table} ORDER BY id`).map(({ id }) => id!);
      const copy = this.#db.prepare(
        `INSERT INTO ${table} SELECT * FROM source.${table} WHERE id BETWEEN ? AND ?`,
      );
      for (let i = 0; i < ids.length; i += NAMES)
        yield () => copy.run(ids[i]!, ids[Math.min(i + NAMES, ids.length) - 1]!);
    }
    for (const table of ["sum", "point"]) {
      const windows = this.#rows(
        `SELECT level, t FROM source.${table} WHERE t BETWEEN ? AND ?`,
        from - 60,
        to,
      );
      const copy = this.#db.prepare(
        `INSERT INTO ${table} SELECT * FROM source.${table} WHERE level = ? AND t = ?`,
      );
      for (const { level, t } of windows) yield () => copy.run(level!, t!);
    }
    const chunks = this.#rows(
      "SELECT id FROM source.chunk WHERE t1 >= ? AND t0 <= ? ORDER BY id",
      from * 1e6,
      to * 1e6,
    );
    const copies = [
      "INSERT INTO chunk SELECT * FROM source.chunk WHERE id = ?",
      "INSERT INTO chunk_resource SELECT * FROM source.chunk_resource WHERE chunk = ?",
    ].map((sql) => this.#db.prepare(sql));
    for (const { id } of chunks)
      yield () => {
        for (const copy of copies) copy.run(id!);
      };
  }

  #rows(sql: string, ...values: number[]): Record<string, number>[] {
    return this.#db.prepare(sql).all(...values) as Record<string, number>[];
  }
}
