// Who talks to whom: connections by service and peer, with rates, bytes, handshakes and failures.
import type { AnyAttributes, Event, Span } from "../../../core/plugin/signals.ts";
import { endpoint, seconds, serviceOf } from "../describe.ts";
import { Latency } from "./latency.ts";
import { Rate } from "./rate.ts";

/** Number of pairs that have a row of their own. */
const MOST = 1000;
/** Ticks without traffic after which a pair loses its row if there are many. */
const IDLE = 60;
/** Number of connections that are remembered, so that their bytes and their failure are counted once. */
const MOST_KNOWN = 50_000;
/** Ticks after which a percentile forgets. */
const AGE_EVERY = 15;

const RATES = ["connections", "failures", "sent", "received", "retransmits"] as const;

type Rates = Readonly<Record<(typeof RATES)[number], Rate>>;

export interface Peer extends Rates {
  readonly service: string;
  /** Who opened the connections. */
  readonly arrow: "→" | "←" | "·";
  readonly peer: string;
  /** Of the handshake if this end opened, otherwise from the SYN to accept(). */
  readonly latency: Latency;
  /** Ticks since anything was counted, and what had been counted then. */
  idle: number;
  seen: number;
}

/** What has been counted for a connection. */
interface Known {
  sent: number;
  received: number;
  failed: boolean;
  /** Collections since it ended; undefined: still open. */
  over: number | undefined;
}

export class Peers {
  readonly sums: Rates = createRates();
  readonly others = createPeer("(others)", "·", "");
  readonly #peers = new Map<string, Peer>();
  readonly #known = new Map<string, Known>();
  #ticks = 0;

  get all(): readonly Peer[] {
    const used = RATES.some((key) => this.others[key].total > 0);
    return used ? [...this.#peers.values(), this.others] : [...this.#peers.values()];
  }

  /** True if the span reports a failure that no span has reported before. */
  span(span: Span): boolean {
    const { attributes: a, spec } = span;
    if (spec.name === "tcp connection") this.#end(span);
    else if (a["error.type"] === undefined) this.#of(span).latency.add(seconds(span));
    return a["error.type"] !== undefined && this.#fail(span);
  }

  /** What a connection transferred since the last collection; one that has ended has been counted by its span. */
  top(event: Event): void {
    const known = this.#know(event.attributes);
    if (known === undefined || known.over !== undefined) return;
    const [sent, received] = bytesOf(event.attributes);
    known.sent += sent;
    known.received += received;
    this.#move(this.#of(event), sent, received);
  }

  /** Called after each collection: two collections later, no event can report a connection that has ended. */
  collected(): void {
    for (const [id, known] of this.#known) {
      if (known.over !== undefined && ++known.over > 2) this.#known.delete(id);
    }
  }

  /** Called once per interval of `elapsed` seconds. */
  tick(elapsed: number): void {
    this.#ticks++;
    for (const [key, peer] of this.#peers) {
      const before = peer.connections.total + peer.sent.total + peer.received.total + peer.failures.total;
      tickAll(peer, elapsed);
      peer.idle = before === peer.seen ? peer.idle + 1 : 0;
      peer.seen = before;
      if (this.#ticks % AGE_EVERY === 0) peer.latency.age();
      if (peer.idle > IDLE && this.#peers.size > MOST / 2) this.#giveUp(key, peer);
    }
    tickAll(this.others, elapsed);
    tickAll(this.sums, elapsed);
  }

  #giveUp(key: string, peer: Peer): void {
    this.#peers.delete(key);
    for (const rate of RATES) this.others[rate].total += peer[rate].total;
  }

  #end(span: Span): void {
    const { attributes: a } = span;
    const peer = this.#of(span);
    const known = this.#know(a);
    const [sent, received] = bytesOf(a);
    this.#move(peer, sent - (known?.sent ?? 0), received - (known?.received ?? 0));
    this.#count(peer, "connections", 1);
    this.#count(peer, "retransmits", Number(a["wirespan.tcp.retransmits"] ?? 0));
    if (known) known.over ??= 0;
  }

  #fail(span: Span): boolean {
    const known = this.#know(span.attributes);
    if (known?.failed) return false;
    if (known) {
      known.failed = true;
      known.over ??= 0;
    }
    this.#count(this.#of(span), "failures", 1);
    return true;
  }

  #move(peer: Peer, sent: number, received: number): void {
    this.#count(peer, "sent", sent);
    this.#count(peer, "received", received);
  }

  #count(peer: Peer, key: (typeof RATES)[number], amount: number): void {
    peer[key].add(amount);
    this.sums[key].add(amount);
  }

  #know(a: AnyAttributes): Known | undefined {
    const id = a["wirespan.connection.id"];
    if (typeof id !== "string") return undefined;
    let known = this.#known.get(id);
    if (known || this.#known.size >= MOST_KNOWN) return known;
    known = { sent: 0, received: 0, failed: false, over: undefined };
    this.#known.set(id, known);
    return known;
  }

  #of({ attributes: a, resource }: Pick<Span, "attributes" | "resource">): Peer {
    const service = serviceOf(a, resource);
    const direction = a["wirespan.connection.direction"];
    const inbound = direction === "inbound";
    const arrow = inbound ? "←" : direction === "outbound" ? "→" : "·";
    const who = inbound ? `${service}:${String(a["network.local.port"] ?? "?")}` : service;
    // The port of a peer that connected to us is arbitrary.
    const peer = inbound
      ? endpoint({ "p.address": a["network.peer.address"] }, "p")
      : endpoint(a, "network.peer");
    const key = `${who} ${arrow} ${peer}`;
    let found = this.#peers.get(key);
    if (found) return found;
    if (this.#peers.size >= MOST) return this.others;
    found = createPeer(who, arrow, peer);
    this.#peers.set(key, found);
    return found;
  }
}

function tickAll(rates: Rates, elapsed: number): void {
  for (const key of RATES) rates[key].tick(elapsed);
}

function createRates(): Rates {
  const rates = Object.fromEntries(RATES.map((key) => [key, new Rate()]));
  return rates as Record<(typeof RATES)[number], Rate>;
}

function createPeer(service: string, arrow: Peer["arrow"], peer: string): Peer {
  return { service, arrow, peer, ...createRates(), latency: new Latency(), idle: 0, seen: 0 };
}

const bytesOf = (a: AnyAttributes): readonly [sent: number, received: number] => [
  Number(a["wirespan.tcp.bytes_sent"] ?? 0),
  Number(a["wirespan.tcp.bytes_received"] ?? 0),
];
