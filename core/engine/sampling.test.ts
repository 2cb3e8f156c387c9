import assert from "node:assert/strict";
import fc from "fast-check";
import { Sampling, samplingConstants, thresholdOf, traceStateOf } from "./sampling.ts";

describe("sampling", () => {
  it("uses OpenTelemetry's threshold for a probability", () => {
    assert.equal(thresholdOf(1), 0n);
    assert.equal(thresholdOf(0), 2n ** 56n);
    assert.equal(thresholdOf(0.5), 2n ** 55n);
    assert.equal(thresholdOf(1 / 16), 0xf0_0000_0000_0000n);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (ratio) => {
        const kept = Number(2n ** 56n - thresholdOf(ratio)) / 2 ** 56;
        assert.ok(Math.abs(kept - ratio) <= 2 ** -53, `${ratio} became ${kept}`);
      }),
    );
  });

  it("is written to tracestate without trailing zeros", () => {
    const states = [0.5, 0.25, 1 / 16, 1 - 1 / 256, 1].map((ratio) => traceStateOf(thresholdOf(ratio)));
    assert.deepEqual(states, ["ot=th:8", "ot=th:c", "ot=th:f", "ot=th:01", "ot=th:0"]);
    assert.match(traceStateOf(thresholdOf(0.1)), /^ot=th:e66666666666[0-9a-f]{1,2}$/);
  });

  it("writes nothing if everything is kept, and th:0 for what is kept whatever its id", () => {
    const [all, half] = [new Sampling({ ratio: 1, slow: 0 }), new Sampling({ ratio: 0.5, slow: 0 })];
    for (const keptAlways of [true, false]) assert.equal(all.traceState({ keptAlways }), undefined);
    assert.equal(half.traceState({ keptAlways: true }), "ot=th:0");
    assert.equal(half.traceState({ keptAlways: false }), "ot=th:8");
  });

  it("uses the last 56 bits of a trace id", () => {
    const half = new Sampling({ ratio: 0.5, slow: 0 });
    const id = (end: string) => Buffer.from(end.padStart(32, "f"), "hex");
    assert.equal(half.keepsEverywhere(id("80000000000000")), true);
    assert.equal(half.keepsEverywhere(id("7fffffffffffff")), false);
    assert.equal(new Sampling({ ratio: 1, slow: 0 }).keepsEverywhere(id("00000000000000")), true);
    assert.equal(new Sampling({ ratio: 0, slow: 0 }).keepsEverywhere(id("ffffffffffffff")), false);
  });

  it("is passed to the programs in their units", () => {
    const sampling = { ratio: 0.5, slow: 0.25, rate: 200 };
    const { sampling_threshold, slow_ns, kept_rate } = samplingConstants({ sampling });
    assert.deepEqual(sampling_threshold, Uint8Array.of(0, 0, 0, 0, 0, 0, 128, 0));
    assert.equal(slow_ns, 250_000);
    assert.equal(kept_rate, 200);
  });
});
