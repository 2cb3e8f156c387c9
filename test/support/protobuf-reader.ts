// A strict reader of protobuf's wire format, independent of our writer.
const utf8 = new TextDecoder("utf-8", { fatal: true });

export function text(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  tag(): readonly [field: number, wire: number] {
    const tag = Number(this.varint());
    return [tag >>> 3, tag & 7];
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error("varint beyond the end");
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        if (byte === 0 && shift > 0n) throw new Error("varint longer than it need be");
        return value;
      }
    }
    throw new Error("varint of more than ten bytes");
  }

  delimited(wire: number, name: string): Uint8Array {
    if (wire !== 2) throw new Error(`${name}: wire type ${wire} instead of 2`);
    return this.#take(Number(this.varint()));
  }

  view(length: number): DataView {
    const bytes = this.#take(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error("length beyond the end");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
