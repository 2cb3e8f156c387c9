// Checks whether a file is one of our databases, and moves others aside. Tests: store/database.test.ts.
import { closeSync, constants, existsSync, fstatSync, openSync, renameSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** SQLITE_FULL: the disk is, or the file has reached its limit. */
export const FULL = 13;

/** Version of the tables; a file with another version is moved aside. */
export const SCHEMA = "6";

/** Throws, with the reason, for a file that is not one of our databases. */
export function requireSchema(db: DatabaseSync): void {
  let schema: unknown;
  try {
    schema = db.prepare("SELECT v FROM meta WHERE k = 'schema'").get()?.v;
  } catch {
    throw new Error("it is not a recording of wirespan");
  }
  if (schema !== SCHEMA) throw new Error(`it is a recording of another version (${schema})`);
}

/** Checks an existing file, and creates one that only its owner can read. Returns why an existing one was moved aside. */
export function prepare(file: string): string | undefined {
  let why: string | undefined;
  if (existsSync(file)) {
    why = broken(file);
    if (why !== undefined) for (const end of ["", "-wal", "-shm"]) putAside(file, end);
  }
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  const { mode } = fstatSync(fd);
  closeSync(fd);
  if ((mode & 0o077) !== 0)
    throw new Error(`${file} can be read by others (mode ${(mode & 0o777).toString(8)}): chmod 600 it`);
  return why && `the viewer's file was ${why}; it is kept as ${file}.broken`;
}

function putAside(file: string, end: string): void {
  if (existsSync(file + end)) renameSync(file + end, `${file}.broken${end}`);
}

function broken(file: string): string | undefined {
  try {
    const db = new DatabaseSync(file);
    try {
      const check = db.prepare("PRAGMA quick_check(1)").get()?.quick_check;
      if (check !== "ok") return `damaged (${check})`;
      const tables = db.prepare("SELECT count(*) n FROM sqlite_master").get()?.n;
      if (tables === 0) return undefined;
      const schema = db.prepare("SELECT v FROM meta WHERE k = 'schema'").get()?.v;
      return schema === SCHEMA ? undefined : `of another version (${schema})`;
    } finally {
      db.close();
    }
  } catch (error) {
    return `not readable (${error instanceof Error ? error.message : error})`;
  }
}
