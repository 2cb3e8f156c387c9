// The ids of connections as docs/ids.md defines them, and its test vectors.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { siphash128 } from "./siphash.ts";

const VERSION = 1;

export interface Ids {
  readonly trace: string;
  /** Spans: the opener's and the acceptor's connection, the opener's connect, the acceptor's accept. */
  readonly opener: string;
  readonly acceptor: string;
  readonly connect: string;
  readonly accept: string;
}

export type Domain = 0 | 1 | 2;

/** The key for a salt. */
export function keyOf(salt: string): Uint8Array {
  return createHash("sha256").update(`wirespan ids v1\0${salt}`).digest().subarray(0, 16);
}

/** The hash; a half that would be all zeros is 01 00 …. */
function answer(key: Uint8Array, message: Uint8Array): Buffer {
  const bytes = Buffer.from(siphash128(key, message));
  for (const half of [bytes.subarray(0, 8), bytes.subarray(8)]) {
    if (half.every((byte) => byte === 0)) half[0] = 1;
  }
  return bytes;
}

/** What is hashed for an established connection. */
export function connectionAnswer(
  key: Uint8Array,
  domain: Domain,
  numbers: { readonly opener: number; readonly acceptor: number },
): Buffer {
  const message = Buffer.alloc(16);
  message.set([VERSION, domain]);
  message.writeUInt32LE(numbers.opener, 8);
  message.writeUInt32LE(numbers.acceptor, 12);
  return answer(key, message);
}

export interface Attempt {
  readonly boot: bigint;
  readonly cookie: bigint;
  /** Distinguishes the attempts of one socket. */
  readonly attempt: bigint;
}

/** What is hashed for an attempt that never established. */
export function attemptAnswer(key: Uint8Array, domain: Domain, attempt: Attempt): Buffer {
  const message = Buffer.alloc(32);
  message.set([VERSION, domain | 0x80]);
  message.writeBigUInt64LE(attempt.boot, 8);
  message.writeBigUInt64LE(attempt.cookie, 16);
  message.writeBigUInt64LE(attempt.attempt, 24);
  return answer(key, message);
}

/** An event in an application's own trace. */
export interface InTrace {
  readonly kind: number;
  /** 0: the opener's end, 1: the acceptor's. */
  readonly side: number;
  /** Both initial numbers, the opener's in the lower half, or the cookie of an attempt. */
  readonly numbers: bigint;
  readonly seq: number;
  readonly n: number;
  /** The application's span. */
  readonly parent: string;
}

/** The span id, in hexadecimal. */
export function inTraceId(key: Uint8Array, { kind, side, numbers, seq, n, parent }: InTrace): string {
  const message = Buffer.alloc(32);
  message.set([VERSION, 3, kind, side]);
  message.writeBigUInt64LE(numbers, 8);
  message.writeUInt32LE(seq, 16);
  message.writeUInt32LE(n, 20);
  message.write(parent, 24, "hex");
  return answer(key, message).toString("hex", 0, 8);
}

/** All ids, in hexadecimal, from the hashes for the three domains. */
export function idsOf(of: (domain: Domain) => Buffer): Ids {
  const [connection, handshake] = [of(1).toString("hex"), of(2).toString("hex")];
  return {
    trace: of(0).toString("hex"),
    opener: connection.slice(0, 16),
    acceptor: connection.slice(16),
    connect: handshake.slice(0, 16),
    accept: handshake.slice(16),
  };
}

/** Rows of a table of docs/ids.md by its heading; cells without their backquotes. */
function rowsUnder(heading: string): string[][] {
  const text = readFileSync(new URL("../../docs/ids.md", import.meta.url), "utf8");
  const section = text.split(/^## /m).find((part) => part.startsWith(heading));
  const lines = section?.split("\n").filter((line) => line.startsWith("|")) ?? [];
  return lines.slice(2).map((line) => {
    const cells = line.split("|").slice(1, -1);
    return cells.map((cell) => cell.trim().replaceAll("`", ""));
  });
}

export interface ConnectionVector {
  readonly salt: string;
  readonly numbers: { readonly opener: number; readonly acceptor: number };
  readonly ids: Ids;
}

export function connectionVectors(): ConnectionVector[] {
  return rowsUnder("Vectors: connections").map(([salt = "", own, peer, ...ids]) => {
    const [trace = "", opener = "", acceptor = "", connect = "", accept = ""] = ids;
    const numbers = { opener: Number(own), acceptor: Number(peer) };
    return { salt, numbers, ids: { trace, opener, acceptor, connect, accept } };
  });
}

export interface AttemptVector {
  readonly salt: string;
  readonly attempt: Attempt;
  readonly ids: Pick<Ids, "trace" | "opener" | "connect">;
}

export function attemptVectors(): AttemptVector[] {
  return rowsUnder("Vectors: attempts").map(([salt = "", boot = "", cookie = "", number = "", ...ids]) => {
    const [trace = "", opener = "", connect = ""] = ids;
    const attempt = { boot: BigInt(boot), cookie: BigInt(cookie), attempt: BigInt(number) };
    return { salt, attempt, ids: { trace, opener, connect } };
  });
}

const KINDS = ["", "connect", "accept", "retransmit", "drop", "reset"];

export function inTraceVectors(): { readonly salt: string; readonly event: InTrace; readonly id: string }[] {
  return rowsUnder("Vectors: events").map(([salt = "", kind = "", side = "", ...rest]) => {
    const [numbers = "", seq = "", n = "", parent = "", id = ""] = rest;
    const event = {
      kind: KINDS.indexOf(kind),
      side: side === "acceptor" ? 1 : 0,
      numbers: BigInt(numbers),
      seq: Number(seq),
      n: Number(n),
      parent,
    };
    return { salt, event, id };
  });
}
