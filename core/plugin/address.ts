// IP addresses as text: output as in RFC 5952, input in CIDR notation.

export type Family = "ipv4" | "ipv6";

/** A block of addresses; IPv4 is in the first four bytes. Bits beyond `prefix` are zero. */
export interface Cidr {
  /** 16 bytes, network order. */
  readonly bytes: Uint8Array;
  /** Prefix length: 0..32 for IPv4, 0..128 for IPv6. */
  readonly prefix: number;
  readonly family: Family;
}

// Direct-mapped: a slot holds the last address with its hash, which limits the cache.
const slots = 4096;
const words4 = new Uint32Array(slots);
const texts4 = new Array<string | undefined>(slots).fill(undefined);
const words6 = new Uint32Array(slots * 4);
const texts6 = new Array<string | undefined>(slots).fill(undefined);

/**
 * An address as text. `bytes` is in network order, at least 4 bytes for IPv4 and 16 for IPv6; an IPv4-mapped address
 * that should be shown as IPv4 is passed as its four bytes with `ipv4`.
 */
export function formatAddress(bytes: Uint8Array, family: Family): string {
  return family === "ipv4" ? formatIpv4(bytes) : formatIpv6(bytes);
}

function formatIpv4(bytes: Uint8Array): string {
  const word = wordAt(bytes, 0);
  const slot = slotOf(word);
  const known = texts4[slot];
  if (known !== undefined && words4[slot] === word) return known;
  words4[slot] = word;
  const text = dotted(bytes, 0);
  texts4[slot] = text;
  return text;
}

function formatIpv6(bytes: Uint8Array): string {
  const a = wordAt(bytes, 0);
  const b = wordAt(bytes, 4);
  const c = wordAt(bytes, 8);
  const d = wordAt(bytes, 12);
  const slot = slotOf(Math.imul(a, 31) ^ Math.imul(b, 0x01000193) ^ Math.imul(c, 0x85ebca6b) ^ d);
  const at = slot * 4;
  const known = texts6[slot];
  if (
    known !== undefined &&
    words6[at] === a &&
    words6[at + 1] === b &&
    words6[at + 2] === c &&
    words6[at + 3] === d
  ) {
    return known;
  }
  words6[at] = a;
  words6[at + 1] = b;
  words6[at + 2] = c;
  words6[at + 3] = d;
  const text = colons(bytes);
  texts6[slot] = text;
  return text;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function slotOf(hash: number): number {
  return (Math.imul(hash, 0x9e3779b1) >>> 20) & (slots - 1);
}

function dotted(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function colons(bytes: Uint8Array): string {
  const group = (i: number): number => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!;
  if (isMapped(bytes)) return `::ffff:${dotted(bytes, 12)}`;
  // The longest run of at least two zero groups, the first one if equal, becomes "::".
  let from = 8;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && group(end) === 0) end += 1;
    if (end - i > length) {
      from = i;
      length = end - i;
    }
    i = Math.max(i, end);
  }
  let text = "";
  for (let i = 0; i < 8; i++) {
    if (i === from) {
      text += "::";
      i += length - 1;
    } else {
      if (text !== "" && !text.endsWith(":")) text += ":";
      text += group(i).toString(16);
    }
  }
  return text;
}

function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

/**
 * Parses `10.0.0.0/8`, `2001:db8::/32` or a single address. IPv4-mapped blocks become IPv4. If the text is not a block
 * of addresses, the result is a sentence with the reason.
 */
export function parseCidr(text: string): Cidr | string {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const bytes = parseAddress(address);
  if (bytes === undefined) return `"${text}" is not an IP address or CIDR block`;
  let family: Family = address.includes(":") ? "ipv6" : "ipv4";
  const bits = family === "ipv4" ? 32 : 128;
  const digits = slash < 0 ? `${bits}` : text.slice(slash + 1);
  let prefix = Number(digits);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits) || prefix > bits) {
    return `"${text}": the prefix length of an ${family === "ipv4" ? "IPv4" : "IPv6"} block is 0 to ${bits}`;
  }
  const meant = cut(bytes, prefix);
  if (meant.some((byte, i) => byte !== bytes[i])) {
    const block = `${formatAddress(meant, family)}/${prefix}`;
    return `"${text}" has bits set beyond its prefix length; the block is ${block}`;
  }
  if (family === "ipv6" && prefix >= 96 && isMapped(bytes)) {
    bytes.copyWithin(0, 12);
    bytes.fill(0, 4);
    family = "ipv4";
    prefix -= 96;
  }
  return { bytes, prefix, family };
}

/**
 * An address's bytes, for IPv4 the first four of 16; undefined for other texts, also for an address with a zone id.
 * Accepts what Node's isIPv6 accepts, without the regular expression that it compiles at its first call (3 to 6 ms).
 */
export function parseAddress(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16);
  if (!text.includes(":")) {
    const four = octets(text);
    if (four) bytes.set(four);
    return four && bytes;
  }
  const [before = "", after, ...more] = text.split("::");
  const left = groups(before, after === undefined);
  const right = groups(after ?? "", true);
  if (!left || !right || more.length > 0) return undefined;
  const length = left.length + right.length;
  // "::" stands for at least one group.
  if (after === undefined ? length !== 16 : length > 14) return undefined;
  bytes.set(left);
  bytes.set(right, 16 - right.length);
  return bytes;
}

/** Bytes of the groups between colons; at the end of the address, the last may be an IPv4 address. */
function groups(text: string, atEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const read = parts.map((part, i) => (atEnd && i === parts.length - 1 && octets(part)) || hextet(part));
  return read.every((bytes) => bytes !== undefined) ? read.flat() : undefined;
}

function hextet(text: string): number[] | undefined {
  if (!/^[0-9a-f]{1,4}$/i.test(text)) return undefined;
  const value = Number.parseInt(text, 16);
  return [value >> 8, value & 0xff];
}

function octets(text: string): number[] | undefined {
  const numbers = text.split(".").map((digits) => (/^(0|[1-9]\d{0,2})$/.test(digits) ? Number(digits) : 256));
  return numbers.length === 4 && numbers.every((number) => number < 256) ? numbers : undefined;
}

function cut(bytes: Uint8Array, prefix: number): Uint8Array {
  return bytes.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, prefix - i * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
}
