// The ids that programs compute in the kernel, compared with docs/ids.md and a second implementation.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BpfObject, native } from "../../native/index.ts";
import { watch } from "../support/engine.ts";
import {
  type Attempt,
  attemptAnswer,
  attemptVectors,
  connectionAnswer,
  connectionVectors,
  type Domain,
  type InTrace,
  idsOf,
  inTraceId,
  inTraceVectors,
  keyOf,
} from "../support/ids.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { build, one, run } from "../support/workload.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const domains: readonly Domain[] = [0, 1, 2];

/** struct question of test/bpf/ids.bpf.c. */
function ask(
  object: BpfObject,
  key: Uint8Array,
  domain: Domain,
  about: Attempt | { readonly opener: number; readonly acceptor: number },
): string {
  const question = Buffer.alloc(72);
  question.set(key);
  if ("cookie" in about) {
    question.writeBigUInt64LE(about.boot, 16);
    question.writeBigUInt64LE(about.cookie, 24);
    question.writeBigUInt64LE(about.attempt, 32);
  } else {
    question.writeUInt32LE(about.opener, 40);
    question.writeUInt32LE(about.acceptor, 44);
    question.writeUInt32LE(1, 52);
  }
  question.writeUInt32LE(domain, 48);
  object.run("ids", question);
  return question.toString("hex", 56);
}

/** struct event of test/bpf/ids.bpf.c. */
function askEvent(
  object: BpfObject,
  key: Uint8Array,
  { kind, side, numbers, seq, n, parent }: InTrace,
): string {
  const event = Buffer.alloc(56);
  event.set(key);
  event.writeBigUInt64LE(numbers, 16);
  event.writeUInt32LE(seq, 24);
  event.writeUInt32LE(n, 28);
  event.write(parent, 32, "hex");
  event.writeUInt32LE(kind, 40);
  event.writeUInt32LE(side, 44);
  object.run("event_id", event);
  return event.toString("hex", 48);
}

describe("ids computed in the kernel", () => {
  let object: BpfObject;

  before(async function () {
    needsRoot(this);
    execFileSync("flock", [root, "make", "-s", "-C", root, "test/bpf/ids.bpf.o"], { stdio: "inherit" });
    object = await native.load("ids", readFileSync(`${root}test/bpf/ids.bpf.o`), {
      programs: ["ids", "event_id"],
    });
    await build();
  });

  after(() => object?.close());

  it("are those of the vectors", () => {
    for (const { salt, numbers, ids } of connectionVectors()) {
      const made = idsOf((domain) => Buffer.from(ask(object, keyOf(salt), domain, numbers), "hex"));
      assert.deepEqual(made, ids);
    }
    for (const { salt, attempt, ids } of attemptVectors()) {
      const made = idsOf((domain) => Buffer.from(ask(object, keyOf(salt), domain, attempt), "hex"));
      assert.deepEqual({ trace: made.trace, opener: made.opener, connect: made.connect }, ids);
    }
    for (const { salt, event, id } of inTraceVectors())
      assert.equal(askEvent(object, keyOf(salt), event), id);
  });

  it("are those of the second implementation for 300 random messages", () => {
    for (let i = 0; i < 100; i++) {
      const key = randomBytes(16);
      const bytes = randomBytes(32);
      const event = {
        ...{
          kind: 1 + (i % 5),
          side: i & 1,
          numbers: bytes.readBigUInt64LE(0),
          parent: bytes.toString("hex", 8, 16),
        },
        ...{ seq: bytes.readUInt32LE(16), n: bytes.readUInt32LE(20) },
      };
      assert.equal(askEvent(object, key, event), inTraceId(key, event));
      const numbers = { opener: bytes.readUInt32LE(0), acceptor: bytes.readUInt32LE(4) };
      const attempt = {
        boot: bytes.readBigUInt64LE(8),
        cookie: bytes.readBigUInt64LE(16),
        attempt: bytes.readBigUInt64LE(24),
      };
      for (const domain of domains) {
        const connection = connectionAnswer(key, domain, numbers).toString("hex");
        assert.equal(ask(object, key, domain, numbers), connection);
        assert.equal(ask(object, key, domain, attempt), attemptAnswer(key, domain, attempt).toString("hex"));
      }
    }
  });

  for (const salt of ["", "pepper"]) {
    it(`are those of a real connection's own numbers, ${salt ? "with" : "without"} a salt`, async () => {
      await using seen = await watch(["tcplife"], { "ids.salt": salt });
      for (const address of ["127.0.0.1", "::1"]) {
        await using netns = await Netns.create();
        const numbers = one(await run(netns, "sequenceNumbers", { address }), "numbers");
        const expected = idsOf((domain) => connectionAnswer(keyOf(salt), domain, numbers));
        const own = () => seen.spans.filter(({ traceId }) => traceId === expected.trace);
        await seen.until("both ends", () => own().length >= 2);
        assert.deepEqual(
          new Set(own().map(({ spanId, parentSpanId }) => `${parentSpanId} ${spanId}`)),
          new Set([`undefined ${expected.opener}`, `${expected.opener} ${expected.acceptor}`]),
        );
      }
    });
  }
});
