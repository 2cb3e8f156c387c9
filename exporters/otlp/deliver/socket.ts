// Connects to a target: directly or through a proxy, with or without TLS.
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls, type SecureContext, type TLSSocket } from "node:tls";
import { serverName, type Target } from "./endpoint.ts";
import type { HttpProxy } from "./proxy.ts";
import { trustedAuthorities } from "./tls.ts";

/** A proxy's response to CONNECT, if it is not a success. */
export class ProxyError extends Error {
  readonly status: number;

  constructor(proxy: HttpProxy, status: number, reason: string) {
    super(`the proxy ${proxy.shown} answered CONNECT with ${status} ${reason}`);
    this.status = status;
  }
}

/** A connection; the number of bytes received shows whether the peer is alive. */
export type Channel = Duplex & { readonly bytesRead: number };

export interface Route {
  readonly target: Target;
  readonly proxy: HttpProxy | undefined;
  readonly context: () => SecureContext;
  /** Protocols to offer in the TLS handshake (ALPN). */
  readonly protocols: readonly string[];
}

/** Bytes that follow a proxy's response are the target's first ones, so they come first here. */
class Tunnel extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket, head: Buffer) {
    super();
    this.#socket = socket;
    this.push(head);
    socket.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on("end", () => this.push(null)).on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

/** Resolves with a connected (and, with TLS, verified) socket; rejects with the error, or when `signal` is aborted. */
export async function open(route: Route, signal: AbortSignal): Promise<Channel> {
  const { target, proxy } = route;
  if (proxy !== undefined) {
    const { socket, head } = await throughProxy(target, proxy, signal);
    if (target.secure) return secured(route, { socket }, signal);
    return head.length > 0 ? new Tunnel(socket, head) : socket;
  }
  if (target.secure) return secured(route, { host: target.host, port: target.port }, signal);
  const address =
    target.path === undefined ? { host: target.host, port: target.port } : { path: target.path };
  return established(connect({ ...address, noDelay: true, keepAlive: true }), "connect", signal);
}

function secured(route: Route, to: { socket: Socket } | { host: string; port: number }, signal: AbortSignal) {
  const { target, context, protocols } = route;
  const servername = serverName(target.host);
  const socket = connectTls({
    ...to,
    secureContext: context(),
    ALPNProtocols: [...protocols],
    // Verified against the address if there is no name.
    ...(servername === undefined ? { host: target.host } : { servername }),
  });
  socket.setKeepAlive(true);
  socket.setNoDelay(true);
  return established<TLSSocket>(socket, "secureConnect", signal);
}

function established<S extends Socket>(
  socket: S,
  event: "connect" | "secureConnect",
  signal: AbortSignal,
): Promise<S> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      signal.removeEventListener("abort", aborted);
      socket.destroy();
      reject(error);
    };
    const aborted = (): void => failed(new Error("connection timed out"));
    const closed = (): void => failed(new Error("the connection was closed during the handshake"));
    const done = (): void => {
      signal.removeEventListener("abort", aborted);
      socket.off("error", failed).off("close", closed);
      resolve(socket);
    };
    if (signal.aborted) return aborted();
    signal.addEventListener("abort", aborted, { once: true });
    // The listener stays: errors after the failure have no other.
    socket.on("error", failed).on("close", closed).once(event, done);
    socket.on("error", () => {});
  });
}

function throughProxy(
  target: Target,
  proxy: HttpProxy,
  signal: AbortSignal,
): Promise<{ socket: Socket; head: Buffer }> {
  const { host, port, url, authorization } = proxy;
  const authority = `${target.url.hostname}:${target.port}`;
  return new Promise((resolve, reject) => {
    const connecting = request({
      method: "CONNECT",
      path: authority,
      host,
      port,
      agent: false,
      headers: { host: authority, ...(authorization && { "proxy-authorization": authorization }) },
      ...(url.protocol === "https:" && {
        createConnection: () =>
          connectTls({ host, port, ca: trustedAuthorities(), ...(serverName(host) && { servername: host }) }),
      }),
    });
    const aborted = (): void => void connecting.destroy(new Error("no response in time"));
    signal.addEventListener("abort", aborted, { once: true });
    connecting.once("close", () => signal.removeEventListener("abort", aborted));
    connecting.once("connect", ({ statusCode = 0, statusMessage = "" }, socket: Socket, head: Buffer) => {
      signal.removeEventListener("abort", aborted);
      if (statusCode >= 200 && statusCode < 300) return resolve({ socket, head });
      socket.destroy();
      reject(new ProxyError(proxy, statusCode, statusMessage));
    });
    connecting.once("error", (cause: NodeJS.ErrnoException) => {
      const error = new Error(
        `the proxy ${proxy.shown} (${proxy.variable}) does not answer: ${cause.message}`,
      );
      reject(Object.assign(error, { code: "PROXY", cause }));
    });
    connecting.end();
  });
}
