// A systemd service's name as a service.name: unit files are written by hand, so the names mean something and are few.

/**
 * The innermost service in a cgroup path, without `.service`. Undefined in scopes, sessions, user managers and
 * transient units, whose names mean nothing or vary.
 */
export function serviceOf(segments: readonly string[]): string | undefined {
  const segment = segments.findLast((name) => name.endsWith(".service"));
  if (segment === undefined) return undefined;
  // systemd puts "_" before a unit name that would collide with one of the kernel's files.
  const escaped = segment.slice(segment.startsWith("_") ? 1 : 0, -".service".length);
  const at = escaped.indexOf("@");
  const template = at < 0 ? escaped : escaped.slice(0, at);
  const instance = at < 0 ? "" : escaped.slice(at + 1);
  if (template === "user" && at >= 0) return undefined;
  if (transient.test(template)) return undefined;
  const name = plain(instance === "" || isPerConnection(instance) ? template : escaped);
  return name === "" ? undefined : name;
}

const transient = /^run-(r[0-9a-f]{32}|u\d+|p\d+-i\d+)$/;

/**
 * A cgroup's path without variable parts: sessions, transient units and scopes, instances for one connection. What
 * runs in them successively has the same path.
 */
export function stablePath(segments: readonly string[]): string {
  const lasting = segments.flatMap((segment) => {
    const [, name = "", kind] = /^(.*)\.(scope|service)$/.exec(segment) ?? [];
    if (kind === undefined) return [segment];
    if (transient.test(name) || (kind === "scope" && /^(session-|run-|.*-\d+$)/.test(name))) return [];
    const at = name.indexOf("@");
    return at >= 0 && isPerConnection(name.slice(at + 1)) ? [`${name.slice(0, at + 1)}.service`] : [segment];
  });
  return `/${lasting.join("/")}`;
}

/** An instance of an `Accept=yes` socket: a sequence number and both addresses (or pid and uid). */
function isPerConnection(instance: string): boolean {
  return /^\d+-(.+:\d+-.+:\d+|\d+-\d+)$/.test(instance);
}

/** Decodes systemd's `\x2d`; several in a row may be one character in UTF-8. */
function plain(name: string): string {
  return name.replace(/(?:\\x[0-9a-f]{2})+/gi, (bytes) =>
    Buffer.from(bytes.replaceAll("\\x", ""), "hex").toString("utf8"),
  );
}
