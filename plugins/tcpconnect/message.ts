// The part of a DNS message (RFC 1035) that maps names to addresses. It comes from the network: no length and no
// pointer in it can be trusted.
import { formatAddress } from "../../core/plugin/address.ts";

export interface Answer {
  /** The queried name, in lower case; unusual bytes as `\DDD`. */
  readonly name: string;
  readonly addresses: readonly Address[];
}

export interface Address {
  readonly text: string;
  /** Seconds for which everything is valid that led from the name to the address. */
  readonly ttl: number;
}

const HEADER = 12;
const MOST_NAME = 255;
const [A, CNAME, AAAA] = [1, 5, 28];
const INTERNET = 1;

/** What makes a message unreadable from here on. */
class Unreadable extends Error {}

class Reader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  u8(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new Unreadable();
    return byte;
  }

  u16(): number {
    return (this.u8() << 8) | this.u8();
  }

  u32(): number {
    return this.u16() * 65536 + this.u16();
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.#bytes.length) throw new Unreadable();
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /**
   * A pointer may only lead to before the beginning of the name or the part that is being read, so that reading
   * terminates.
   */
  name(): string {
    const labels: string[] = [];
    let length = 0;
    let [begin, end] = [this.at, 0];
    for (let size = this.u8(); size !== 0; size = this.u8()) {
      if (size >= 0xc0) {
        const target = ((size & 0x3f) << 8) | this.u8();
        if (target >= begin) throw new Unreadable();
        end ||= this.at;
        this.at = begin = target;
        continue;
      }
      length += size + 1;
      if (size > 63 || length >= MOST_NAME) throw new Unreadable();
      labels.push(labelOf(this.take(size)));
    }
    if (end) this.at = end;
    return labels.join(".");
  }
}

/** In the notation of RFC 4343; upper case is lowered byte by byte, because resolvers vary it. */
function labelOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte >= 0x41 && byte <= 0x5a) text += String.fromCharCode(byte + 32);
    else if (byte === 0x2e || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else if (byte > 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += `\\${String(byte).padStart(3, "0")}`;
  }
  return text;
}

interface Records {
  readonly aliases: Map<string, { readonly to: string; readonly ttl: number }>;
  readonly addresses: { readonly of: string; readonly text: string; readonly ttl: number }[];
}

function readRecord(reader: Reader, { aliases, addresses }: Records): void {
  const of = reader.name();
  const type = reader.u16();
  const internet = reader.u16() === INTERNET;
  const seconds = reader.u32();
  // RFC 2181, 8: a number with the highest bit set is invalid.
  const ttl = seconds < 2 ** 31 ? seconds : 0;
  const size = reader.u16();
  const end = reader.at + size;
  if (internet && type === CNAME) aliases.set(of, { to: reader.name(), ttl });
  else if (internet && type === A && size === 4)
    addresses.push({ of, text: formatAddress(reader.take(4), "ipv4"), ttl });
  else if (internet && type === AAAA && size === 16)
    addresses.push({ of, text: formatAddress(reader.take(16), "ipv6"), ttl });
  reader.at = end;
}

/** The aliases of a name, itself first, and their time to live. */
function chain(name: string, { aliases }: Records): ReadonlyMap<string, number> {
  const found = new Map([[name, Number.POSITIVE_INFINITY]]);
  let ttl = Number.POSITIVE_INFINITY;
  // They may form a loop.
  for (let alias = aliases.get(name); alias && !found.has(alias.to); alias = aliases.get(alias.to)) {
    ttl = Math.min(ttl, alias.ttl);
    found.set(alias.to, ttl);
  }
  return found;
}

/**
 * The content of an answer; undefined if it is not an answer, or is empty. If a message is truncated, or invalid
 * from some byte on, the complete records before that are used.
 */
export function readAnswer(bytes: Uint8Array): Answer | undefined {
  const reader = new Reader(bytes, 2);
  const records: Records = { aliases: new Map(), addresses: [] };
  let name = "";
  try {
    const flags = reader.u16();
    const isAnswer = (flags & 0xf80f) === 0x8000;
    const questions = reader.u16();
    const answers = reader.u16();
    if (!isAnswer || questions !== 1) return undefined;
    reader.at = HEADER;
    name = reader.name();
    reader.take(4);
    for (let i = 0; i < answers; i++) readRecord(reader, records);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
  }
  const ttls = chain(name, records);
  const addresses = records.addresses.flatMap(({ of, text, ttl }) => {
    const upTo = ttls.get(of);
    return upTo === undefined ? [] : [{ text, ttl: Math.min(ttl, upTo) }];
  });
  return name && addresses.length ? { name, addresses } : undefined;
}
