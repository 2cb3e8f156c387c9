// A span or an event as one line.
import type { AnyAttributes, AttributeValue, Event, Resource, Span, Time } from "../../core/signals.ts";
import { clockTime, type Paint, quantity } from "./format.ts";

/** Shown in a place of their own, the same on nearly every line, or of no use to a reader. */
const ELSEWHERE =
  /^(network\.(transport|type)|(network\.(local|peer)|source|destination)\.(address|port)|process\.(pid|executable\.name)|error\.type|wirespan\.connection\.(direction|id)|wirespan\.netns\..*|wirespan\.tcp\.bytes_(sent|received))$/;

/** What comes after the first few is left to the backends. */
const MAX_ATTRIBUTES = 5;

/** `12:00:00.123  tcplife  tcp connection  curl[17]  10.0.0.1:4242 -> 10.0.0.2:443  1 KiB out, 2 MiB in  12 ms`. */
export function spanLine(span: Span, paint: Paint): string {
  const { attributes, start, end, resource } = span;
  const failure =
    span.error === undefined ? "" : paint.error(String(attributes["error.type"] ?? (span.error || "error")));
  const took = quantity(Math.max(0, end.sec - start.sec + (end.nsec - start.nsec) / 1e9), "s");
  const facts = [traffic(attributes), took, failure];
  return joined(end, span.scope.name, span.spec.name, attributes, resource, facts, paint);
}

export function eventLine(event: Event, paint: Paint): string {
  const { spec, time, scope, attributes, resource } = event;
  const warning = spec.severity === "WARN" || spec.severity === "ERROR" ? paint.error(spec.severity) : "";
  const facts = [warning, plain(event.body ?? "")];
  return joined(time, scope.name, spec.name, attributes, resource, facts, paint);
}

function joined(
  time: Time,
  scope: string,
  name: string,
  attributes: AnyAttributes,
  resource: Resource,
  facts: readonly string[],
  paint: Paint,
): string {
  const rest = Object.entries(attributes)
    .filter(([key, value]) => value !== undefined && value !== 0 && value !== false && !ELSEWHERE.test(key))
    .slice(0, MAX_ATTRIBUTES)
    .map(([key, value]) => paint.dim(`${shortKey(key)}=${shown(key, value!)}`));
  const parts = [
    paint.dim(clockTime(time)),
    paint.dim(scope.replace(/^wirespan\./, "").padEnd(11)),
    paint.name(name),
    owner(attributes, resource),
    endpoints(attributes),
    ...facts,
    ...rest,
  ];
  return `${parts.filter((part) => part !== "").join("  ")}\n`;
}

function owner(attributes: AnyAttributes, resource: Resource): string {
  const name = plain(attributes["process.executable.name"] ?? resource.attributes["service.name"] ?? "?");
  const pid = attributes["process.pid"];
  return pid === undefined ? name : `${name}[${String(pid)}]`;
}

function traffic(attributes: AnyAttributes): string {
  const sent = attributes["wirespan.tcp.bytes_sent"];
  const received = attributes["wirespan.tcp.bytes_received"];
  if (typeof sent !== "number" || typeof received !== "number") return "";
  return `${quantity(sent, "By")} out, ${quantity(received, "By")} in`;
}

/** `local -> peer` for a connection, `<-` where the peer opened it. */
function endpoints(attributes: AnyAttributes): string {
  const own = endpoint(attributes, "network.local") || endpoint(attributes, "source");
  const other = endpoint(attributes, "network.peer") || endpoint(attributes, "destination");
  if (own === "" || other === "") return own || other;
  return `${own} ${attributes["wirespan.connection.direction"] === "inbound" ? "<-" : "->"} ${other}`;
}

function endpoint(attributes: AnyAttributes, side: string): string {
  const address = attributes[`${side}.address`];
  const port = attributes[`${side}.port`];
  if (address === undefined) return "";
  const host = String(address);
  if (port === undefined) return host;
  return host.includes(":") ? `[${host}]:${String(port)}` : `${host}:${String(port)}`;
}

function shortKey(key: string): string {
  return key.split(".").slice(-2).join(".");
}

function shown(key: string, value: AttributeValue): string {
  if (typeof value !== "number") return plain(value);
  if (/bytes/.test(key)) return quantity(value, "By");
  return /(rtt|wait|duration|time)(\.|$)/.test(key) ? quantity(value, "s") : String(value);
}

/** What a process or a peer chose is printed without control characters: a terminal would obey them. */
function plain(value: AttributeValue): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return String(value).replace(/[\u0000-\u001f\u007f-\u009f]/g, "\u00b7");
}
