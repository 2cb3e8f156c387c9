// What settings turn on: frames that a driver does not accept, its polls, and how long frames wait for it.

import type { Emit } from "../../core/plugin/emit.ts";
import { seconds } from "../../core/plugin/histogram.ts";
import type { Namespaces } from "../../core/plugin/services.ts";
import type { TableRows } from "../../core/plugin/skeleton.ts";
import type { Link, QueueId, Wait } from "./netqtop.skel.ts";
import { type DETAILS, RESULTS } from "./signals.ts";

/** Rows without change for this long are removed from the kernel's tables: most of their interfaces are gone. */
const IDLE_MS = 5 * 60_000;

/** The rows of one table that change occasionally. */
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
