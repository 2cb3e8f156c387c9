// Tells an operator about one exporter's troubles: at most one line a minute of each kind, with counts.
import type { Log } from "../../../core/plugin/log.ts";
import type { Kind, LossCause } from "../../exporter.ts";

const QUIET_MS = 60_000;

interface Loss {
  readonly kind: Kind;
  readonly cause: LossCause;
  /** Items lost since the last line. */
  unsaid: number;
  endpoint: string;
  reason: string;
  /** Runs while nothing more is said. */
  timer: NodeJS.Timeout | undefined;
}

export class Reporter {
  readonly #log: Log;
  readonly #exporter: string;
  readonly #losses = new Map<string, Loss>();
  #failingSince: number | undefined;
  /** Whether the last line said that the backend does not take data. */
  #saidFailing = false;
  #saidReason = "";
  /** Outages since the last line about one. */
  #outages = 0;
  #trouble = { endpoint: "", reason: "" };
  #quiet: NodeJS.Timeout | undefined;

  constructor(log: Log, exporter: string) {
    this.#log = log;
    this.#exporter = exporter;
  }

  /** A request has to be sent again. */
  failing(endpoint: string, reason: string): void {
    this.#trouble = { endpoint, reason };
    if (this.#failingSince === undefined) {
      this.#failingSince = performance.now();
      this.#outages++;
    }
    if (this.#quiet === undefined && this.#isNews) this.#sayState();
  }

  /** A request was taken. */
  working(): void {
    if (this.#failingSince === undefined) return;
    const seconds = Math.round((performance.now() - this.#failingSince) / 100) / 10;
    this.#failingSince = undefined;
    if (this.#outages > 0 || !this.#saidFailing) return;
    this.#saidFailing = false;
    this.#log.info({ exporter: this.#exporter, seconds }, "export recovered");
  }

  /** Something is lost for good. */
  lost(kind: Kind, cause: LossCause, count: number, endpoint: string, reason: string): void {
    const key = `${kind} ${cause}`;
    const loss = this.#losses.get(key) ?? { kind, cause, unsaid: 0, endpoint, reason, timer: undefined };
    this.#losses.set(key, loss);
    loss.unsaid += count;
    loss.endpoint = endpoint;
    loss.reason = reason;
    if (loss.timer === undefined) this.#sayLoss(loss);
  }

  /** Says what was held back. */
  close(): void {
    if (this.#outages > 0) this.#sayState();
    clearTimeout(this.#quiet);
    for (const loss of this.#losses.values()) {
      clearTimeout(loss.timer);
      this.#sayLoss(loss, false);
    }
  }

  /** Another outage, or another reason for the same. */
  get #isNews(): boolean {
    return (
      this.#outages > 0 || (this.#failingSince !== undefined && this.#trouble.reason !== this.#saidReason)
    );
  }

  /** What holds now, and how often it went wrong since this was said last. */
  #sayState(): void {
    const outages = this.#outages;
    const fields = { exporter: this.#exporter, ...this.#trouble, ...(outages > 1 && { outages }) };
    this.#outages = 0;
    this.#saidReason = this.#trouble.reason;
    this.#saidFailing = this.#failingSince !== undefined;
    if (this.#saidFailing) this.#log.warn(fields, "export failing, will retry");
    else this.#log.warn(fields, "export failed temporarily, now recovered");
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined;
      if (this.#isNews) this.#sayState();
    }, QUIET_MS).unref();
  }

  #sayLoss(loss: Loss, again = true): void {
    const { kind, cause, unsaid: count, endpoint, reason } = loss;
    if (count === 0) return;
    loss.unsaid = 0;
    if (again) {
      loss.timer = setTimeout(() => {
        loss.timer = undefined;
        this.#sayLoss(loss);
      }, QUIET_MS).unref();
    }
    this.#log.error({ exporter: this.#exporter, kind, cause, count, endpoint, reason }, "telemetry lost");
  }
}
