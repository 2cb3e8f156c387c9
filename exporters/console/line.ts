// A span or an event as one line.
import type { AnyAttributes, AttributeValue, Event, Span, Time } from "../../core/signals.ts";
import { clockTime, type Paint, quantity } from "./format.ts";

/** Shown in a place of their own, or the same on every line. */
const ELSEWHERE =
  /^(network\.(transport|type)|network\.(local|peer)\.(address|port)|(source|destination)\.(address|port)|process\.(pid|executable\.name)|error\.type|wirespan\.connection\.(direction|id))$/;

/** Attributes after the first few are left to the backends. */
const MAX_ATTRIBUTES = 5;

export function spanLine(span: Span, paint: Paint): string {
  const { attributes, start, end } = span;
  const failure =
    span.error === undefined ? "" : paint.error(String(attributes["error.type"] ?? (span.error || "error")));
  const took = quantity(Math.max(0, seconds(end) - seconds(start) + (end.nsec - start.nsec) / 1e9), "s");
  return joined(span.end, span.scope.name, span.spec.name, attributes, [took, failure], paint);
}

export function eventLine(event: Event, paint: Paint): string {
  const { severity, name } = event.spec;
  const warning = severity === "WARN" || severity === "ERROR" ? paint.error(severity) : "";
  return joined(event.time, event.scope.name, name, event.attributes, [warning, event.body ?? ""], paint);
}

function joined(
  time: Time,
  scope: string,
  name: string,
  attributes: AnyAttributes,
  facts: readonly string[],
  paint: Paint,
): string {
  const rest = Object.entries(attributes)
    .filter(([key, value]) => value !== undefined && !ELSEWHERE.test(key))
    .slice(0, MAX_ATTRIBUTES)
    .map(([key, value]) => paint.dim(`${shortKey(key)}=${shown(key, value!)}`));
  const parts = [
    paint.dim(clockTime(time)),
    paint.dim(scope.replace(/^wirespan\./, "").padEnd(11)),
    paint.name(name),
    owner(attributes),
    endpoints(attributes),
    ...facts,
    ...rest,
  ];
  return `${parts.filter((part) => part !== "").join("  ")}\n`;
}

function owner(attributes: AnyAttributes): string {
  const name = attributes["process.executable.name"];
  const pid = attributes["process.pid"];
  if (name === undefined && pid === undefined) return "";
  return `${plain(name ?? "?")}${pid === undefined ? "" : `[${String(pid)}]`}`;
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

function seconds({ sec }: Time): number {
  return sec;
}
