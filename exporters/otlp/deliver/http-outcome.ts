// The outcome of an HTTP response, or of the lack of one.
import type { IncomingHttpHeaders } from "node:http";
import { connectionTrouble, notHttp, type Peer, statusHint, wantsTls, wrongServerHint } from "./diagnosis.ts";
import { isAboutSize } from "./grpc-status.ts";
import type { Response } from "./http-exchange.ts";
import { excerpt, oneLine } from "./one-line.ts";
import { readAnswer, readStatusMessage } from "./response.ts";
import { probeHttp2, protocolOf, type Speaker, SpeakerCheck } from "./sniff.ts";
import type { Route } from "./socket.ts";
import type { Outcome } from "./transport.ts";

const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Statuses that a server may send if it cannot decompress. */
const UNREADABLE: ReadonlySet<number> = new Set([400, 406, 422, 500, 501]);

export class HttpOutcomes {
  readonly #peer: Peer;
  readonly #route: Route;
  readonly #speaker: SpeakerCheck;

  constructor(peer: Peer, route: Route) {
    this.#peer = peer;
    this.#route = route;
    this.#speaker = new SpeakerCheck(() => probeHttp2(route));
  }

  async ofError(error: Error & { readonly code?: string; readonly rawPacket?: Buffer }): Promise<Outcome> {
    const speaker = await this.#speakerAfter(error);
    const trouble =
      speaker === "tls"
        ? wantsTls(this.#peer)
        : speaker === "http2"
          ? notHttp(this.#peer)
          : error.code?.startsWith("HPE_") || speaker === "other"
            ? `expected an OTLP/HTTP receiver, but something else answered (${oneLine(error.message, 100)}); correct exporters.${this.#peer.exporter}.endpoint`
            : connectionTrouble(error, this.#peer);
    return { status: "retry", message: trouble };
  }

  /** Judged by the bytes that were not an HTTP response; asked, if it closed without any. */
  async #speakerAfter(error: Error & { code?: string; rawPacket?: Buffer }): Promise<Speaker | undefined> {
    if (error.rawPacket !== undefined) return protocolOf(error.rawPacket);
    const closed = error.code === "ECONNRESET" || error.message === "socket hang up";
    if (!closed || this.#route.proxy !== undefined) return undefined;
    return this.#speaker.ask();
  }

  ofResponse(response: Response, count: number): Outcome {
    const { code, headers, body, whole } = response;
    if (code >= 200 && code < 300) {
      this.#speaker.forget();
      const answer = readAnswer(body, count, whole);
      if (answer !== undefined)
        return { status: "ok", rejected: answer.rejected, message: oneLine(answer.message) };
      return {
        status: "unconfirmed",
        message: `expected an OTLP/HTTP response, got ${excerpt(body)} (HTTP ${code})${wrongServerHint(this.#peer)}`,
      };
    }
    const said = errorText(response);
    if (code === 400 && protocolOf(Buffer.from(said)) === "tls") {
      return { status: "retry", message: wantsTls(this.#peer) };
    }
    const message = `HTTP ${code}${said === "" ? "" : `: ${said}`}${location(response)}${statusHint(code, this.#peer)}`;
    if (RETRYABLE.has(code)) return { status: "retry", message, afterMs: retryAfter(headers) };
    if (code === 413 || ([400, 422, 500].includes(code) && isAboutSize(said)))
      return { status: "too_large", message };
    if (code === 415) return { status: "rejected", message, suspect: "compression" };
    if (UNREADABLE.has(code)) return { status: "rejected", message, suspect: "perhaps compression" };
    if (code === 401 || code === 403) return { status: "rejected", message, suspect: "credentials" };
    return { status: "rejected", message };
  }
}

function location({ code, headers }: Response): string {
  if (code < 300 || code >= 400 || headers.location === undefined) return "";
  return ` to ${oneLine(headers.location.replace(/\?.*$/, "?…"), 120)}`;
}

/** The message in the body, whether it is a google.rpc.Status or text. */
function errorText({ headers, body }: Response): string {
  if (body.length === 0) return "";
  if (headers["content-type"]?.includes("protobuf")) {
    try {
      return oneLine(readStatusMessage(body));
    } catch {
      return "";
    }
  }
  return /^\s*</.test(body.subarray(0, 64).toString()) ? excerpt(body) : oneLine(body.toString());
}

/** Milliseconds of a Retry-After header: seconds or a date, compared with the backend's own clock. */
function retryAfter({ "retry-after": value, date }: IncomingHttpHeaders): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const now = Date.parse(date ?? "") || Date.now();
  const pause = Number.isNaN(seconds) ? Date.parse(value) - now : seconds * 1000;
  return Number.isNaN(pause) ? undefined : Math.max(0, pause);
}
