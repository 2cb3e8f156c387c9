// Access control: SECURITY.md has the reasons. Tests: store/http/server.test.ts.
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Tokens } from "./tokens.ts";

/** Names by which a browser on this host, or at the other end of a forwarded port, reaches the page. */
const HOSTS = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

const COOKIE = "wirespan";

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; worker-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

export interface GuardOptions {
  /** Ids of users that need no token; root needs none. */
  readonly users: readonly number[];
  /** A token that every client needs, because other hosts can reach the address. */
  readonly token: string | undefined;
  /** Reachable from other hosts, under unknown names. */
  readonly isOpen: boolean;
}

/** Why a request is refused. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

export class Guard {
  readonly tokens: Tokens;
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.tokens = new Tokens(options.token);
  }

  /** Sets the headers that every answer has. */
  protect(response: ServerResponse): void {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  }

  /** Undefined: it is allowed. */
  refusal(request: IncomingMessage): Refusal | undefined {
    const { method, headers } = request;
    if (!this.#options.isOpen && !HOSTS.test(headers.host ?? ""))
      return { status: 421, text: "this address is not the page's: use 127.0.0.1, localhost or [::1]" };
    if (method !== "GET") return { status: 405, text: "the page changes nothing: GET only" };
    const site = headers["sec-fetch-site"];
    if (site !== undefined && site !== "same-origin" && site !== "none")
      return { status: 403, text: "requests of other sites are refused" };
    return undefined;
  }

  /** Undefined: this client may see data. */
  async unauthorized(request: IncomingMessage): Promise<Refusal | undefined> {
    if (this.#mayUser(request) || (await this.tokens.holds(cookieOf(request)))) return undefined;
    return {
      status: 401,
      text: "this user may not see the page: open the address that wirespan view --url prints, or list the user in viewer.users",
    };
  }

  /** Exchanges a token for a cookie; false if it is wrong. */
  async admit(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const [, given] = /^Bearer ([\w-]+)$/.exec(request.headers.authorization ?? "") ?? [];
    const session = given && (await this.tokens.exchange(given));
    if (!session) return false;
    response.setHeader("set-cookie", `${COOKIE}=${session}; HttpOnly; SameSite=Strict; Path=/`);
    return true;
  }

  #mayUser({ socket }: IncomingMessage): boolean {
    if (this.#options.token !== undefined) return false;
    const uid = userOf(socket);
    return uid !== undefined && (uid === 0 || this.#options.users.includes(uid));
  }
}

function cookieOf({ headers }: IncomingMessage): string {
  const [, value = ""] = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]+)`).exec(headers.cookie ?? "") ?? [];
  return value;
}

/** Known owners: a connection keeps its owner until it is closed. */
const owners = new WeakMap<Socket, number>();

/**
 * The user who owns the other end of a loopback connection, according to /proc/net/tcp and tcp6; undefined if it is
 * not found there, for example because it is in another network namespace. Ports alone are not enough: another user can
 * bind a port that is in use at another loopback address.
 */
export function userOf(socket: Socket): number | undefined {
  const uid = owners.get(socket) ?? findOwner(socket);
  if (uid !== undefined) owners.set(socket, uid);
  return uid;
}

function findOwner(socket: Socket): number | undefined {
  const [client, own] = [hexOf(socket.remoteAddress), hexOf(socket.localAddress)];
  if (client === undefined || own === undefined) return undefined;
  // A client's IPv6 socket may use IPv4.
  const mapped = client.length === 8 ? "0000000000000000FFFF0000" : "";
  for (const [file, prefix] of [["/proc/net/tcp", ""] as const, ["/proc/net/tcp6", mapped] as const]) {
    const end = (address: string, port = 0) =>
      `${prefix}${address}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const ends = `${end(client, socket.remotePort)} ${end(own, socket.localPort)}`;
    const found = new RegExp(`^ *\\d+: ${ends} 01 \\S+ \\S+ \\S+ +(\\d+) `, "m").exec(read(file));
    if (found) return Number(found[1]);
  }
  return undefined;
}

/** A loopback address as the kernel prints it: words in the host's byte order. */
function hexOf(address = ""): string | undefined {
  if (address === "::1") return "00000000000000000000000001000000";
  const [, bytes] = /^(?:::ffff:)?(127(?:\.\d+){3})$/.exec(address) ?? [];
  return bytes && Buffer.from(bytes.split(".").map(Number)).reverse().toString("hex").toUpperCase();
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
