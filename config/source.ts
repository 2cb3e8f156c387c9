// The output of every source of values, and the collection of errors in them.

import { CONTROL } from "../core/base/text.ts";
import { WirespanError } from "../core/plugin/errors.ts";
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

/** The consequence of an error in a reloaded configuration. */
export const UNCHANGED = "reload rejected, the running configuration is unchanged";

/** Maximum number of ConfigErrors that are listed. */
const NAMED = 20;

/**
 * All errors, so that one run reports them all; if there are very many, the first ones and the number of the others.
 */
export class ConfigErrors {
  /** ConfigErrors by their line in the file; those outside a file come last. */
  readonly #order = new Map<string, number>();
  #more = 0;
  readonly #outcome: string;

  /** `outcome`: the consequence of any error. */
  constructor(outcome = "nothing was started") {
    this.#outcome = outcome;
  }

  /**
   * `where: key: message`; either of the first two may be empty. An expensive message is created only when it is
   * shown.
   */
  add(where: string, path: string, message: string | (() => string)): void {
    if (this.#order.size >= NAMED) {
      this.#more++;
      return;
    }
    const text = typeof message === "string" ? message : message();
    const line = [where, short(path), text].filter((part) => part !== "").join(": ");
    if (this.#order.has(line)) return;
    this.#order.set(line, Number(/:(\d+)(:\d+)?$/.exec(where)?.[1] ?? Number.MAX_SAFE_INTEGER));
  }

  /** Throws CONFIG_INVALID with one fault per line of detail, if there is any. */
  throwIfAny(): void {
    const lines = [...this.#order].sort(([, a], [, b]) => a - b).map(([line]) => line);
    const length = lines.length + this.#more;
    if (length === 0) return;
    if (this.#more > 0) lines.push(`and ${this.#more} more`);
    throw new WirespanError(
      "CONFIG_INVALID",
      `The configuration has ${length === 1 ? "an error" : `${length} errors`}; ${this.#outcome}.`,
      { detail: lines.join("\n") },
    );
  }
}

/** What a user wrote, truncated to fit into a message, without control characters for terminals. */
export function short(text: string): string {
  const cut = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return cut.replace(CONTROL, "\u00b7");
}
