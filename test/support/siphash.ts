// SipHash with a 128-bit result, after the paper (Aumasson, Bernstein: SipHash, a fast short-input PRF), byte
// by byte and in BigInt: slow, and independent of the code that it checks.

const MASK = (1n << 64n) - 1n;
const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & MASK;

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

class State {
  readonly #v: [bigint, bigint, bigint, bigint];

  constructor(key: Uint8Array) {
    const [k0, k1] = [littleEndian(key.subarray(0, 8)), littleEndian(key.subarray(8, 16))];
    const text = Buffer.from("somepseudorandomlygeneratedbytes");
    const constant = (i: number): bigint => text.readBigUInt64BE(8 * i);
    this.#v = [k0 ^ constant(0), k1 ^ constant(1) ^ 0xeen, k0 ^ constant(2), k1 ^ constant(3)];
  }

  #rounds(count: number): void {
    const v = this.#v;
    for (let i = 0; i < count; i++) {
      v[0] = (v[0] + v[1]) & MASK;
      v[1] = rotate(v[1], 13n) ^ v[0];
      v[0] = rotate(v[0], 32n);
      v[2] = (v[2] + v[3]) & MASK;
      v[3] = rotate(v[3], 16n) ^ v[2];
      v[0] = (v[0] + v[3]) & MASK;
      v[3] = rotate(v[3], 21n) ^ v[0];
      v[2] = (v[2] + v[1]) & MASK;
      v[1] = rotate(v[1], 17n) ^ v[2];
      v[2] = rotate(v[2], 32n);
    }
  }

  take(word: bigint): void {
    this.#v[3] ^= word;
    this.#rounds(2);
    this.#v[0] ^= word;
  }

  give(into: 1 | 2, constant: bigint): bigint {
    this.#v[into] ^= constant;
    this.#rounds(4);
    return this.#v.reduce((sum, word) => sum ^ word);
  }
}

/** SipHash-2-4-128 of a message under a key of 16 bytes: 16 bytes. */
export function siphash128(key: Uint8Array, message: Uint8Array): Uint8Array {
  const state = new State(key);
  const whole = message.length - (message.length % 8);
  for (let at = 0; at < whole; at += 8) state.take(littleEndian(message.subarray(at, at + 8)));
  state.take((BigInt(message.length & 0xff) << 56n) | littleEndian(message.subarray(whole)));
  const answer = Buffer.alloc(16);
  answer.writeBigUInt64LE(state.give(2, 0xeen), 0);
  answer.writeBigUInt64LE(state.give(1, 0xddn), 8);
  return answer;
}
