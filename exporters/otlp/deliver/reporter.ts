// Logs one exporter's problems: at most one line per minute for each kind, with counts.
import type { Log } from "../../../core/plugin/log.ts";
import type { Kind, LossCause } from "../../exporter.ts";

const QUIET_MS = 60_000;

interface Loss {
  readonly kind: Kind;
  readonly cause: LossCause;
  /** Items lost since the last line. */
  unreported: number;
  endpoint: string;
  reason: string;
  /** Runs while further lines are held back. */
  timer: NodeJS.Timeout | undefined;
}

export class Reporter {
  readonly #log: Log;
  readonly #exporter: string;
  readonly #losses = new Map<string, Loss>();
  #failingSince: number | undefined;
  /** Whether the last line reported that export is failing. */
  #loggedFailing = false;
  #loggedReason = "";
  /** Outages since the last line about one. */
  #outages = 0;
  #trouble = { endpoint: "", reason: "" };
  #quiet: NodeJS.Timeout | undefined;

  constructor(log: Log, exporter: string) {
    this.#log = log;
    this.#exporter = exporter;
  }

  /** A request has to be retried. */
  failing(endpoint: string, reason: string): void {
    this.#trouble = { endpoint, reason };
    if (this.#failingSince === undefined) {
      this.#failingSince = performance.now();
      this.#outages++;
    }
    if (this.#quiet === undefined && this.#isNews) this.#logState();
  }

  /** A request was accepted. */
  working(): void {
    if (this.#failingSince === undefined) return;
    const seconds = Math.round((performance.now() - this.#failingSince) / 100) / 10;
    this.#failingSince = undefined;
    if (this.#outages > 0 || !this.#loggedFailing) return;
    this.#loggedFailing = false;
    this.#log.info({ exporter: this.#exporter, seconds }, "export recovered");
  }

  /** Items were lost permanently. */
  lost(kind: Kind, cause: LossCause, count: number, endpoint: string, reason: string): void {
    const key = `${kind} ${cause}`;
    const loss = this.#losses.get(key) ?? { kind, cause, unreported: 0, endpoint, reason, timer: undefined };
    this.#losses.set(key, loss);
    loss.unreported += count;
    loss.endpoint = endpoint;
    loss.reason = reason;
    if (loss.timer === undefined) this.#logLoss(loss);
  }

  /** Logs what was held back. */
  close(): void {
    if (this.#outages > 0) this.#logState();
    clearTimeout(this.#quiet);
    for (const loss of this.#losses.values()) {
      clearTimeout(loss.timer);
      this.#logLoss(loss, false);
    }
  }

  /** Another outage, or another reason for the same. */
  get #isNews(): boolean {
    return (
      this.#outages > 0 || (this.#failingSince !== undefined && this.#trouble.reason !== this.#loggedReason)
    );
  }

  /** Logs the current state, and the number of outages since the last line about it. */
  #logState(): void {
    const outages = this.#outages;
    const fields = { exporter: this.#exporter, ...this.#trouble, ...(outages > 1 && { outages }) };
    this.#outages = 0;
    this.#loggedReason = this.#trouble.reason;
    this.#loggedFailing = this.#failingSince !== undefined;
    if (this.#loggedFailing) this.#log.warn(fields, "export failing, will retry");
    else this.#log.warn(fields, "export failed temporarily, now recovered");
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined;
      if (this.#isNews) this.#logState();
    }, QUIET_MS).unref();
  }

  #logLoss(loss: Loss, again = true): void {
    const { kind, cause, unreported: count, endpoint, reason } = loss;
    if (count === 0) return;
    loss.unreported = 0;
    if (again) {
      loss.timer = setTimeout(() => {
        loss.timer = undefined;
        this.#logLoss(loss);
      }, QUIET_MS).unref();
    }
    this.#log.error({ exporter: this.#exporter, kind, cause, count, endpoint, reason }, "telemetry lost");
  }
}
