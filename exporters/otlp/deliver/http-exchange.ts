// One HTTP/1.1 request and the relevant part of its response.
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { gunzipSync } from "node:zlib";
import { RESPONSE_BYTES } from "./response.ts";
import { Late } from "./transport.ts";

export interface Response {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  /** The beginning of the body. */
  readonly body: Buffer;
  /** The body is complete. */
  readonly whole: boolean;
}

/** Sends `payload` and resolves with the response; rejects with the error, or Late after `ms`. */
export function exchange(request: ClientRequest, payload: Buffer, ms: number): Promise<Response> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => request.destroy(new Late()), ms);
    const failed = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    request.on("error", failed);
    request.on("response", (response) => {
      read(response, failed, (body, whole) => {
        clearTimeout(timer);
        resolve({ code: response.statusCode ?? 0, headers: response.headers, body, whole });
        // The rest of an endless response, or of a request that was answered early, is not needed.
        if (!whole || !request.writableFinished) request.destroy();
      });
    });
    request.end(payload);
  });
}

function read(
  response: IncomingMessage,
  failed: (error: Error) => void,
  done: (body: Buffer, whole: boolean) => void,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size > RESPONSE_BYTES) {
      response.removeAllListeners("data").on("error", () => {});
      done(Buffer.concat(chunks).subarray(0, RESPONSE_BYTES), false);
    }
  });
  response.on("error", (error) => {
    if (size <= RESPONSE_BYTES) failed(error);
  });
  response.on("end", () => {
    if (size <= RESPONSE_BYTES) done(decoded(Buffer.concat(chunks), response), true);
  });
}

/** Some servers compress although it was not requested. */
function decoded(body: Buffer, { headers }: IncomingMessage): Buffer {
  if (headers["content-encoding"] !== "gzip") return body;
  try {
    return gunzipSync(body, { maxOutputLength: 4 * RESPONSE_BYTES });
  } catch {
    return body;
  }
}
