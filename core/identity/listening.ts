// The ports that a process listens on, from /proc; only read if a rule for names has a port.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Maximum number of descriptors of one process. */
const most = 4096;

/** `root`: /proc/PID. Empty if it may not be read. */
export function portsOf(root: string): ReadonlySet<number> {
  const listening = new Map(["tcp", "tcp6"].flatMap((table) => listenersIn(`${root}/net/${table}`)));
  if (listening.size === 0) return new Set();
  const ports = new Set<number>();
  for (const fd of attempt(() => readdirSync(`${root}/fd`), []).slice(0, most)) {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(attempt(() => readlinkSync(`${root}/fd/${fd}`), "")) ?? [];
    const port = inode === undefined ? undefined : listening.get(inode);
    if (port !== undefined) ports.add(port);
  }
  return ports;
}

/** State 0A is LISTEN; the tenth column is the socket's inode. */
function listenersIn(table: string): (readonly [inode: string, port: number])[] {
  return attempt(() => readFileSync(table, "latin1"), "")
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const port = Number.parseInt(fields[1]?.split(":")[1] ?? "", 16);
      return fields[3] === "0A" ? [[fields[9] ?? "", port] as const] : [];
    });
}

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
