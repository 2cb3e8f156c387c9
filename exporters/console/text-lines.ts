// A connection or an event as one readable line.
import type { AnyAttributes, Event, Resource, Span, Time } from "../../core/plugin/signals.ts";
import { endpoint, eventName, plain, seconds, serviceOf } from "./describe.ts";
import { clockTime, type Paint, quantity } from "./format.ts";

/** `12:00:00.123  curl[17]  10.0.0.1:4242 → 10.0.0.2:443  1 KiB out, 2 MiB in  12 ms  connection_reset`. */
export function spanLine(span: Span, paint: Paint): string {
  const { attributes: a, spec } = span;
  const error = a["error.type"];
  const name = spec.name === "tcp connection" ? "" : paint.name(spec.name.replace(/^tcp /, ""));
  const retransmits = a["wirespan.tcp.retransmits"];
  const facts = [
    traffic(a),
    quantity(seconds(span), "s"),
    retransmits ? paint.error(`${String(retransmits)} retransmitted`) : "",
    error === undefined ? "" : paint.error(plain(error)),
  ];
  return joined(span.end, a, span.resource, [name, endpoints(a), ...facts], paint);
}

/** `12:00:00.123  curl[17]  dropped: NO_SOCKET  10.0.0.1:4242 → 10.0.0.2:443`. */
export function eventLine(event: Event, paint: Paint): string {
  const { spec, attributes: a, time, resource } = event;
  const name = eventName(spec.name, a);
  const isWarning = spec.severity === "WARN" || spec.severity === "ERROR";
  const count = a["wirespan.packet.count"];
  const facts = [
    isWarning ? paint.error(name) : paint.name(name),
    endpoints(a),
    count === undefined ? "" : `${String(count)} packets`,
    plain(event.body ?? ""),
  ];
  return joined(time, a, resource, facts, paint);
}

function joined(
  time: Time,
  attributes: AnyAttributes,
  resource: Resource,
  facts: readonly string[],
  paint: Paint,
): string {
  const pid = attributes["process.pid"];
  const service = serviceOf(attributes, resource);
  const who = pid === undefined ? service : `${service}[${String(pid)}]`;
  return `${[paint.dim(clockTime(time)), who, ...facts].filter((part) => part !== "").join("  ")}\n`;
}

function traffic(attributes: AnyAttributes): string {
  const sent = attributes["wirespan.tcp.bytes_sent"];
  const received = attributes["wirespan.tcp.bytes_received"];
  if (typeof sent !== "number" || typeof received !== "number") return "";
  return `${quantity(sent, "By")} out, ${quantity(received, "By")} in`;
}

/** `local → peer` for a connection, `←` if the peer opened it. */
function endpoints(a: AnyAttributes): string {
  const pairs = [
    ["network.local", "network.peer"],
    ["source", "destination"],
  ] as const;
  const pair = pairs.find((sides) => sides.some((side) => isKnown(a, side)));
  if (!pair) return isKnown(a, "server") ? endpoint(a, "server") : "";
  const [own, other] = pair.map((side) => (isKnown(a, side) ? endpoint(a, side) : ""));
  if (!own || !other) return own || other || "";
  return `${own} ${a["wirespan.connection.direction"] === "inbound" ? "←" : "→"} ${other}`;
}

const isKnown = (a: AnyAttributes, side: string): boolean =>
  a[`${side}.address`] !== undefined || a[`${side}.port`] !== undefined;
