// Finds out which protocol a server speaks if it is not the expected one: after a failure, for a helpful log line.
import { isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Channel, open, type Route } from "./socket.ts";

export type Speaker = "http1" | "http2" | "tls" | "other" | "silent";

/** HTTP/2's preface and empty SETTINGS. */
const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
const PATIENCE_MS = 1500;
const ASK_AGAIN_MS = 30_000;

/** Asks a server for its protocol, at most every 30 s. */
export class SpeakerCheck {
  readonly #ask: () => Promise<Speaker>;
  #asked: { readonly speaker: Promise<Speaker>; readonly at: number } | undefined;

  constructor(ask: () => Promise<Speaker>) {
    this.#ask = ask;
  }

  /** The last answer, unless it is too old. */
  ask(): Promise<Speaker> {
    if (this.#asked === undefined || performance.now() - this.#asked.at > ASK_AGAIN_MS) {
      this.#asked = { speaker: this.#ask(), at: performance.now() };
    }
    return this.#asked.speaker;
  }

  /** The server has responded as expected. */
  forget(): void {
    this.#asked = undefined;
  }
}

/** Asks as HTTP/1.1 for `path`, with an empty export request. */
export function probeHttp1(route: Route, path: string): Promise<Speaker> {
  const { url } = route.target;
  const hello = `POST ${path} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`;
  return ask({ ...route, protocols: ["http/1.1"] }, Buffer.from(hello));
}

/** Asks as HTTP/2, as gRPC does. */
export function probeHttp2(route: Route): Promise<Speaker> {
  return ask({ ...route, protocols: ["h2"] }, PREFACE);
}

/** Whether TLS is spoken if plain text got no answer: only the handshake is sent, and nothing is verified. */
async function probeTls({ target, proxy }: Route): Promise<Speaker> {
  if (target.secure || proxy !== undefined || target.path !== undefined) return "silent";
  const { host, port } = target;
  const socket = connectTls({
    host,
    port,
    rejectUnauthorized: false,
    ...(isIP(host) === 0 && { servername: host }),
  });
  return new Promise((resolve) => {
    const done = (speaker: Speaker): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(speaker);
    };
    const timer = setTimeout(done, PATIENCE_MS, "silent");
    socket.on("error", ({ message }) => done(/\balert\b/i.test(message) ? "tls" : "silent"));
    socket.on("secureConnect", () => done("tls"));
  });
}

async function ask(route: Route, hello: Buffer): Promise<Speaker> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const speaker = protocolOf(await firstBytes(await open(route, signal), hello));
    return speaker === "silent" ? await probeTls(route) : speaker;
  } catch {
    return "silent";
  }
}

function firstBytes(socket: Channel, hello: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(bytes);
    };
    const timer = setTimeout(done, PATIENCE_MS);
    socket.on("error", done).on("close", done);
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length > 1024) done();
    });
    socket.write(hello);
  });
}

/** The protocol of the first bytes of a response. */
export function protocolOf(bytes: Buffer): Speaker {
  if (bytes.length === 0) return "silent";
  const text = bytes.toString("latin1");
  // Go and nginx report in plain text that they require TLS.
  if (/\bHTTPS (server|port)\b/i.test(text)) return "tls";
  if (text.startsWith("HTTP/1.")) return "http1";
  if (bytes[0] === 0x15 && bytes[1] === 3) return "tls";
  // A SETTINGS frame of stream 0, or GOAWAY.
  if (bytes.length >= 9 && bytes[0] === 0 && (bytes[3] === 4 || bytes[3] === 7)) return "http2";
  return "other";
}
