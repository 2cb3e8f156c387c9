// The queues' sums: over CPUs, and with what the kernel's tables had no more room for.
import type { SizeHistogram } from "../../core/histogram.ts";
import type { Queue } from "./wire.gen.ts";

/** One queue of one interface, one way. Sums are cumulative. */
export interface QueueSums extends SizeHistogram {
  readonly interface: string;
  readonly ifindex: number;
  readonly netns: number;
  readonly queue: number;
  readonly way: Queue["way"];
  readonly packets: number;
  /** Frames by range of size: bcc's five, and what is larger. */
  readonly classes: Float64Array;
}

interface Sums extends QueueSums {
  interface: string;
  count: number;
  sum: number;
  zeros: number;
  packets: number;
}

const idOf = ({ netnsCookie, ifindex, queue, way }: Queue): string =>
  `${netnsCookie} ${ifindex} ${queue} ${way}`;

function blank({ name, ifindex, netns, queue, way, classes, sizes }: Queue): Sums {
  return {
    ...{ interface: name, ifindex, netns, queue, way },
    ...{ count: 0, sum: 0, zeros: 0, packets: 0 },
    classes: new Float64Array(classes.length),
    buckets: new Float64Array(sizes.length),
  };
}

function add(sums: Sums, queue: Queue): void {
  const { classes, sizes } = queue;
  for (let i = 0; i < classes.length; i++) sums.classes[i]! += classes[i]!;
  for (let i = 0; i < sizes.length; i++) sums.buckets[i]! += sizes[i]!;
  sums.interface = queue.name;
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

export class Queues {
  readonly #most: number;
  /** What has left the kernel's tables, the oldest first. */
  readonly #left = new Map<string, Sums>();

  /** `most`: queues that are remembered without a place in the kernel's tables. */
  constructor(most = 4096) {
    this.#most = most;
  }

  /** Takes over what a CPU's table gave up. */
  take(queue: Queue): void {
    if (queue.ignored) return;
    into(this.#left, queue);
    if (this.#left.size <= this.#most) return;
    const [oldest] = this.#left.keys();
    this.#left.delete(oldest!);
  }

  /** Every queue that carried something, with `rows` as the tables hold them now. */
  sums(rows: Iterable<readonly [key: unknown, queue: Queue, cpu: number]>): Iterable<QueueSums> {
    const all = new Map(
      [...this.#left].map(([id, sums]) => [
        id,
        { ...sums, classes: sums.classes.slice(), buckets: sums.buckets.slice() },
      ]),
    );
    for (const [, queue] of rows) if (queue.frames && !queue.ignored) into(all, queue);
    return all.values();
  }
}
