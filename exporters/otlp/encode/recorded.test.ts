// What is written, or stored in columns, from a record's words, compared with the object that the same declarations
// give: for each record of the tracker and of every plugin, with any content that the kernel may produce.
import assert from "node:assert/strict";
import fc from "fast-check";
import { ConnCursor } from "../../../bpf/include/wirespan/structs.skel.ts";
import { LinkedRecordCursor, skeleton as tracker } from "../../../bpf/tracker/tracker.skel.ts";
import { importPlugins, installedPlugins } from "../../../core/engine/discover.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import type { AttributeSpecs, AttributeType, Event, Sink, Span } from "../../../core/plugin/signals.ts";
import type { Cursor, Fields, Place, Records } from "../../../core/plugin/skeleton.ts";
import { Recorded, RecordedSpan, values } from "../../../core/plugin/values.ts";
import { effort, FUZZ_MS } from "../../../test/support/fuzz.ts";
import { decodeLogs, decodeTraces } from "../../../test/support/otlp-decode.ts";
import { BIT, Rig } from "../../../test/support/rig.ts";
import { connectionSpan } from "../../../test/support/telemetry.ts";
import { RowBuilder } from "../../local/columns.ts";
import { RecordedRows } from "../../local/recorded.ts";
import { Encoder } from "./encoder.ts";

/** Fields with only a few meaningful values, or that count what follows. */
const AMONG: Readonly<Record<string, readonly number[]>> = {
  family: [0, 4, 6],
  contexts: [0, 1, 2, 8],
  frames: [0, 1, 8],
  span: [0, 1, 2, 3],
  wanted: [0, BIT, 0xffffffff],
};

/** Of a row, without attributes. */
const HEAD = { traceId: undefined, spanId: undefined, start: 0, duration: 0, resource: 1, kind: 0 };

type Random = (below: number) => number;

function randomOf(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const TEXTS = [
  "",
  "a",
  "nginx: worker",
  "exactly 16 bytes",
  "käfer",
  "\u{1f98b}",
  "\x7f\n",
  "sixteen bytés…",
];

/** Any content of a field. Times on the boot clock, counts and cookies stay below 2^53. */
function fillField(
  name: string,
  place: Place,
  bytes: Uint8Array<ArrayBuffer>,
  start: number,
  random: Random,
) {
  const at = start + place.at;
  const view = new DataView(bytes.buffer);
  const one = <T>(all: readonly T[]): T => all[random(all.length)]!;
  const small = () => one([0, 1, 9, 10, 99, 100, 127, 128, 255, random(256)]);
  const word = () => one([0, 1, small(), 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, random(2 ** 32)]);
  const among = AMONG[name];
  if ("fields" in place) return fill(place.fields, bytes, at, random);
  if ("names" in place) return view.setUint32(at, random(place.names.length), true);
  switch (place.is) {
    case "bool":
      return view.setUint8(at, random(2));
    case "u8":
    case "i8":
      return view.setUint8(at, among ? one(among) : small());
    case "u16":
    case "i16":
      return view.setUint16(at, among ? one(among) : one([0, 80, 443, 65_535, random(65_536)]), true);
    case "u32":
    case "i32":
      return view.setUint32(at, among ? one(among) : word(), true);
    case "u64":
    case "i64":
      view.setUint32(at, word(), true);
      return view.setUint32(at + 4, one([0, 0, 1, random(2 ** 21)]), true);
    case "text":
      // The kernel truncates a name wherever the field ends.
      return bytes.set(Buffer.from(one(TEXTS)).subarray(0, place.size), at);
    case "array":
      for (let i = 0; i < place.size; i++) bytes[at + i] = one([0, small()]);
  }
}

function fill(fields: Fields, bytes: Uint8Array<ArrayBuffer>, at: number, random: Random): void {
  for (const [name, place] of Object.entries(fields)) fillField(name, place, bytes, at, random);
}

const fieldsOf = (cursor: new () => Cursor): Fields =>
  (cursor as unknown as { readonly fields: Fields }).fields;

function filled(size: number, fields: Fields, random: Random): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size + 8);
  fill(fields, bytes, 0, random);
  return bytes;
}

/** What arrives for the signals that `feed` emits, in order. */
function arrived(feed: (sink: Sink) => void): unknown[] {
  const encoder = new Encoder();
  const found: unknown[] = [];
  encoder.add({
    accept({ signal, bytes }) {
      found.push(signal === "traces" ? decodeTraces(bytes) : decodeLogs(bytes));
    },
    unencodable(_kind, _count, error) {
      throw error;
    },
  });
  feed(encoder);
  encoder.cut();
  return found;
}

