// What an SDK publishes about its process (OTEP 4719) becomes its workload's resource, within the limits of what a
// process may set.
import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { FakeExecutables, FakeProc } from "../../test/support/fake-proc.ts";
import { processContext } from "../../test/support/threads.ts";
import { AddressSpace } from "./address-space.ts";
import { Identity } from "./identity.ts";
import { Proc } from "./proc.ts";
import { readProcessContext } from "./process-context.ts";
import { MalformedMessage } from "./protobuf.ts";

const executables = new FakeExecutables();

describe("the process context that an SDK publishes", () => {
  let fake: FakeProc;
  let heard: string[];

  beforeEach(() => {
    fake = new FakeProc();
    heard = [];
  });
  afterEach(() => fake[Symbol.dispose]());

  function attributesOf(published: Buffer, env: Readonly<Record<string, string>> = {}, cgroup = "0::/\n") {
    fake.set({ pid: 5, exe: "/usr/bin/prog", env, cgroup, published });
    const identity = new Identity(
      new Proc(fake.root),
      { "host.id": "machine" },
      {
        executables,
        debug: (message) => heard.push(message),
      },
    );
    const exe = executables.number("prog");
    const seen = { pid: 5, uid: 0, tid: 5, startedAt: 1e10, comm: "prog", cgroupId: 7, workload: 0, exe };
    const { "host.id": _, ...attributes } = identity.of(seen).resource!.attributes;
    return attributes;
  }

  const resource = {
    "service.name": "cart",
    "service.instance.id": "one",
    "service.version": "2",
    team: "blue",
  };

  it("is the resource", () => {
    assert.deepEqual(attributesOf(processContext(resource, {})), resource);
    assert.deepEqual(heard, []);
  });

  it("takes precedence over the environment, which adds what is only there", () => {
    const env = { OTEL_SERVICE_NAME: "other", OTEL_RESOURCE_ATTRIBUTES: "service.version=1,zone=a" };
    assert.deepEqual(attributesOf(processContext(resource, {}), env), { ...resource, zone: "a" });
    // An SDK's name for a service without a name.
    const unnamed = processContext({ ...resource, "service.name": "unknown_service:prog" }, {});
    assert.deepEqual(attributesOf(unnamed, env), { ...resource, "service.name": "other", zone: "a" });
  });

  it("has no facts that the agent finds itself, and about a pod only what a process in it may say", () => {
    const lies = {
      ...{ "host.name": "x", "container.id": "x", "process.pid": "1", "telemetry.sdk.name": "x" },
      ...{ "k8s.pod.uid": "x", "k8s.pod.name": "p", "cloud.account.id": "1", "wirespan.x": "1" },
    };
    assert.deepEqual(attributesOf(processContext({ ...resource, ...lies }, {})), resource);
  });

  it("is ignored as a whole if it is too large, malformed or contains control characters; the log has the reason, not the content", () => {
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`secret${i}`, "x"]));
    const good = processContext(resource, {});
    for (const [published, why] of [
      [processContext(many, {}), "the resource that it publishes is ignored: it has more than 32 attributes"],
      [
        processContext({ secret: "x".repeat(3000) }, {}),
        "the resource that it publishes is ignored: it is longer than 2048 bytes",
      ],
      [
        processContext({ secret: "a\u001b[31mb" }, {}),
        "the resource that it publishes is ignored: it has a control character or is not UTF-8",
      ],
      [good.subarray(0, -1), "what it publishes is ignored: it ends within a field"],
      [Buffer.alloc(40_000), "what it publishes is ignored: its payload is longer than 32768 bytes"],
    ] as const) {
      heard = [];
      const { "service.instance.id": _, ...rest } = attributesOf(published);
      assert.deepEqual(rest, { "service.name": "prog" });
      assert.deepEqual(heard, [`pid 5: ${why}`]);
    }
  });

  it("is either a context or malformed, whatever the memory contains", () => {
    const good = processContext(resource, { "threadlocal.schema_version": "tls_v1" });
    const space = (payload: Buffer) => {
      const header = Buffer.alloc(32);
      header.write("OTEL_CTX");
      header.writeUInt32LE(2, 8);
      header.writeUInt32LE(payload.length, 12);
      header.writeBigUInt64LE(1n, 16);
      return { read: (_: number, length: number) => (length === 32 ? header : payload) };
    };
    const mapping = { start: 0, end: 4096, offset: 0, name: "[anon:OTEL_CTX]" };
    let malformed = 0;
    for (let i = 0; i < 20_000; i++) {
      const payload = i % 2 ? randomBytes(randomInt(200) + 33) : Buffer.from(good);
      for (let k = 0; k < i % 5; k++) payload[randomInt(payload.length)] = randomInt(256);
      try {
        readProcessContext(space(payload), [mapping]);
      } catch (error) {
        assert.ok(error instanceof MalformedMessage, String(error));
        malformed++;
      }
    }
    assert.ok(malformed > 1000);
  });

  it("is read from a process's memory, and nothing from an unmapped range", () => {
    using own = new AddressSpace("/proc/self");
    const [first] = own.mappings().filter(({ name }) => name === process.execPath);
    assert.equal(own.read(first!.start, 4)?.toString("latin1"), "\x7fELF");
    for (const [address, length] of [
      [0, 8],
      [-8, 8],
      [2 ** 47, 8],
      [2 ** 60, 8],
      [Number.NaN, 8],
      [first!.start, 2 ** 47],
    ] as const)
      assert.equal(own.read(address, length), undefined);
  });
});
