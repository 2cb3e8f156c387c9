// Fields of a protobuf message from another program (https://protobuf.dev/programming-guides/encoding).

/** A varint, or a length-delimited field's bytes; fixed-size fields are skipped. */
export interface Field {
  readonly number: number;
  readonly value: number | Uint8Array;
}

export class MalformedMessage extends Error {}

/** Throws MalformedMessage if it is invalid. */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw new MalformedMessage("it ends within a number");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new MalformedMessage("it has a number of more than 64 bits");
  };
  while (at < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const type = tag % 8;
    if (type === 0) {
      yield { number, value: varint() };
      continue;
    }
    const length = type === 1 ? 8 : type === 5 ? 4 : type === 2 ? varint() : undefined;
    if (length === undefined) throw new MalformedMessage("it has a field of no known type");
    if (at + length > message.length) throw new MalformedMessage("it ends within a field");
    if (type === 2) yield { number, value: message.subarray(at, at + length) };
    at += length;
  }
}
