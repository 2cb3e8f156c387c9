// What went wrong, most recent first; repeated problems are counted, not listed again.
import type { AnyAttributes, Event, Span, Time } from "../../../core/plugin/signals.ts";
import { endpoint, eventName, plain, serviceOf } from "../describe.ts";

/** Number of different problems that are stored. */
const MOST = 200;

export interface Problem {
  time: Time;
  readonly what: string;
  readonly who: string;
  readonly where: string;
  count: number;
}

export class Problems {
  readonly #problems = new Map<string, Problem>();

  /** The most recent first. */
  get all(): readonly Problem[] {
    return [...this.#problems.values()].reverse();
  }

  span({ attributes, resource, end }: Span): void {
    const error = plain(attributes["error.type"] ?? "failed");
    this.#add({ ...end }, error, serviceOf(attributes, resource), endsOf(attributes));
  }

  event({ attributes, resource, time, spec }: Event): void {
    const count = attributes["wirespan.packet.count"];
    this.#add(
      time,
      eventName(spec.name, attributes),
      serviceOf(attributes, resource),
      endsOf(attributes),
      typeof count === "number" ? count : 1,
    );
  }

  #add(time: Time, what: string, who: string, where: string, count = 1): void {
    const key = `${what}\0${who}\0${where}`;
    const known = this.#problems.get(key);
    this.#problems.delete(key);
    this.#problems.set(key, { time, what, who, where, count: (known?.count ?? 0) + count });
    if (this.#problems.size > MOST) {
      const [oldest] = this.#problems.keys();
      this.#problems.delete(oldest!);
    }
  }
}

/** Without ephemeral ports, which would separate equal problems. */
function endsOf(a: AnyAttributes): string {
  const source = a["source.address"];
  if (source !== undefined || a["destination.port"] !== undefined) {
    return `${endpoint({ "s.address": source }, "s")} → ${endpoint(a, "destination")}`;
  }
  if (a["server.port"] !== undefined && a["network.peer.address"] === undefined) return endpoint(a, "server");
  if (a["wirespan.connection.direction"] === "inbound") {
    return `${endpoint(a, "network.local")} ← ${endpoint({ "p.address": a["network.peer.address"] }, "p")}`;
  }
  return `→ ${endpoint(a, "network.peer")}`;
}
