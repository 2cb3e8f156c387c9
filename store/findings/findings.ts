// Which findings are active, since when, and in which order. Tests: store/findings/findings.test.ts.
import type { Database } from "../database.ts";
import type { Ingest } from "../ingest.ts";
import { Edges, type EdgeWindow, totals } from "../query/edges.ts";
import { parseFilter } from "../query/filter.ts";
import { type Interval, Progress, type Scan } from "../query/scan.ts";
import { SeriesQuery } from "../query/series.ts";
import { keyOf } from "../sums/edge.ts";
import { CONNECTION_RULES } from "./connection-rules.ts";
import { type Context, type Evidence, type Finding, PERIOD, type Severity } from "./finding.ts";
import { HOST_RULES } from "./host-rules.ts";

/** Number of evaluations in which a rule must match for a finding to be raised, and must not match for it to be cleared. */
const RAISED_AFTER = 2;
const DROPPED_AFTER = 6;

const WEIGHT: Readonly<Record<Severity, number>> = { failing: 3, slow: 2, unusual: 1 };

export interface Raised extends Finding {
  /** Seconds since the epoch: when it first held. */
  readonly since: number;
  /** The subject of an earlier finding on the same edge or listener, which may have caused it. */
  readonly likelyFrom?: string;
}

type Latest = Evidence & Pick<Context, "recent">;

interface Held {
  finding: Finding;
  readonly since: number;
  seen: number;
  missed: number;
  /** Its row in the file once it is raised. */
  row: number | undefined;
}

const EVERYTHING = parseFilter("");

export class Findings {
  readonly #db: Database;
  readonly #edges: Edges;
  readonly #series: SeriesQuery;
  readonly #scan: Scan;
  readonly #held = new Map<string, Held>();
  readonly #onRaised: (finding: Raised) => void;

  constructor(db: Database, ingest: Ingest, scan: Scan, onRaised: (finding: Raised) => void) {
    this.#db = db;
    this.#scan = scan;
    this.#edges = new Edges(ingest.windows, scan);
    this.#series = new SeriesQuery(ingest.points);
    this.#onRaised = onRaised;
  }

  /** The active ones, the most urgent first. */
  get raised(): readonly Raised[] {
    const raised = [...this.#held.values()].filter(({ row }) => row !== undefined);
    const first = raised.toSorted((a, b) => a.since - b.since);
    return raised
      .toSorted((a, b) => urgency(b.finding) - urgency(a.finding) || a.since - b.since)
      .map(({ finding, since }) => {
        const cause = first.find(
          (other) =>
            other.since < since &&
            subjectOf(other.finding) === subjectOf(finding) &&
            other.finding.rule !== finding.rule,
        );
        return { ...finding, since, ...(cause && { likelyFrom: cause.finding.subject }) };
      });
  }

  /** Evaluates the minute before `nowSeconds`. */
  async evaluate(nowSeconds: number): Promise<void> {
    const now = await this.#evidence({ from: (nowSeconds - 60) * 1e6, to: nowSeconds * 1e6 }, nowSeconds);
    const found = this.#apply(now, await this.#hourBefore(nowSeconds, nowSeconds, now.edges));
    // A raised finding is compared with the time before it: otherwise a lasting fault would become the baseline.
    const lasting = [...this.#held].filter(([, held]) => held.row !== undefined && lasts(held, nowSeconds));
    if (lasting.length > 0) {
      const since = Math.min(...lasting.map(([, held]) => held.since));
      const still = this.#apply(now, await this.#hourBefore(since, nowSeconds, now.edges));
      for (const [key] of lasting) if (still.has(key)) found.set(key, found.get(key) ?? still.get(key)!);
    }
    for (const [key, finding] of found) {
      const held = this.#held.get(key);
      if (held) this.#again(held, finding);
      else this.#held.set(key, { finding, since: nowSeconds, seen: 1, missed: 0, row: undefined });
    }
    for (const [key, held] of this.#held) if (!found.has(key)) this.#missed(key, held, nowSeconds);
  }

  /** The findings of the rules, by rule and subject. */
  #apply(now: Latest, before: Evidence): Map<string, Finding> {
    const context: Context = { now, recent: now.recent, before, resources: this.#scan.resources };
    const found = [...CONNECTION_RULES, ...HOST_RULES].flatMap((rule) => rule(context));
    return new Map(found.map((finding) => [`${finding.rule} ${finding.subject}`, finding]));
  }

  /** Sums of the whole minutes that ended before the one that ends at `seconds`. */
  #hourBefore(seconds: number, now: number, only: ReadonlyMap<string, unknown>): Promise<Evidence> {
    const end = Math.floor((seconds - 60) / 60) * 60;
    return this.#evidence({ from: (end - 3600) * 1e6, to: end * 1e6 }, now, only);
  }

  #again(held: Held, finding: Finding): void {
    held.finding = finding;
    held.seen++;
    held.missed = 0;
    if (held.seen < RAISED_AFTER || held.row !== undefined) return;
    held.row = this.#db.run(
      "INSERT INTO finding (since, finding) VALUES (?, ?)",
      held.since,
      JSON.stringify(finding),
    );
    this.#onRaised({ ...finding, since: held.since });
  }

  #missed(key: string, held: Held, now: number): void {
    held.missed++;
    // A finding that has not been raised must match twice in a row.
    if (held.row !== undefined && held.missed < DROPPED_AFTER) return;
    this.#held.delete(key);
    if (held.row !== undefined) this.#db.run("UPDATE finding SET until = ? WHERE id = ?", now, held.row);
  }

  /** At most 60 windows: the minute in the finest ones, the hour in minutes. `only`: these edges. */
  async #evidence(
    interval: Interval,
    nowSeconds: number,
    only?: ReadonlyMap<string, unknown>,
  ): Promise<Latest> {
    const { seconds, all } = await this.#edges.between(interval, EVERYTHING, new Progress(), nowSeconds, 60);
    const series = this.#series.between(interval, nowSeconds, undefined, 60);
    const isRecent = ({ begin }: EdgeWindow) => begin >= nowSeconds - 2 * PERIOD;
    return {
      // Shortly after a start there is less than was requested.
      seconds: Math.max(new Set(all.map(({ begin }) => begin)).size * seconds, series.seconds),
      edges: totals(only ? all.filter(({ edge }) => only.has(keyOf(edge))) : all),
      recent: { edges: totals(all.filter(isRecent)) },
      collected: series.begins,
      covered: series.covered,
      metric: (name: string) => series.of(name),
    };
  }
}

/**
 * Whether it is still compared with the time before it. After an hour slowness is the normal state; a failure never
 * is.
 */
function lasts({ finding, since }: Held, now: number): boolean {
  return finding.severity === "failing" || now - since < 3600;
}

/** The greatest first. */
export function urgency({ severity, count, ratio = 1 }: Finding): number {
  return WEIGHT[severity] * 1000 + Math.min(100, Math.log2(1 + count) * 5) + Math.min(50, ratio);
}

/** The edge or listener of a finding, without the cause. */
function subjectOf({ subject }: Finding): string {
  return subject.replace(/ \(.*\)$/, "");
}