/** Compares what is written for each signal from its record with what is written from its object. */
class Comparing implements Sink {
  compared = 0;
  readonly #columns = new Map<unknown, [RowBuilder, RowBuilder]>();
  readonly #recorded = new Map<unknown, RecordedRows>();

  span(span: Span): void {
    const { attributes } = span;
    const plain = { ...span, attributes, recorded: undefined } as unknown as Span;
    this.#compare(
      span,
      (sink) => sink.span(span),
      (sink) => sink.span(plain),
    );
  }

  event(event: Event): void {
    const { attributes } = event;
    const plain = { ...event, attributes, recorded: undefined } as unknown as Event;
    this.#compare(
      event,
      (sink) => sink.event(event),
      (sink) => sink.event(plain),
    );
  }

  metrics(): void {}

  #compare(
    { spec, recorded }: Span | Event,
    record: (sink: Sink) => void,
    object: (sink: Sink) => void,
  ): void {
    if (!recorded) return;
    this.compared++;
    assert.deepStrictEqual(arrived(record), arrived(object));
    this.#compareColumns(spec, recorded);
  }

  /** Consecutive rows, because texts are created once per frame. */
  #compareColumns(spec: Span["spec"] | Event["spec"], recorded: Recorded): void {
    let both = this.#columns.get(spec);
    if (both === undefined) {
      both = [new RowBuilder(spec.attributes, 16), new RowBuilder(spec.attributes, 16)];
      this.#columns.set(spec, both);
      this.#recorded.set(spec, new RecordedRows(both[0]));
    }
    const [fromRecords, fromObjects] = both;
    if (fromRecords.isFull) for (const rows of both) rows.clear();
    this.#recorded.get(spec)!.add(HEAD, recorded);
    fromObjects.add(HEAD, recorded.object);
    assert.deepStrictEqual(fromRecords.values, fromObjects.values);
    assert.deepStrictEqual(fromRecords.words, fromObjects.words);
  }
}

describe("attributes written from a record's words", function () {
  this.timeout((FUZZ_MS ?? 0) + 120_000);
  const names = installedPlugins();

  for (const name of names) {
    it(`of ${name} are those of its objects`, async () => {
      const { plugins } = await importPlugins([name]);
      const [plugin] = plugins as [Plugin];
      const settings = { ...("dns" in plugin.config && { dns: true }) };
      const sink = new Comparing();
      const rig = new Rig(plugin, { settings, sink });
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const random = randomOf(seed);
          const { size } = tracker.records.spans;
          rig.lyingConnection(filled(size, LinkedRecordCursor.fields, random));
          for (const [ring, records] of Object.entries<Records>(plugin.skeleton.records))
            if (records.kind !== "table")
              rig.lying(ring, filled(records.size, fieldsOf(records.record), random));
        }),
        effort(names.length, { numRuns: 300 }),
      );
      assert(sink.compared > 0, "nothing was recorded");
    });
  }

  const spec = <const T extends AttributeType>(type: T) =>
    ({ type, requirement: "recommended", description: "" }) as const;

  it("of every kind of value are those of the objects", () => {
    const specs = {
      ...{ constant: spec("string"), number: spec("int"), whole: spec("double"), flag: spec("boolean") },
      ...{ fd: spec("int"), named: spec("string"), chosen: spec("int"), text: spec("string") },
      ...{ address: spec("string"), id: spec("string"), said: spec("string") },
    } satisfies AttributeSpecs;
    const all = values(ConnCursor, specs, {
      constant: { constant: "tcp" },
      number: { from: "netnsCookie" },
      whole: { from: "openedAt", per: 1e9, when: "closedAt" },
      flag: { from: "queued" },
      fd: { from: "acceptFd" },
      named: { from: "ends.family", names: { 4: "four" } },
      chosen: { choose: "direction", of: { inbound: { from: "ends.localPort" }, outbound: { constant: 5 } } },
      text: { from: "interface", nonZero: true },
      address: { address: "ends.peer", family: "ends.family", when: "ends.mapped" },
      id: { cookie: "cookie", life: "life" },
      said: { by: ({ netns }) => (netns % 2 ? "ü".repeat(netns % 200) : undefined) },
    });
    const sink = new Comparing();
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const record = new ConnCursor();
        const bytes = filled(512, ConnCursor.fields, randomOf(seed));
        record.at(new Uint32Array(bytes.buffer), bytes, 0);
        const { spec } = connectionSpan(1);
        const described = { ...spec, attributes: specs };
        const span = new RecordedSpan(connectionSpan(1).scope, described, new Recorded(all, record));
        const { object } = span.recorded;
        for (const key of Object.keys(object)) if (object[key] !== undefined) seen.add(key);
        sink.span(span);
      }),
      { numRuns: 500 },
    );
    assert.deepEqual([...seen].sort(), Object.keys(specs).sort());
  });
});
