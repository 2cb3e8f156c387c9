// One HTTP request with a limited response.
import type { ClientRequest, IncomingMessage } from "node:http";

/** Limits of a response, in milliseconds and bytes. */
const LIMIT = { ms: 5000, bytes: 64 * 1024 ** 2 };

/** Sends the request; returns the response's text. Throws for any status but 200. */
export function get(asked: ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => asked.destroy(new Error(`no answer within ${LIMIT.ms / 1000} s`)),
      LIMIT.ms,
    );
    asked.once("close", () => {
      clearTimeout(timer);
      reject(new Error("it was closed without an answer"));
    });
    asked.on("error", reject);
    asked.once("response", (response: IncomingMessage) => {
      if (response.statusCode !== 200) {
        asked.destroy();
        reject(new Error(`status ${response.statusCode}`));
        return;
      }
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on("data", (part: Buffer) => {
        bytes += part.length;
        if (bytes > LIMIT.bytes) asked.destroy(new Error(`an answer of more than ${LIMIT.bytes} bytes`));
        else parts.push(part);
      });
      response.on("error", reject);
      response.once("end", () => resolve(Buffer.concat(parts).toString()));
    });
    asked.end();
  });
}
