import assert from "node:assert/strict";
import fc from "fast-check";
import { readAnswer } from "./message.ts";

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 2);

const u16 = (n: number) => [n >> 8, n & 0xff];
const u32 = (n: number) => [...u16(n >>> 16), ...u16(n & 0xffff)];
const name = (text: string) => [
  ...text
    .split(".")
    .filter(Boolean)
    .flatMap((label) => [label.length, ...Buffer.from(label)]),
  0,
];
const record = (of: readonly number[], type: number, ttl: number, data: readonly number[]) => [
  ...of,
  ...u16(type),
  ...u16(1),
  ...u32(ttl),
  ...u16(data.length),
  ...data,
];

interface Message {
  readonly flags?: number;
  readonly questions?: number;
  readonly question?: readonly number[];
  readonly answers?: number;
  readonly records: readonly (readonly number[])[];
}

function message({ flags = 0x8180, questions = 1, question = name("www.test"), ...rest }: Message) {
  const counts = [questions, rest.answers ?? rest.records.length, 0, 0].flatMap(u16);
  return Uint8Array.from([
    ...[0xab, 0xcd, ...u16(flags), ...counts],
    ...[...question, ...u16(1), ...u16(1), ...rest.records.flat()],
  ]);
}

/** To the question's name, which begins after the header. */
const QUESTION = [0xc0, 12];
const [A, CNAME, AAAA] = [1, 5, 28];
const address = record(QUESTION, A, 60, [10, 0, 0, 1]);

describe("a DNS answer", () => {
  it("has the queried name, its addresses and their time to live", () => {
    const six = record(QUESTION, AAAA, 30, [0x20, 0x01, 0x0d, 0xb8, ...Array(11).fill(0), 1]);
    assert.deepEqual(readAnswer(message({ records: [address, six] })), {
      name: "www.test",
      addresses: [
        { text: "10.0.0.1", ttl: 60 },
        { text: "2001:db8::1", ttl: 30 },
      ],
    });
  });

  it("follows aliases in any order, with the shortest time to live of all", () => {
    const records = [
      record(name("b.test"), A, 300, [10, 0, 0, 2]),
      record(name("a.test"), CNAME, 7, name("b.test")),
      record(QUESTION, CNAME, 20, name("A.test")),
      record(name("other.test"), A, 300, [10, 0, 0, 3]),
    ];
    assert.deepEqual(readAnswer(message({ records })), {
      name: "www.test",
      addresses: [{ text: "10.0.0.2", ttl: 7 }],
    });
  });

  it("ends if aliases form a loop", () => {
    const records = [
      record(QUESTION, CNAME, 20, name("a.test")),
      record(name("a.test"), CNAME, 20, name("www.test")),
      address,
    ];
    assert.deepEqual(readAnswer(message({ records }))?.addresses, [{ text: "10.0.0.1", ttl: 60 }]);
  });

  it("lowers the case, and escapes unusual bytes", () => {
    const question = [...[6, ...Buffer.from("A.\\ \x01\xc3", "latin1")], ...name("TEST")];
    assert.equal(
      readAnswer(message({ question, records: [address] }))?.name,
      String.raw`a\.\\\032\001\195.test`,
    );
  });

  it("treats an invalid time to live as 0", () => {
    const records = [record(QUESTION, A, 0x80000001, [10, 0, 0, 1])];
    assert.deepEqual(readAnswer(message({ records }))?.addresses, [{ text: "10.0.0.1", ttl: 0 }]);
  });

  it("ignores other types, classes and sizes", () => {
    const chaos = record(QUESTION, A, 60, [1, 2, 3, 4]);
    chaos[5] = 3;
    const records = [record(QUESTION, 16, 60, [1, 65]), chaos, record(QUESTION, A, 60, [1, 2, 3]), address];
    assert.deepEqual(readAnswer(message({ records }))?.addresses, [{ text: "10.0.0.1", ttl: 60 }]);
  });

  it("is not a query, a failure, another opcode or a message without exactly one question", () => {
    for (const flags of [0x0100, 0x8183, 0x8982])
      assert.equal(readAnswer(message({ flags, records: [address] })), undefined);
    for (const questions of [0, 2])
      assert.equal(readAnswer(message({ questions, records: [address] })), undefined);
    assert.equal(readAnswer(message({ records: [] })), undefined);
  });

  it("keeps complete records of a message truncated at any byte", () => {
    const whole = message({ records: [address, record(QUESTION, A, 60, [10, 0, 0, 2])] });
    const second = whole.length - 16;
    for (let size = 0; size < whole.length; size++)
      assert.equal(readAnswer(whole.subarray(0, size))?.addresses.length, size < second ? undefined : 1);
    assert.equal(readAnswer(message({ records: [address], answers: 65_535 }))?.addresses.length, 1);
  });

  it("does not follow pointers forwards, to themselves, or in a loop", () => {
    const at = message({ records: [] }).length;
    const pointer = (to: number) => [0xc0 | (to >> 8), to & 0xff];
    for (const to of [at, at + 2, at + 40]) {
      const records = [record(pointer(to), A, 60, [10, 0, 0, 1])];
      assert.equal(readAnswer(message({ records })), undefined);
    }
    // A label, then back to before the label.
    const circle = [1, 0x61, ...pointer(at)];
    assert.equal(readAnswer(message({ records: [record(circle, A, 60, [10, 0, 0, 1])] })), undefined);
    assert.equal(readAnswer(message({ question: pointer(12), records: [address] })), undefined);
  });

  it("refuses labels and names that are too long", () => {
    const long = name(Array(5).fill("x".repeat(60)).join("."));
    assert.equal(readAnswer(message({ question: long, records: [address] })), undefined);
    assert.equal(readAnswer(message({ question: [0x40, 0x61, 0], records: [address] })), undefined);
  });

  it("never throws and never takes long, whatever the bytes", function () {
    this.timeout((SECONDS + 20) * 1000);
    const valid = message({ records: [record(QUESTION, CNAME, 9, name("a.test")), address] });
    const spoilt = fc
      .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 8 })
      .map((changes) => {
        const bytes = Uint8Array.from(valid);
        for (const [at, byte] of changes) bytes[at] = byte;
        return bytes;
      });
    const header = fc.constant([0, 0, 0x81, 0x80, 0, 1, 0xff, 0xff, 0, 0, 0, 0]);
    const pointers = fc.array(fc.constantFrom(0, 1, 12, 0x61, 0xc0, 0xff), { maxLength: 1220 });
    const random = fc.tuple(header, pointers).map(([a, b]) => Uint8Array.from([...a, ...b]));
    fc.assert(
      fc.property(fc.oneof(spoilt, random, fc.uint8Array({ maxLength: 1232 })), (bytes) => {
        const answer = readAnswer(bytes);
        assert.ok(!answer || (answer.addresses.length > 0 && answer.addresses.length <= 1232 / 16));
        for (const { ttl } of answer?.addresses ?? []) assert.ok(ttl >= 0 && ttl < 2 ** 31);
      }),
      { interruptAfterTimeLimit: SECONDS * 1000, numRuns: 1_000_000, markInterruptAsFailure: false },
    );
  });
});
