import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BpfObject, native } from "../../native/index.ts";
import { built } from "../../test/support/bpf.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { edge, HIGHEST, header, LOWEST } from "../../tools/histogram-edges.ts";

const BUCKETS = HIGHEST - LOWEST;
const WORDS = 4 + BUCKETS;

/** Whether ns is above 2^(k/8) seconds, in integer arithmetic: ns^8 against 2^k * 10^72. */
function isAbove(ns: bigint, k: number): boolean {
  const [left, right] = [ns ** 8n, 10n ** 72n];
  return k < 0 ? left << BigInt(-k) > right : left > right << BigInt(k);
}

function run(object: BpfObject, program: string, ns: bigint): number {
  return object.run(program, new Uint8Array(BigUint64Array.of(ns).buffer));
}

/** Both histograms, as words: count, sum, max, zeros, buckets. */
function read(object: BpfObject): [own: BigUint64Array, shared: BigUint64Array] {
  const values = new Uint8Array(2 * WORDS * 8);
  assert.equal(object.map("histograms").read(new Uint8Array(8), values), 2);
  const words = new BigUint64Array(values.buffer);
  return [words.slice(0, WORDS), words.slice(WORDS)];
}

describe("bpf/include/wirespan/histogram.h", () => {
  let object: BpfObject;

  before(async function () {
    needsRoot(this);
    object = await native.load("histogram", built("histogram"), { programs: ["bucket", "add"] });
  });

  after(() => object?.close());

  it("puts every edge and its neighbours into the right bucket, to the nanosecond", () => {
    for (let k = LOWEST; k <= HIGHEST; k++) {
      assert(isAbove(edge(k) + 1n, k) && !isAbove(edge(k), k), `edge ${k}`);
      for (const ns of [edge(k) - 1n, edge(k), edge(k) + 1n]) {
        if (!isAbove(ns, LOWEST) || isAbove(ns, HIGHEST)) continue;
        const index = run(object, "bucket", ns);
        const right = isAbove(ns, LOWEST + index) && !isAbove(ns, LOWEST + index + 1);
        assert(right, `${ns} ns, beside edge ${k}, is in bucket ${index}`);
      }
    }
  });

  it("puts values all over its range into the right bucket", () => {
    let ns = 61n;
    for (let i = 0; !isAbove(ns, HIGHEST); i++) {
      const index = run(object, "bucket", ns);
      assert(
        isAbove(ns, LOWEST + index) && !isAbove(ns, LOWEST + index + 1),
        `${ns} ns is in bucket ${index}`,
      );
      ns += ns / 61n + BigInt(i % 7) + 1n;
    }
  });

  it("puts values beyond its range into the last bucket", () => {
    for (const ns of [edge(HIGHEST) + 1n, 2n ** 55n, 2n ** 63n, 2n ** 64n - 1n]) {
      assert.equal(run(object, "bucket", ns), BUCKETS - 1, `${ns} ns`);
    }
  });

  it("counts, sums and keeps the maximum, and counts values below the first bucket as zero", () => {
    const lowest = edge(LOWEST);
    const values = [0n, 1n, lowest, lowest + 1n, 1_000n, 1_000n, 1_000_000_000n, 1_000_000_001n, 2n ** 62n];
    for (const ns of values) run(object, "add", ns);
    const [own, shared] = read(object);
    assert.deepEqual(shared, own);
    const [count, sum, max, zeros, ...buckets] = own;
    assert.deepEqual([count, sum, max, zeros], [9n, values.reduce((a, b) => a + b), 2n ** 62n, 3n]);
    const filled = buckets.flatMap((n, i) => (n ? [[i, n] as const] : []));
    const thousand = run(object, "bucket", 1_000n);
    assert.deepEqual(filled, [
      [0, 1n],
      [thousand, 2n],
      // One second is the upper edge of the bucket that ends with 2^0.
      [-LOWEST - 1, 1n],
      [-LOWEST, 1n],
      [BUCKETS - 1, 1n],
    ]);
  });

  it("has the table of edges that tools/histogram-edges.ts writes, and --check reports a difference", () => {
    const root = join(import.meta.dirname, "../..");
    assert.equal(readFileSync(join(root, "bpf/include/wirespan/histogram_edges.h"), "utf8"), header());
    execFileSync(process.execPath, [join(root, "tools/histogram-edges.ts"), "--check"]);
  });
});
