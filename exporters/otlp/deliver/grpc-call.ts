// One unary gRPC call on an HTTP/2 session, and as much of its reply as arrived.
import { once } from "node:events";
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
} from "node:http2";
import { constants } from "node:http2";
import { gunzipSync } from "node:zlib";
import { decodeMessage } from "./grpc-status.ts";
import { RESPONSE_BYTES } from "./response.ts";

/** More than this is an attack, not a response. */
const ENDLESS_BYTES = 16 * RESPONSE_BYTES;
const FRAME = 5;

/** The result of a call. */
export interface Reply {
  readonly headers: IncomingHttpHeaders | undefined;
  /** grpc-status, in the trailers or in headers without a body; undefined: none was received. */
  readonly status: string | undefined;
  readonly message: string;
  /** grpc-status-details-bin. */
  readonly details: Buffer | undefined;
  /** The beginning of the body. */
  readonly body: Buffer;
  /** The body is complete. */
  readonly whole: boolean;
  /** Why it ended early: the stream's or the session's error, or the code of a RST_STREAM. */
  readonly broken: Error | undefined;
}

/** Sends a message and collects the reply. */
export class Call {
  readonly reply: Promise<Reply>;
  readonly #stream: ClientHttp2Stream;
  readonly #cancelled = Promise.withResolvers<Reply>();

  constructor(session: ClientHttp2Session, headers: OutgoingHttpHeaders, payload: Buffer, gzipped: boolean) {
    this.#stream = session.request(headers, { endStream: false });
    this.reply = Promise.race([collect(this.#stream), this.#cancelled.promise]);
    const frame = Buffer.allocUnsafe(FRAME);
    frame[0] = gzipped ? 1 : 0;
    frame.writeUInt32BE(payload.length, 1);
    this.#stream.write(frame);
    this.#stream.end(payload);
  }

  /**
   * Ends the call: the reply is `broken`. Resolves with whether the stream is reset within `ms`: a peer may not read.
   */
  async cancel(broken: Error, ms: number): Promise<boolean> {
    this.#cancelled.resolve({ ...NOTHING, broken });
    if (this.#stream.destroyed) return true;
    const reset = once(this.#stream, "close", { signal: AbortSignal.timeout(ms) });
    // Not destroy(): while data is being sent, Node 24 would then write empty DATA frames without end.
    this.#stream.close(constants.NGHTTP2_CANCEL);
    return reset.then(
      () => true,
      () => false,
    );
  }
}

const NOTHING: Omit<Reply, "broken"> = {
  headers: undefined,
  status: undefined,
  message: "",
  details: undefined,
  body: Buffer.alloc(0),
  whole: false,
};

function collect(stream: ClientHttp2Stream): Promise<Reply> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let headers: IncomingHttpHeaders | undefined;
    let last: IncomingHttpHeaders = {};
    let [kept, size, ended] = [0, 0, false];
    let broken: Error | undefined;
    const finish = (): void => {
      const status = last["grpc-status"] ?? headers?.["grpc-status"];
      const source = last["grpc-status"] === undefined ? (headers ?? {}) : last;
      const details = source["grpc-status-details-bin"];
      resolve({
        headers,
        status: status === undefined ? undefined : String(status),
        message: decodeMessage(String(source["grpc-message"] ?? "")),
        details: details === undefined ? undefined : Buffer.from(String(details), "base64"),
        body: Buffer.concat(chunks),
        whole: ended && kept === size,
        broken: resetOf(broken, stream, ended),
      });
    };
    stream.on("response", (got) => {
      headers = got;
    });
    stream.on("trailers", (got) => {
      last = got;
    });
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (kept < RESPONSE_BYTES) {
        const part = chunk.subarray(0, RESPONSE_BYTES - kept);
        chunks.push(part);
        kept += part.length;
      }
      if (size > ENDLESS_BYTES) stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on("end", () => {
      ended = true;
      // The reply is complete; the backend does not need the rest of the request.
      if (stream.writableFinished) finish();
      else stream.close(constants.NGHTTP2_NO_ERROR);
    });
    stream.on("error", (error) => {
      broken ??= error;
    });
    stream.on("close", finish);
  });
}

/** What ended a stream early: Node reports no error for some codes of RST_STREAM. */
function resetOf(error: Error | undefined, stream: ClientHttp2Stream, ended: boolean): Error | undefined {
  const code = /^Stream closed with error code NGHTTP2_(\w+)/.exec(error?.message ?? "")?.[1];
  if (error !== undefined && code === undefined) return error;
  if (error === undefined && ended) return undefined;
  return new Error(`the backend reset the stream (${code ?? stream.rstCode ?? 0})`);
}

/**
 * The message of a reply's body, and whether all of it is there; an empty one if there is no body. undefined: the
 * body is not a gRPC message.
 */
export function messageOf({ body, whole, headers }: Reply): { bytes: Buffer; whole: boolean } | undefined {
  if (body.length === 0) return { bytes: body, whole: true };
  if (body.length < FRAME || body[0]! > 1) return undefined;
  const length = body.readUInt32BE(1);
  const bytes = body.subarray(FRAME, FRAME + length);
  const complete = bytes.length === length;
  if (whole && !complete) return undefined;
  if (body[0] === 0) return { bytes, whole: complete };
  if (headers?.["grpc-encoding"] !== "gzip" || !complete) return undefined;
  try {
    return { bytes: gunzipSync(bytes, { maxOutputLength: ENDLESS_BYTES }), whole: true };
  } catch {
    return undefined;
  }
}
