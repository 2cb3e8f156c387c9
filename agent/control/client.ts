// Sends requests to the agent behind a control socket; validates every response.
import { createConnection } from "node:net";
import { requireTrusted } from "../../config/control-socket.ts";
import { CONTROL } from "../../core/base/text.ts";
import { isErrorCode, WirespanError } from "../../core/plugin/errors.ts";

/** `view`: an address of the page with a single-use token. */
export type Command = "status" | "reload" | "view";

/** The result, or the error. */
export type Answer =
  | { readonly result: unknown; readonly error?: never }
  | { readonly error: { readonly code: string; readonly message: string; readonly detail?: string } };

/** Milliseconds until the first byte, and until the last byte of an answer that requires work. A busy host is slow. */
const LIMIT = { first: 10_000, whole: 60_000 };

/** Bytes. */
const LONGEST_ANSWER = 4 * 1024 ** 2;

/**
 * Sends a request to the agent behind a socket. Throws CONTROL if nothing listens, if the socket is not to be trusted,
 * or if there is no valid response whose first byte comes within `first` milliseconds.
 */
export function ask(socket: string, command: Command, first = LIMIT.first): Promise<Answer> {
  if (requireTrusted(socket) === undefined) throw nobody(socket, "there is no such socket");
  return new Promise((resolve, reject) => {
    const connection = createConnection(socket);
    const chunks: Buffer[] = [];
    let length = 0;
    const fail = (error: WirespanError) => {
      connection.destroy();
      reject(error);
    };
    const late = () => fail(failed(socket, "does not answer; is the agent stopped (`kill -CONT` wakes it)?"));
    let timer = setTimeout(late, first);
    connection.on("error", (cause: NodeJS.ErrnoException) => fail(nobody(socket, String(cause.code), cause)));
    connection.on("close", () => {
      clearTimeout(timer);
      reject(failed(socket, "ended the connection without an answer"));
    });
    connection.on("data", (chunk: Buffer) => {
      if (length === 0) {
        clearTimeout(timer);
        timer = setTimeout(late, LIMIT.whole);
      }
      chunks.push(chunk);
      length += chunk.length;
      if (length > LONGEST_ANSWER) {
        fail(failed(socket, "sends a longer answer than an agent does"));
      } else if (chunk.includes("\n")) {
        const answer = read(Buffer.concat(chunks));
        if (answer === undefined) fail(failed(socket, "does not answer like an agent"));
        else resolve(answer);
        connection.destroy();
      }
    });
    connection.write(`${command}\n`);
  });
}

function nobody(socket: string, why: string, cause?: Error): WirespanError {
  const message = `No agent listens on ${socket} (${why}); is one running, as this user? --socket names another path.`;
  return new WirespanError("CONTROL", message, { cause });
}

function failed(socket: string, how: string): WirespanError {
  return new WirespanError("CONTROL", `The program that listens on ${socket} ${how}`);
}

function read(bytes: Buffer): Answer | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(bytes.subarray(0, bytes.indexOf("\n")).toString());
  } catch {
    return undefined;
  }
  if (typeof answer !== "object" || answer === null) return undefined;
  if ("result" in answer) return { result: answer.result };
  return "error" in answer && isError(answer.error) ? { error: answer.error } : undefined;
}

function isError(value: unknown): value is NonNullable<Answer["error"]> {
  if (typeof value !== "object" || value === null) return false;
  const { code, message, detail } = value as Record<string, unknown>;
  return (
    typeof code === "string" &&
    typeof message === "string" &&
    (detail === undefined || typeof detail === "string")
  );
}

/** The result; throws the error in the response. */
export function resultOf(answer: Answer): unknown {
  if (!answer.error) return answer.result;
  const { code, message, detail } = answer.error;
  const options = detail === undefined ? {} : { detail: printable(detail) };
  throw new WirespanError(isErrorCode(code) ? code : "UNEXPECTED", printable(message), options);
}

/** Text from a socket, without control characters for terminals. */
export function printable(text: string): string {
  return text.replace(CONTROL, (c) => (c === "\n" ? c : "\u00b7"));
}
