// What is told of interfaces where it is asked for: frames that a driver does not take, its polls, and how long
// frames wait to be handed to it.

import type { Emit } from "../../core/plugin/emit.ts";
import { seconds } from "../../core/plugin/histogram.ts";
import type { Namespaces } from "../../core/plugin/services.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";
import type { TableRows } from "../../core/plugin/skeleton.ts";
import { INTERFACE, QUEUE } from "./attributes.ts";
import type { Link, QueueId, Wait } from "./netqtop.skel.ts";

export const RESULTS = ["busy", "dropped", "congested", "error"] as const;

const RESULT = {
  "wirespan.netdev.transmit.result": {
    type: "string",
    requirement: "required",
    enum: RESULTS,
    usual: 1,
    description:
      "What the driver answered: busy (the frame keeps waiting), dropped, congested (taken, with a congestion notification), or an error.",
  },
} as const satisfies AttributeSpecs;

export const DETAILS = {
  failures: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.transmit.failures",
    unit: "{frame}",
    description: "Frames that a driver was handed and did not take; with `transmitFailures` only.",
    attributes: { ...INTERFACE, ...RESULT },
  },
  wait: {
    signal: "metric",
    instrument: "histogram",
    name: "wirespan.netdev.queue.wait",
    unit: "s",
    description: "Time that frames waited in a transmit queue's queueing discipline; with `queueWait` only.",
    attributes: QUEUE,
  },
  polls: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.napi.polls",
    unit: "{poll}",
    description: "Polls of the interface's driver; with `polls` only.",
    attributes: INTERFACE,
  },
  polled: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.napi.packets",
    unit: "{packet}",
    description: "Packets that these polls took; with `polls` only.",
    attributes: INTERFACE,
  },
  exhausted: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.napi.exhausted",
    unit: "{poll}",
    description:
      "Polls that used up their budget, which means that more packets were waiting; with `polls` only.",
    attributes: INTERFACE,
  },
} as const satisfies Signals;

/** What has not moved for so long leaves the kernel's tables: most such interfaces are no more. */
const IDLE_MS = 5 * 60_000;

/** The rows of one table that move now and then. */
export class MovingRows {
  readonly #seen = new Map<string, { readonly amount: number; readonly at: number }>();

  *of<V>(
    rows: TableRows<QueueId, V>,
    amountOf: (value: V) => number,
    now = performance.now(),
  ): Generator<readonly [QueueId, V]> {
    for (const [row, value] of rows) {
      const { netnsCookie, ifindex, name, queue } = row;
      const id = `${netnsCookie} ${ifindex} ${queue} ${name}`;
      const amount = amountOf(value);
      const before = this.#seen.get(id);
      if (before?.amount !== amount) {
        this.#seen.set(id, { amount, at: now });
      } else if (now - before.at >= IDLE_MS) {
        this.#seen.delete(id);
        rows.remove();
        continue;
      }
      yield [row, value];
    }
  }
}

/** The handlers of both tables. */
export function detailHandlers(emit: Emit<typeof DETAILS>, namespaces: Namespaces) {
  const seriesOf = ({ name, ifindex, netnsCookie, netns }: QueueId) => ({
    "network.interface.name": name,
    "wirespan.interface.index": ifindex,
    ...namespaces.attributes(netnsCookie, netns),
  });
  const [links, waits] = [new MovingRows(), new MovingRows()];
  return {
    links(rows: TableRows<QueueId, Link>): void {
      const amount = ({ busy, dropped, congested, errors, polls }: Link) =>
        busy + dropped + congested + errors + polls;
      for (const [id, link] of links.of(rows, amount)) {
        const series = seriesOf(id);
        const { since } = link;
        const failures = [link.busy, link.dropped, link.congested, link.errors];
        for (const [i, frames] of failures.entries()) {
          const result = { "wirespan.netdev.transmit.result": RESULTS[i]! };
          if (frames) emit.failures.observe(frames, { ...series, ...result }, undefined, since);
        }
        if (!link.polls) continue;
        emit.polls.observe(link.polls, series, undefined, since);
        emit.polled.observe(link.packets, series, undefined, since);
        emit.exhausted.observe(link.exhausted, series, undefined, since);
      }
    },
    waits(rows: TableRows<QueueId, Wait>): void {
      for (const [id, { since, time }] of waits.of(rows, ({ time }) => time.count)) {
        const queue = {
          "network.io.direction": "transmit",
          "wirespan.netdev.queue.id": id.queue,
        } as const;
        emit.wait.observe(seconds(time), { ...seriesOf(id), ...queue }, undefined, since);
      }
    },
  };
}
