// The parameters of a request, which must be known and valid. Tests: store/http/targets.test.ts.
import { suggestion } from "../../core/base/suggest.ts";
import { type Filter, parseFilter } from "../query/filter.ts";
import type { Interval } from "../query/scan.ts";

/** An invalid request; the message is for the client. */
export class BadRequest extends Error {}

export class Parameters {
  readonly #query: URLSearchParams;
  readonly #now: number;

  /** Throws BadRequest for a parameter that is not in `known`. `now`: seconds since the epoch. */
  constructor(query: URLSearchParams, known: readonly string[], now: number) {
    this.#query = query;
    this.#now = now;
    for (const name of query.keys()) {
      if (!known.includes(name))
        throw new BadRequest(
          `there is no parameter ${name}${suggestion(name, known, `there are ${known.join(", ")}`)}`,
        );
    }
  }

  /** `from` and `to`, seconds since the epoch, or the `last` seconds; the last hour if all are absent. */
  get interval(): Interval {
    const to = this.number("to", this.#now);
    const from = this.number("from", to - this.number("last", 3600));
    if (!(from < to)) throw new BadRequest("from must lie before to");
    return { from: from * 1e6, to: to * 1e6 };
  }

  get filter(): Filter {
    return parseFilter(this.#query.get("q") ?? "");
  }

  number(name: string, otherwise: number): number {
    const text = this.#query.get(name);
    if (text === null) return otherwise;
    const value = Number(text);
    if (text.trim() === "" || !(value >= 0 && value <= Number.MAX_SAFE_INTEGER))
      throw new BadRequest(`${name}: ${text} is not a number`);
    return value;
  }

  oneOf<T extends string>(name: string, values: readonly T[], otherwise: T): T {
    const text = this.#query.get(name);
    if (text === null) return otherwise;
    const value = values.find((one) => one === text);
    if (value === undefined) throw new BadRequest(`${name}: ${text} is not one of ${values.join(", ")}`);
    return value;
  }

  text(name: string): string {
    return this.#query.get(name) ?? "";
  }
}
