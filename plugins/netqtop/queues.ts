// Sums of queues over CPUs, together with rows that the kernel's tables evicted.
import type { SizeHistogram } from "../../core/plugin/histogram.ts";
import type { Queue } from "./netqtop.skel.ts";
import { isStacked } from "./stacked.ts";

/** One queue of one interface in one direction. Sums are cumulative. */
export interface QueueSums extends SizeHistogram {
  readonly interface: string;
  readonly ifindex: number;
  readonly netnsCookie: number;
  readonly netns: number;
  readonly queue: number;
  readonly way: Queue["way"];
  /** In rtnetlink's terms; empty: hardware. */
  readonly kind: string;
  readonly packets: number;
  /** Frames by size range: bcc's five, and larger ones. */
  readonly classes: Float64Array;
}

interface Sums extends QueueSums {
  count: number;
  sum: number;
  zeros: number;
  packets: number;
}

const idOf = ({ netnsCookie, ifindex, name, queue, way }: Queue): string =>
  `${netnsCookie} ${ifindex} ${name} ${queue} ${way}`;

function blank({ name, ifindex, netnsCookie, netns, queue, way, kind, classes, sizes }: Queue): Sums {
  return {
    ...{ interface: name, ifindex, netnsCookie, netns, queue, way, kind },
    ...{ count: 0, sum: 0, zeros: 0, packets: 0 },
    classes: new Float64Array(classes.length),
    buckets: new Float64Array(sizes.length),
  };
}

const ETHERNET_HEADER = 14;

/** Bytes as the interface's own statistics count them: some kinds exclude the link-layer header. */
export function accountOf({
  kind,
  way,
  sum,
  count,
}: QueueSums & { readonly count: number; readonly sum: number }): number {
  const without = kind === "vxlan" || kind === "geneve" || (kind === "bridge" && way === "receive");
  return without ? sum - count * ETHERNET_HEADER : sum;
}

function add(sums: Sums, queue: Queue): void {
  const { classes, sizes } = queue;
  for (let i = 0; i < classes.length; i++) sums.classes[i]! += classes[i]!;
  for (let i = 0; i < sizes.length; i++) sums.buckets[i]! += sizes[i]!;
  sums.count += queue.frames;
  sums.packets += queue.frames + queue.morePackets;
  sums.sum += queue.bytes;
  sums.zeros += queue.zeros;
}

function into(all: Map<string, Sums>, queue: Queue): void {
  const id = idOf(queue);
  let sums = all.get(id);
  if (!sums) {
    sums = blank(queue);
    all.set(id, sums);
  }
  add(sums, queue);
}

/**
 * Whether the row belongs to one queue from its first word to its last: a CPU may have reused the slot for another
 * while it was copied.
 */
function isWhole({ tag, ifindex, queue, way }: Queue): boolean {
  return tag === ifindex + queue * 2 ** 32 + (way === "receive" ? 2 ** 48 : 0);
}

/** Queues without change for this long are not reported: most of their interfaces are gone. */
const IDLE_MS = 5 * 60_000;

/** Whether all its frames pass the tracepoints; otherwise stacked.ts reads what it received. */
function isWholly({ way, kind }: Queue): boolean {
  return way === "transmit" || !isStacked(kind);
}

export class Queues {
  /** Frames, packets and bytes of queues that did not fit in the tables. */
  readonly rest = { frames: 0, packets: 0, bytes: 0 };
  /** Whether interfaces were observed whose frames may be received by others on top. */
  handsOn = false;
  readonly #most: number;
  /** Sums of rows that have left the kernel's tables. */
  readonly #left = new Map<string, Sums>();
  /** All known queues, oldest first. */
  #last = new Map<string, Sums>();
  /** Frame count of a queue, and since when it has not changed; milliseconds. */
  readonly #moved = new Map<string, { readonly count: number; readonly at: number }>();

  /** `most`: number of queues that are remembered; if there are more, the oldest are forgotten. */
  constructor(most = 4096) {
    this.#most = most;
  }

  /** Takes over a row that a CPU's table evicted. */
  take(queue: Queue): void {
    this.handsOn ||= queue.handsOn !== 0;
    if (!queue.ignored && isWholly(queue)) into(this.#left, queue);
  }

  /**
   * Every queue with recent traffic, with `rows` as the tables hold them now. What is in transit from a table to
   * `take` is in neither: then the queue keeps its previous values, so that no sum ever decreases.
   */
  sums(
    rows: Iterable<readonly [key: unknown, queue: Queue, cpu: number]>,
    nowMs = performance.now(),
  ): Iterable<QueueSums> {
    const now = new Map([...this.#left].map(([id, sums]) => [id, copyOf(sums)]));
    const rest = { frames: 0, packets: 0, bytes: 0 };
    for (const [, queue] of rows) {
      this.handsOn ||= queue.handsOn !== 0;
      if (!queue.frames || queue.ignored) continue;
      if (queue.tag === 0) addRest(rest, queue);
      else if (isWhole(queue) && isWholly(queue)) into(now, queue);
    }
    Object.assign(this.rest, rest);
    const all = new Map(this.#last);
    for (const [id, sums] of now) if (sums.count >= (all.get(id)?.count ?? 0)) all.set(id, sums);
    for (const id of [...all.keys()].slice(0, Math.max(0, all.size - this.#most))) {
      all.delete(id);
      this.#left.delete(id);
      this.#moved.delete(id);
    }
    this.#last = all;
    return [...all].filter(([id, { count }]) => this.#isMoving(id, count, nowMs)).map(([, sums]) => sums);
  }

  #isMoving(id: string, count: number, nowMs: number): boolean {
    const moved = this.#moved.get(id);
    if (moved?.count === count) return nowMs - moved.at < IDLE_MS;
    this.#moved.set(id, { count, at: nowMs });
    return true;
  }
}

function addRest(rest: Queues["rest"], { frames, morePackets, bytes }: Queue): void {
  rest.frames += frames;
  rest.packets += frames + morePackets;
  rest.bytes += bytes;
}

const copyOf = (sums: Sums): Sums => ({
  ...sums,
  classes: sums.classes.slice(),
  buckets: sums.buckets.slice(),
});
