// gRPC's status codes and their meaning for an export.
import { oneLine } from "./one-line.ts";
import { readRetryDelay } from "./response.ts";
import type { Outcome } from "./transport.ts";

const NAMES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

export type StatusName = (typeof NAMES)[number];

/** According to OTLP's specification. */
const RETRYABLE: ReadonlySet<StatusName> = new Set([
  "CANCELLED",
  "DEADLINE_EXCEEDED",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNAVAILABLE",
  "DATA_LOSS",
]);

/** How gRPC implementations, and HTTP servers, report that a message is too large. */
const SIZE =
  /larger than (the )?max|too (large|big|long)|exceed\w* (the )?(max\w*|limit|allowed|configured)|size limit|(size|length)[^.]{0,40}exceed/i;

/** How they report that they cannot decompress. */
const COMPRESSION = /compress|encoding|gzip/i;

export function statusName(code: number): StatusName {
  return NAMES[code] ?? "UNKNOWN";
}

/** Whether a rejection is about the size of the message. */
export function isAboutSize(message: string): boolean {
  return SIZE.test(message);
}

export function isAboutCompression(message: string): boolean {
  return COMPRESSION.test(message);
}

/** The outcome of a call with this status (not OK); `details` is a google.rpc.Status. */
export function outcomeOfStatus(code: number, said: string, details: Uint8Array | undefined): Outcome {
  const name = statusName(code);
  const message = `${NAMES[code] ?? `status ${code}`}: ${oneLine(said) || "no reason given"}`;
  const sizes: readonly StatusName[] = [
    "RESOURCE_EXHAUSTED",
    "OUT_OF_RANGE",
    "INVALID_ARGUMENT",
    "FAILED_PRECONDITION",
  ];
  if (sizes.includes(name) && isAboutSize(said)) return { status: "too_large", message };
  const afterMs = retryDelay(details);
  const again = RETRYABLE.has(name) || (name === "RESOURCE_EXHAUSTED" && afterMs !== undefined);
  return again ? { status: "retry", message, afterMs } : { status: "rejected", message };
}

function retryDelay(details: Uint8Array | undefined): number | undefined {
  try {
    return details && readRetryDelay(details);
  } catch {
    return undefined;
  }
}

/** The gRPC status for an HTTP response without one, according to gRPC's specification. */
export function statusOfHttp(code: number): number {
  const names: Readonly<Record<number, StatusName>> = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    429: "UNAVAILABLE",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
  };
  return NAMES.indexOf(names[code] ?? "UNKNOWN");
}

/** The text of a grpc-message header. */
export function decodeMessage(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
