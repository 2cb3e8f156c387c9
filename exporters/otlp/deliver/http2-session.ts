// The HTTP/2 session kept to one gRPC endpoint.
import { type ClientHttp2Session, connect } from "node:http2";
import type { TLSSocket } from "node:tls";
import { type Channel, open, type Route } from "./socket.ts";

const channels = new WeakMap<ClientHttp2Session, Channel>();

/** Bytes received on a session's connection; 0 if it is closed. */
export function received(session: ClientHttp2Session): number {
  return session.destroyed ? 0 : (channels.get(session)?.bytesRead ?? 0);
}

/** Milliseconds that a server may take to send its settings. */
const GREETING_MS = 5000;

/** It accepted the connection but did not send HTTP/2 settings. */
export class NoGreeting extends Error {
  /** It sent nothing at all. */
  readonly silent: boolean;

  constructor(silent: boolean, cause?: Error) {
    super("no HTTP/2 greeting", { cause });
    this.silent = silent;
  }
}

export class Http2Session {
  readonly #route: Route;
  #opening: Promise<ClientHttp2Session> | undefined;
  #session: ClientHttp2Session | undefined;
  #closed = false;

  constructor(route: Route) {
    this.#route = route;
  }

  /** The session, opened if none accepts requests. Rejects with the reason if there is none within `ms`. */
  get(ms: number): Promise<ClientHttp2Session> {
    const session = this.#session;
    if (session !== undefined && !session.closed && !session.destroyed) return Promise.resolve(session);
    this.#opening ??= this.#open(ms).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Closes a connection and all its streams. */
  drop(session = this.#session): void {
    session?.destroy();
    if (session === this.#session) this.#session = undefined;
  }

  /** New requests use a new connection; requests in flight are completed. */
  renew(): void {
    this.#session?.close();
    this.#session = undefined;
  }

  close(): void {
    this.#closed = true;
    this.drop();
  }

  async #open(ms: number): Promise<ClientHttp2Session> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), ms);
    try {
      const socket = await open(this.#route, abort.signal);
      const session = await greeted(socket, this.#route, Math.min(ms, GREETING_MS));
      if (this.#closed) session.destroy();
      this.#session = session;
      return session;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Resolves when the server has sent its settings: only then is it known to speak HTTP/2. */
function greeted(socket: Channel, { target }: Route, ms: number): Promise<ClientHttp2Session> {
  const { alpnProtocol } = socket as Partial<TLSSocket>;
  if (target.secure && alpnProtocol && alpnProtocol !== "h2") {
    socket.destroy();
    return Promise.reject(new NoGreeting(false));
  }
  const session = connect(target.url.origin, {
    createConnection: () => socket,
    settings: { enablePush: false },
    maxSessionMemory: 64,
  });
  channels.set(session, socket);
  return new Promise((resolve, reject) => {
    const failed = (error?: Error): void => {
      clearTimeout(timer);
      const silent = socket.bytesRead === 0;
      session.destroy();
      reject(new NoGreeting(silent, error));
    };
    const closed = (): void => failed();
    const timer = setTimeout(closed, ms);
    session.on("error", failed).on("close", closed);
    session.once("remoteSettings", () => {
      clearTimeout(timer);
      session.off("close", closed).off("error", failed);
      // A session's error is also reported by its streams.
      session.on("error", () => {});
      resolve(session);
    });
  });
}
