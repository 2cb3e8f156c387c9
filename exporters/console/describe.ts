// What the console shows of a signal: its owner, endpoints and duration.
import { stripVTControlCharacters } from "node:util";
import { CONTROL } from "../../core/base/text.ts";
import type { AnyAttributes, AttributeValue, Resource, Span } from "../../core/plugin/signals.ts";

/** Text chosen by a process or a peer, without control sequences and bidirectional marks. */
export function plain(value: AttributeValue): string {
  const text = stripVTControlCharacters(String(value));
  return text.replace(CONTROL, "\u00b7");
}

/** The service, or the executable if there is no service name. */
export function serviceOf(attributes: AnyAttributes, resource: Resource): string {
  return plain(resource.attributes["service.name"] ?? attributes["process.executable.name"] ?? "?");
}

/** `10.0.0.1:443`, `[::1]:443`; `?` if the address is not known. */
export function endpoint(attributes: AnyAttributes, side: string): string {
  const address = attributes[`${side}.address`];
  const port = attributes[`${side}.port`];
  if (address === undefined) return port === undefined ? "?" : `:${String(port)}`;
  const host = plain(address);
  if (port === undefined) return host;
  return host.includes(":") ? `[${host}]:${String(port)}` : `${host}:${String(port)}`;
}

/** `dropped: NO_SOCKET`, `listener unattended`. */
export function eventName(name: string, attributes: AnyAttributes): string {
  const reason = attributes["wirespan.packet.drop.reason"];
  if (reason !== undefined) return `dropped: ${plain(reason)}`;
  const short = name.replace(/^wirespan\.(tcp|socket)\./, "").replaceAll(/[._]/g, " ");
  const error = attributes["error.type"];
  return error === undefined ? short : `${short}: ${plain(error)}`;
}

/** How long a span lasted, seconds. */
export function seconds({ start, end }: Pick<Span, "start" | "end">): number {
  return Math.max(0, end.sec - start.sec + (end.nsec - start.nsec) / 1e9);
}

/** Already counted by the balance of connections (core/engine/balance.ts). */
const BALANCED = new Set(["lost_connections", "unseen_changes"]);

/** Whether a point of the agent's own metrics counts a loss. */
export function isLoss(metric: string, attributes: AnyAttributes): boolean {
  if (metric === "wirespan.agent.event.unseen") return true;
  if (attributes["error.type"] !== undefined) return true;
  const kind = String(attributes["wirespan.agent.event.kind"]);
  return /^(lost|unseen)_/.test(kind) && !BALANCED.has(kind);
}
