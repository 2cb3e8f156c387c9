// What every source of values gives, and where faults found in them are gathered.

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

/** What follows from an error in a configuration that is reloaded. */
export const UNCHANGED = "reload rejected, the running configuration is unchanged";

/** ConfigErrors that are named one by one. */
const NAMED = 20;

/** All that is wrong, so that one run names it all; of very many faults the first, and the number of the others. */
export class ConfigErrors {
  /** ConfigErrors by the line of the file that they stand in; those of no file come last. */
  readonly #order = new Map<string, number>();
  #more = 0;
  readonly #outcome: string;

  /** `outcome`: what follows if there is any. */
  constructor(outcome = "nothing was started") {
    this.#outcome = outcome;
  }

  /** `where: key: message`; either of the first two may be empty. A message that takes work is made if it is shown. */
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

/** What a user wrote, cut to what fits into a message, without characters that a terminal would obey. */
export function short(text: string): string {
  const cut = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return cut.replace(CONTROL, "\u00b7");
}
