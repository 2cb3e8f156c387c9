// What the programs could not keep, in words, each with the setting that makes room.
import type { Log } from "../plugin/log.ts";

/** Milliseconds between two log lines. */
const LOG_AGAIN = 60_000;

/** Logs losses when there are more, not too often. */
export class LossLog {
  readonly #log: Log;
  #logged = "";
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(log: Log) {
    this.#log = log;
  }

  report(losses: readonly string[], isLast = false): void {
    const text = losses.join(". ");
    if (text === this.#logged || (!isLast && performance.now() - this.#loggedAt < LOG_AGAIN)) return;
    this.#logged = text;
    this.#loggedAt = performance.now();
    this.#log.warn({}, text);
  }
}

/** What the tracker loses if its tables of connections are full. */
const TABLES: ReadonlySet<string> = new Set(["tuples", "accepts"]);

/** `owner`: a plugin, or `connections` for the tracker. `records`: by the names of its rings. */
export function lossesOf(
  owner: string,
  counters: Readonly<Record<string, number>>,
  records: object,
): string[] {
  const setting = owner === "connections" ? "ring.core" : `plugins.${owner}.ring.bytes`;
  return Object.entries(counters).flatMap(([name, count]) => {
    if (!name.startsWith("lost_") || count === 0) return [];
    const what = name.slice("lost_".length);
    const remedy =
      what in records
        ? `; increase the ring: --set ${setting}=128MiB`
        : owner === "connections" && TABLES.has(what)
          ? "; make room for more connections: --set connections.limit=1000000"
          : "";
    return [`${count} ${what.replaceAll("_", " ")} of ${owner} were lost${remedy}`];
  });
}
