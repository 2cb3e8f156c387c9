// Traffic of connections since the last collection, largest first.

import type { Connections } from "../../core/plugin/connection.ts";
import type { CONNECTION } from "../../core/plugin/semconv.ts";
import type { Attributes, Resource } from "../../core/plugin/signals.ts";
import { connectionId } from "../../core/plugin/values.ts";
import { less } from "./process-rows.ts";
import type { signals } from "./signals.ts";
import type { Flow } from "./tcptop.skel.ts";
import type { Bytes } from "./top.ts";

export const ORDERS = ["all", "sent", "received"] as const;
export type Order = (typeof ORDERS)[number];

interface Moved {
  readonly attributes: Attributes<typeof CONNECTION>;
  readonly resource: Resource;
  sent: number;
  received: number;
}

/** An event; without a resource it is the host's. */
interface FlowEvent {
  readonly attributes: Attributes<(typeof signals)["flow"]["attributes"]>;
  readonly resource?: Resource;
}

const SIZE: Readonly<Record<Order, (bytes: Bytes) => number>> = {
  all: ({ sent, received }) => sent + received,
  sent: ({ sent }) => sent,
  received: ({ received }) => received,
};

export class Flows {
  readonly #limit: number;
  readonly #size: (bytes: Bytes) => number;
  #moved = new Map<string, Moved>();
  /** Of connections that did not fit in the kernel's tables: since the start, and not reported yet. */
  #rest: Bytes = { sent: 0, received: 0 };
  #unreported: Bytes = { sent: 0, received: 0 };

  /** `limit`: how many connections have an event of their own. */
  constructor(limit: number, order: Order) {
    this.#limit = limit;
    this.#size = SIZE[order];
  }

  /** The same connection may occur twice: swept, and closed right after. */
  add(flow: Flow, connections: Connections): void {
    const { conn, sentBytes: sent, receivedBytes: received } = flow;
    const id = connectionId(conn.cookie, conn.life);
    const moved = this.#moved.get(id);
    if (moved) {
      moved.sent += sent;
      moved.received += received;
      return;
    }
    const attributes = connections.attributes(flow);
    this.#moved.set(id, { attributes, resource: connections.resource(conn.owner), sent, received });
  }

  /** Adds traffic that is reported only in the event for all others. */
  addToRest({ sentBytes: sent, receivedBytes: received }: Flow): void {
    this.#unreported = plus(this.#unreported, { sent, received });
  }

  readRest(all: Bytes): void {
    this.#unreported = plus(this.#unreported, less(all, this.#rest));
    this.#rest = all;
  }

  /** The connections with the most traffic, then one event for all others; starts over. */
  take(): readonly FlowEvent[] {
    const size = this.#size;
    const all = [...this.#moved.values()].sort((a, b) => size(b) - size(a));
    const reported: FlowEvent[] = all.slice(0, this.#limit).map(({ attributes, resource, ...moved }) => {
      return { attributes: { ...attributes, ...bytesOf(moved) }, resource };
    });
    const others = all.slice(this.#limit);
    const sum = others.reduce(plus, this.#unreported);
    this.#moved = new Map();
    this.#unreported = { sent: 0, received: 0 };
    if (sum.sent + sum.received === 0) return reported;
    const rest = { "network.transport": "tcp", "wirespan.tcp.top.others": others.length } as const;
    return [...reported, { attributes: { ...rest, ...bytesOf(sum) } }];
  }
}

function plus(a: Bytes, b: Bytes): Bytes {
  return { sent: a.sent + b.sent, received: a.received + b.received };
}

function bytesOf({ sent, received }: Bytes) {
  return { "wirespan.tcp.bytes_sent": sent, "wirespan.tcp.bytes_received": received };
}
