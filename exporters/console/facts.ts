// What the console says of a signal: whose it is, between which ends, for how long.
import { stripVTControlCharacters } from "node:util";
import type { AnyAttributes, AttributeValue, Resource, Span } from "../../core/signals.ts";

/** Text that a process or a peer chose, without what a terminal would obey or reorder. */
export function plain(value: AttributeValue): string {
  const text = stripVTControlCharacters(String(value));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\u00b7");
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
