import assert from "node:assert/strict";
import { type NativeError, native } from "./index.ts";
import { fixtureBytes, load, produce } from "./test/fixture.ts";

async function failure(loading: Promise<unknown>): Promise<NativeError> {
  try {
    await loading;
  } catch (error) {
    return error as NativeError;
  }
  throw new Error("it loaded");
}

function constants(object: Awaited<ReturnType<typeof load>>): [result: number, wide: bigint] {
  const context = new Uint8Array(24);
  const result = object.run("constants", context);
  const [, low, high] = new Uint32Array(context.buffer) as unknown as [number, number, number];
  return [result, (BigInt(high) << 32n) | BigInt(low)];
}

describe("BpfObject", () => {
  it("sets constants before load and leaves the others as compiled", async () => {
    using plain = await load(["constants"]);
    assert.deepEqual(constants(plain), [7, 1n]);
    using set = await load(["constants"], {
      constants: {
        answer: Uint8Array.of(42),
        wide: new Uint8Array(BigUint64Array.of(2n ** 40n + 3n).buffer),
      },
    });
    assert.deepEqual(constants(set), [42, 2n ** 40n + 3n]);
  });

  it("refuses constants that the object lacks or that are too long", async () => {
    const absent = await failure(load([], { constants: { question: Uint8Array.of(1) } }));
    assert.deepEqual([absent.code, absent.step], ["ENOENT", "set constant question"]);
    const long = await failure(load([], { constants: { answer: new Uint8Array(5) } }));
    assert.deepEqual([long.code, long.step], ["E2BIG", "set constant answer"]);
  });

  it("loads only the programs it is asked for", async () => {
    using object = await load(["produce", "fixture_state"]);
    assert.deepEqual(
      object.programs().map(({ name, attached }) => [name, attached]),
      [
        ["produce", false],
        ["fixture_state", false],
      ],
    );
    object.attach("fixture_state");
    const [, onState] = object.programs();
    assert.ok(onState!.attached && onState!.id > 0 && onState!.instructions > 5);
    assert.deepEqual([onState!.misses, object.misses], [0, 0]);
    assert.throws(() => object.attach("tasks"), { code: "ENOENT", step: "attach", program: "tasks" });
    assert.throws(() => object.run("constants"), { code: "ENOENT", step: "run", program: "constants" });
  });

  it("attaches each program once, detaches it any number of times, and attaches it again", async () => {
    using object = await load(["fixture_state", "produce"]);
    object.attach("fixture_state");
    assert.throws(() => object.attach("fixture_state"), { code: "EEXIST", program: "fixture_state" });
    object.detach("fixture_state");
    object.detach("fixture_state");
    object.attach("fixture_state");
    assert.throws(() => object.attach("produce"), { step: "attach", program: "produce" });
  });

  it("puts programs where others call them", async () => {
    using object = await load(["call_next", "called"]);
    const next = object.map("next");
    assert.equal(object.run("call_next"), 1);
    object.place("called", next, 0);
    assert.equal(object.run("call_next"), 2);
    assert.throws(() => object.place("called", next, 1), { code: "E2BIG", step: "place", program: "called" });
    assert.throws(() => object.place("produce", next, 0), { code: "ENOENT", step: "place" });
  });

  it("attaches to a system call's tracepoint without a mounted tracefs", async () => {
    using object = await load(["on_accept"]);
    object.attach("on_accept");
    assert.equal(object.programs()[0]!.attached, true);
  });

  it("sets a map's size before load", async () => {
    using object = await load(["produce"], { maxEntries: { ring: 4096, table: 10 } });
    assert.equal(object.map("table").maxEntries, 10);
    const ring = native.openRing(object.map("ring"));
    assert.equal(ring.capacity, 4096);
    ring.close();
    const absent = await failure(load([], { maxEntries: { tables: 1 } }));
    assert.deepEqual([absent.code, absent.step], ["ENOENT", "size map tables"]);
  });

  it("shares a map with a second object, also after the first is closed", async () => {
    const first = await load([]);
    const key = Uint8Array.of(9, 0, 0, 0);
    first.map("table").update(key, Uint8Array.of(5, 0, 0, 0, 0, 0, 0, 0));
    const loading = load([], { reuse: { table: first.map("table") } });
    first.close();
    using second = await loading;
    const [keys, values] = [new Uint8Array(4), new Uint8Array(8)];
    assert.equal(second.map("table").read(keys, values), 1);
    assert.deepEqual([keys, values[0]], [key, 5]);
  });

  it("refuses to reuse a map whose object is closed, or that does not fit", async () => {
    const first = await load([]);
    const [ring, table] = [first.map("ring"), first.map("table")];
    const unfit = await failure(load([], { reuse: { table: ring } }));
    assert.deepEqual([unfit.code, unfit.step], ["EINVAL", "reuse map table"]);
    const absent = await failure(load([], { reuse: { nonesuch: table } }));
    assert.deepEqual([absent.code, absent.step], ["ENOENT", "reuse map nonesuch"]);
    first.close();
    const closed = await failure(load([], { reuse: { table } }));
    assert.deepEqual([closed.code, closed.step], ["EBADF", "reuse map"]);
  });

  it("passes a context to a system call program and returns what it wrote", async () => {
    using object = await load(["produce"]);
    // The kernel distinguishes a full ring from an empty one by never filling the last 8 bytes.
    assert.equal(produce(object, { first: 0, records: 2100 }), 2100 - 2047);
  });

  it("names the program that is missing", async () => {
    const error = await failure(load(["produce", "nonesuch"]));
    assert.deepEqual([error.code, error.step, error.program], ["ENOENT", "load", "nonesuch"]);
    assert.ok(error instanceof Error);
    assert.match(error.message, /^fixture: load nonesuch: ENOENT, /);
  });

  it("names the program whose hook this kernel does not have", async () => {
    const error = await failure(load(["produce", "hookless"]));
    assert.deepEqual([error.code, error.step, error.program], ["ENOENT", "load", "hookless"]);
  });

  it("refuses bytes that are not a BPF object, with libbpf's message", async () => {
    const cut = await failure(native.load("cut", fixtureBytes().subarray(0, 1000), { programs: [] }));
    assert.deepEqual([cut.code, cut.step, cut.program], ["ENOEXEC", "open", undefined]);
    assert.match(cut.detail ?? "", /cut/);
    const noise = await failure(native.load("noise", Uint8Array.of(1, 2, 3), { programs: [] }));
    assert.deepEqual([noise.code, noise.step], ["ENOEXEC", "open"]);
    const empty = await failure(native.load("empty", new Uint8Array(), { programs: [] }));
    assert.equal(empty.step, "open");
  });

  it("carries the verifier's log and the program's name when the verifier refuses", async () => {
    const error = await failure(load(["fixture_state", "broken"]));
    assert.deepEqual([error.code, error.step, error.program], ["EACCES", "load", "broken"]);
    assert.match(error.detail ?? "", /invalid mem access 'map_value_or_null'/);
    assert.match(error.detail ?? "", /processed \d+ insns/);
    assert.doesNotMatch(error.detail ?? "", /BEGIN PROG LOAD LOG/);
  });

  it("keeps the errors of overlapping loads apart", async () => {
    const results = await Promise.allSettled(
      ["broken", "fixture_state", "nonesuch", "broken", "produce", "broken"].map((program) =>
        load([program]),
      ),
    );
    const programs = results.map((result) => {
      if (result.status === "rejected") return (result.reason as NativeError).program;
      result.value.close();
      return undefined;
    });
    assert.deepEqual(programs, ["broken", undefined, "nonesuch", "broken", undefined, "broken"]);
  });

  it("throws EBADF from everything after close, which may be called repeatedly", async () => {
    const object = await load(["fixture_state", "produce", "tasks"]);
    using other = await load(["call_next"]);
    object.attach("fixture_state");
    object.close();
    object.close();
    const calls: readonly (() => unknown)[] = [
      () => object.attach("fixture_state"),
      () => object.detach("fixture_state"),
      () => object.place("fixture_state", other.map("next"), 0),
      () => object.map("table"),
      () => object.programs(),
      () => object.misses,
      () => object.run("produce", new Uint8Array(24)),
    ];
    for (const call of calls) assert.throws(call, { name: "NativeError", code: "EBADF" });
    await assert.rejects(object.iterate("tasks"), { name: "NativeError", code: "EBADF" });
  });

  it("counts runs while statistics are on", async () => {
    using object = await load(["produce"]);
    const statistics = native.enableStats();
    produce(object, { first: 0, records: 100 });
    statistics.close();
    statistics.close();
    const { runCount, runTimeNs } = object.programs()[0]!;
    assert.equal(runCount, 1);
    assert.ok(runTimeNs > 0);
  });
});
