// Tells an operator about one exporter's troubles, without a line per request.
import type { Log } from "../../core/log.ts";
import type { Kind, LossCause } from "../exporter.ts";

const QUIET_MS = 30_000;

interface Pace {
  /** Milliseconds (monotonic) before which nothing more is said. */
  until: number;
  /** Items lost since the last line. */
  unsaid: number;
}

export class Reporter {
  readonly #log: Log;
  readonly #exporter: string;
  readonly #paces = new Map<string, Pace>();
  #failingSince: number | undefined;

  constructor(log: Log, exporter: string) {
    this.#log = log;
    this.#exporter = exporter;
  }

  /** A request has to be sent again. One line per outage. */
  failing(message: string): void {
    if (this.#failingSince !== undefined) return;
    this.#failingSince = performance.now();
    this.#log.warn({ exporter: this.#exporter, reason: message }, "backend does not take data, will retry");
  }

  /** A request was taken. */
  working(): void {
    if (this.#failingSince === undefined) return;
    const seconds = Math.round((performance.now() - this.#failingSince) / 100) / 10;
    this.#failingSince = undefined;
    this.#log.info({ exporter: this.#exporter, seconds }, "backend takes data again");
  }

  /** Something is lost for good. One line per cause in half a minute. */
  lost(kind: Kind, cause: LossCause, count: number, reason: string): void {
    const key = `${kind} ${cause}`;
    const pace = this.#paces.get(key) ?? { until: 0, unsaid: 0 };
    this.#paces.set(key, pace);
    pace.unsaid += count;
    if (performance.now() < pace.until) return;
    const fields = { exporter: this.#exporter, kind, cause, count: pace.unsaid, reason };
    pace.until = performance.now() + QUIET_MS;
    pace.unsaid = 0;
    this.#log.error(fields, "telemetry lost");
  }
}
