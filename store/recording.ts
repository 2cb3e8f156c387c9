// A read-only file: what was stored by an agent, viewable later and on any host. Tests: store/recording.test.ts.
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { anonymise } from "./anonymise.ts";
import { Copier } from "./copier.ts";
import { Database, LONGEST_TEXT } from "./database.ts";
import { type Raised, urgency } from "./findings/findings.ts";
import type { Store } from "./http/api.ts";
import { Ingest } from "./ingest.ts";
import { Resources } from "./query/resources.ts";
import { Scan } from "./query/scan.ts";

/** Maximum bytes of an anonymised recording by default. */
const UNBOUNDED = 64 * 1024 ** 3;

/** The newest ones. Numbers and lengths are read first, because texts that are not shown may be as large as the file. */
const FINDINGS = `SELECT since, finding FROM finding WHERE id IN
  (SELECT id FROM finding WHERE octet_length(finding) <= ${LONGEST_TEXT} ORDER BY since DESC LIMIT 200) ORDER BY since DESC`;

/** Options of a recording. */
export interface RecordOptions {
  /** Maximum bytes. */
  readonly most?: number | undefined;
  /** Addresses and names are replaced. */
  readonly anonymise?: boolean | undefined;
}

/** Copies the database of a running agent, without what is older than `last` seconds. Throws if `to` exists. */
export async function record(
  from: string,
  to: string,
  last: number,
  { most, anonymise: hides }: RecordOptions = {},
): Promise<void> {
  const db = new Database(from, 0, true);
  const end = endOf(db);
  db.close();
  using copier = new Copier(from, to);
  await copier.copy({ from: end - last, to: Number.MAX_SAFE_INTEGER / 1e6 });
  if (most === undefined && !hides) return;
  const copy = new Database(to, most ?? UNBOUNDED);
  copy.fit();
  if (hides) anonymise(copy);
  copy.compact();
  copy.close();
}

/** Seconds since the epoch; not from applications' spans, which may have any time. */
function endOf(db: Database): number {
  const chunk = Number(db.get("SELECT max(t1) t FROM chunk WHERE class <> 'application'")?.t ?? 0) / 1e6;
  const point = Number(db.get("SELECT max(t) t FROM point WHERE level = 0")?.t ?? 0) + 10;
  return Math.max(chunk, point);
}

/** The responses from a recording. Throws if the file is not a recording. */
export function openRecording(file: string): Store & Disposable {
  const db = new Database(file, 0, true);
  try {
    return shown(db);
  } catch (error) {
    db.close();
    throw new Error(`it is damaged: ${error instanceof Error ? error.message : error}`);
  }
}

function shown(db: Database): Store & Disposable {
  const ingest = new Ingest(db, Number.POSITIVE_INFINITY);
  const end = endOf(db);
  const raised = db
    .all(FINDINGS)
    .map(({ since, finding }) => ({ ...JSON.parse(String(finding)), since: Number(since) }) as Raised)
    .sort((a, b) => urgency(b) - urgency(a));
  return {
    db,
    copier: () => new Copier(db.file, join(tmpdir(), `wirespan-recording-${randomUUID()}`), true),
    ingest,
    scan: new Scan(db, ingest, new Resources(db)),
    findings: { raised },
    about: () => ({ ...JSON.parse(db.meta("about") ?? "{}") }),
    isRecording: true,
    now: () => end,
    [Symbol.dispose]: () => db.close(),
  };
}
