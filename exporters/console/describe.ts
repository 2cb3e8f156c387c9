// What the console says of a signal: whose it is, between which ends, for how long.
import { stripVTControlCharacters } from "node:util";
import { CONTROL } from "../../core/base/text.ts";
import type { AnyAttributes, AttributeValue, Resource, Span } from "../../core/plugin/signals.ts";

/** Text that a process or a peer chose, without what a terminal would obey or reorder. */
export function plain(value: AttributeValue): string {
  const text = stripVTControlCharacters(String(value));
  return text.replace(CONTROL, "\u00b7");
}

/** The service, or the executable if it is no service's. */
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

/** What the balance of connections says already (core/engine/balance.ts), in words of its own. */
const BALANCED = new Set(["lost_connections", "unseen_changes"]);

/** Whether a point of the agent's own metrics counts what is missing. */
export function isLoss(metric: string, attributes: AnyAttributes): boolean {
  if (metric === "wirespan.agent.event.unseen") return true;
  if (attributes["error.type"] !== undefined) return true;
  const kind = String(attributes["wirespan.agent.event.kind"]);
  return /^(lost|unseen)_/.test(kind) && !BALANCED.has(kind);
}
