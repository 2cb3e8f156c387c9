// What moved over connections since the last collection, most first.
import { type Connections, connectionId } from "../../core/plugin/connection.ts";
import type { AnyAttributes, Resource } from "../../core/plugin/signals.ts";
import { less } from "./process-rows.ts";
import type { Flow } from "./tcptop.skel.ts";
import type { Bytes } from "./top.ts";

export const ORDERS = ["all", "sent", "received"] as const;
export type Order = (typeof ORDERS)[number];

interface Moved {
  readonly attributes: AnyAttributes;
  readonly resource: Resource;
  sent: number;
  received: number;
}

/** An event that is due; without a resource it is the host's. */
interface Due {
  readonly attributes: ReturnType<typeof withBytes>;
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
  /** Of connections that the kernel had no room for: since the start, and not told yet. */
  #rest: Bytes = { sent: 0, received: 0 };
  #untold: Bytes = { sent: 0, received: 0 };

  /** `limit`: how many connections are told one by one. */
  constructor(limit: number, order: Order) {
    this.#limit = limit;
    this.#size = SIZE[order];
  }

  /** The same connection may come twice: swept, and closed right after. */
  add(flow: Flow, connections: Connections): void {
    const { conn, sentBytes: sent, receivedBytes: received } = flow;
    const id = connectionId(conn);
    const moved = this.#moved.get(id);
    if (moved) {
      moved.sent += sent;
      moved.received += received;
      return;
    }
    const attributes = connections.attributes(flow);
    this.#moved.set(id, { attributes, resource: connections.resource(conn.owner), sent, received });
  }

  readRest(all: Bytes): void {
    this.#untold = less(all, this.#rest);
    this.#rest = all;
  }

  /** Who moved most, then one for all others; begins anew. */
  take(): readonly Due[] {
    const size = this.#size;
    const all = [...this.#moved.values()].sort((a, b) => size(b) - size(a));
    const told: Due[] = all.slice(0, this.#limit).map((moved) => {
      return { attributes: withBytes(moved.attributes, moved), resource: moved.resource };
    });
    const others = all.slice(this.#limit);
    const sum = others.reduce(plus, this.#untold);
    this.#moved = new Map();
    this.#untold = { sent: 0, received: 0 };
    if (sum.sent + sum.received === 0) return told;
    const attributes = { "network.transport": "tcp", "wirespan.tcp.top.others": others.length };
    return [...told, { attributes: withBytes(attributes, sum) }];
  }
}

function plus(a: Bytes, b: Bytes): Bytes {
  return { sent: a.sent + b.sent, received: a.received + b.received };
}

function withBytes(attributes: AnyAttributes, { sent, received }: Bytes) {
  return {
    ...attributes,
    "network.transport": "tcp" as const,
    "wirespan.tcp.bytes_sent": sent,
    "wirespan.tcp.bytes_received": received,
  };
}
