// Exemplars of one plugin's histograms, chosen among the spans that leave: so what they name is exported. The kernel's
// tables keep none, since whether a trace is kept may be known only when its connection closes.
import type { Clock, Exemplars, Measured } from "../plugin/services.ts";
import type { Exemplar } from "../plugin/signals.ts";

/** Rows of one histogram, as many as the largest table of sums has. */
const MOST_ROWS = 4096;

export class LargestValues implements Exemplars {
  readonly #clock: Pick<Clock, "wall">;
  /** By histogram and row; the ids are copies. */
  readonly #largest = new Map<string, Map<string, Measured>>();
  /** When the window began, nanoseconds since boot. */
  #sinceNs: number;

  constructor(clock: Pick<Clock, "wall">, sinceNs: number) {
    this.#clock = clock;
    this.#sinceNs = sinceNs;
  }

  offer(histogram: string, row: string, { ns, atNs, span }: Measured): void {
    // Its value was counted before the last collection: the trace has turned out to be kept only now.
    if (atNs < this.#sinceNs) return;
    let rows = this.#largest.get(histogram);
    if (!rows) {
      rows = new Map();
      this.#largest.set(histogram, rows);
    }
    const before = rows.get(row);
    if (before ? ns < before.ns : rows.size >= MOST_ROWS) return;
    const { traceId, spanId } = span;
    rows.set(row, { ns, atNs, span: { traceId: traceId.slice(), spanId: spanId.slice() } });
  }

  of(histogram: string, row: string): Exemplar | undefined {
    const largest = this.#largest.get(histogram)?.get(row);
    return largest && { value: largest.ns / 1e9, time: this.#clock.wall(largest.atNs), ...largest.span };
  }

  /** Begins a window with what happened at `nowNs`, nanoseconds since boot. */
  next(nowNs: number): void {
    this.#sinceNs = nowNs;
    this.#largest.clear();
  }
}
