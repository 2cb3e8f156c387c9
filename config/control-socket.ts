// The path of the control socket, and whether an existing socket can be trusted, by rules like those of ssh.
import { lstatSync, type Stats, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { WirespanError } from "../core/plugin/errors.ts";

/** The kernel accepts no longer path, and Node would truncate it. */
export const LONGEST = 107;

const NAME = "control.sock";

function found(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Where the agent of this user listens by default. */
export function defaultSocket(): string {
  const uid = process.getuid!();
  // systemd's RuntimeDirectory=, which may have several.
  const runtime = process.env.RUNTIME_DIRECTORY?.split(":")[0];
  if (runtime) return join(runtime, NAME);
  const shared = "/run/wirespan";
  if (uid === 0 || isOwn(shared, uid)) return join(shared, NAME);
  const session = process.env.XDG_RUNTIME_DIR;
  return session ? join(session, "wirespan", NAME) : join(tmpdir(), `wirespan-${uid}`, NAME);
}

/** A folder of this user, created for a service that runs as that user. */
function isOwn(path: string, uid: number): boolean {
  try {
    const stat = lstatSync(path);
    return stat.isDirectory() && stat.uid === uid;
  } catch {
    return false;
  }
}

function refuse(socket: string, why: string): never {
  throw new WirespanError(
    "CONTROL",
    `control.socket: ${socket}: ${why}; name another path, or fix that one (\`ls -ld\` shows it).`,
  );
}

/** In a folder that others may write to, they can only add names if it is sticky: /tmp. */
const isOpen = ({ mode }: Stats): boolean => (mode & 0o022) !== 0 && (mode & 0o1000) === 0;

/**
 * Throws CONTROL, with what is wrong and how to fix it, for a folder in which another user could replace our socket:
 * every folder on the path must belong to this user or root and be writable by no other.
 */
export function requireSafeFolder(socket: string): void {
  const uid = process.getuid!();
  const ours = ({ uid: owner }: Stats): boolean => owner === uid || owner === 0;
  for (let path = dirname(socket); ; path = dirname(path)) {
    const link = lstatSync(path);
    if (path === dirname(socket) && link.isSymbolicLink()) refuse(socket, `${path} is a link`);
    const stat = statSync(path);
    if (!stat.isDirectory()) refuse(socket, `${path} is not a folder`);
    for (const each of [link, stat]) {
      if (!ours(each)) {
        refuse(socket, `${path} belongs to user ${each.uid}, not to user ${uid}, whose agent this is`);
      }
    }
    if (isOpen(stat))
      refuse(socket, `others may write to ${path} (mode ${octal(stat)}; chmod go-w closes it)`);
    if (path === dirname(path)) return;
  }
}

const octal = ({ mode }: Stats): string => (mode & 0o7777).toString(8).padStart(4, "0");

/** The existing socket at the path; undefined if there is nothing. Throws CONTROL for anything else. */
export function requireSocket(socket: string): Stats | undefined {
  const stat = found(socket);
  if (stat === undefined || stat.isSocket()) return stat;
  const kind = stat.isDirectory() ? "a folder" : stat.isSymbolicLink() ? "a link" : "a file";
  return refuse(socket, `it is ${kind}, not a socket, and is left as it is`);
}

/** The same, if it also belongs to this user or root. Root may use any user's agent. */
export function requireTrusted(socket: string): Stats | undefined {
  const stat = requireSocket(socket);
  const uid = process.getuid!();
  if (stat !== undefined && uid !== 0 && stat.uid !== uid && stat.uid !== 0) {
    refuse(
      socket,
      `it belongs to user ${stat.uid}, not to user ${uid}: someone else may answer in place of the agent`,
    );
  }
  return stat;
}
