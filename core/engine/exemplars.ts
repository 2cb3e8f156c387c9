// Exemplars of one plugin's histograms, chosen among the exported spans, so that each refers to one. The kernel's
// tables have none, because it may be known only at a connection's close whether its trace is sampled.
import type { Clock, ExemplarRow, Exemplars } from "../plugin/services.ts";
import type { Exemplar, SpanContext } from "../plugin/signals.ts";

/** Number of rows, that of the largest table of sums. */
const MOST_ROWS = 4096;

interface Largest extends SpanContext {
  readonly ns: number;
  readonly atNs: number;
}

/** By the parts of a key, one after the other. */
class Node implements ExemplarRow {
  readonly #all: LargestValues;
  readonly #below = new Map<string | number, Node>();
  /** Exemplars by histogram; the ids are copies. */
  readonly #largest = new Map<string, Largest>();

  constructor(all: LargestValues) {
    this.#all = all;
  }

  below(part: string | number): Node {
    let node = this.#below.get(part);
    if (!node) {
      node = new Node(this.#all);
      if (this.#all.hasRoom()) this.#below.set(part, node);
    }
    return node;
  }

  offer(histogram: string, ns: number, atNs: number, span: SpanContext): void {
    const before = this.#largest.get(histogram);
    // Its value was counted before the last collection: only now has the trace turned out to be sampled.
    if ((before && ns < before.ns) || atNs < this.#all.sinceNs) return;
    this.#largest.set(histogram, { ns, atNs, traceId: span.traceId.slice(), spanId: span.spanId.slice() });
  }

  of(histogram: string): Exemplar | undefined {
    const largest = this.#largest.get(histogram);
    if (!largest) return undefined;
    const { ns, atNs, traceId, spanId } = largest;
    return { value: ns / 1e9, time: this.#all.clock.wall(atNs), traceId, spanId };
  }
}

export class LargestValues implements Exemplars {
  readonly clock: Pick<Clock, "wall">;
  #sinceNs: number;
  #root = new Node(this);
  #nodes = 0;

  constructor(clock: Pick<Clock, "wall">, sinceNs: number) {
    this.clock = clock;
    this.#sinceNs = sinceNs;
  }

  /** Start of the window, nanoseconds since boot. */
  get sinceNs(): number {
    return this.#sinceNs;
  }

  row(...key: readonly (string | number)[]): ExemplarRow {
    let node = this.#root;
    for (let i = 0; i < key.length; i++) node = node.below(key[i]!);
    return node;
  }

  /** Adds another part of a row's key. */
  hasRoom(): boolean {
    return ++this.#nodes <= MOST_ROWS;
  }

  /** Begins a window with events at `nowNs`, nanoseconds since boot. */
  next(nowNs: number): void {
    this.#sinceNs = nowNs;
    this.#root = new Node(this);
    this.#nodes = 0;
  }
}
