// What every source of values gives, and where faults found in them are gathered.
import { WirespanError } from "../core/errors.ts";
import type { Raw } from "./formats.ts";

export interface Origin {
  readonly source: "default" | "file" | "environment" | "flag";
  /** `wirespan.yaml:12`, `OTEL_LOG_LEVEL`, `--localport`; empty for a default. */
  readonly where: string;
}

export interface Assignment {
  /** Keys with dots between: `plugins.tcplife.filter.minDuration`. */
  readonly path: string;
  readonly raw: Raw;
  readonly origin: Origin;
}

/** All that is wrong, so that one run names it all. */
export class Faults {
  /** Faults by the line of the file that they stand in; those of no file come last. */
  readonly #order = new Map<string, number>();

  /** `where: key: message`; either of the first two may be empty. */
  add(where: string, path: string, message: string): void {
    const line = [where, path, message].filter((part) => part !== "").join(": ");
    if (this.#order.has(line)) return;
    this.#order.set(line, Number(/:(\d+)(:\d+)?$/.exec(where)?.[1] ?? Number.MAX_SAFE_INTEGER));
  }

  /** Throws CONFIG_INVALID with one fault per line of detail, if there is any. */
  throwIfAny(): void {
    const lines = [...this.#order].sort(([, a], [, b]) => a - b).map(([line]) => line);
    const { length } = lines;
    if (length === 0) return;
    throw new WirespanError(
      "CONFIG_INVALID",
      `The configuration has ${length === 1 ? "an error" : `${length} errors`}; nothing was started.`,
      { detail: lines.join("\n") },
    );
  }
}
