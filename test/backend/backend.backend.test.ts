import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { until } from "../support/until.ts";
import { startCollector } from "./collector.ts";
import { needBackends } from "./find.ts";
import { startJaeger } from "./jaeger.ts";
import { attributesOf } from "./otlp.ts";

function oneSpan(): { id: string; service: string; body: string } {
  const id = randomBytes(16).toString("hex");
  const service = `self-test-${id.slice(0, 6)}`;
  const end = BigInt(Date.now()) * 1_000_000n;
  const body = JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
        scopeSpans: [
          {
            scope: { name: "self-test" },
            spans: [
              {
                traceId: id,
                spanId: randomBytes(8).toString("hex"),
                name: "there and back",
                kind: 1,
                startTimeUnixNano: String(end - 5_000_001n),
                endTimeUnixNano: String(end),
                attributes: [{ key: "bytes", value: { intValue: "9007199254740993" } }],
              },
            ],
          },
        ],
      },
    ],
  });
  return { id, service, body };
}

async function send(endpoint: string, body: string): Promise<void> {
  const response = await fetch(`${endpoint}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  assert.equal(response.status, 200, await response.text());
}

describe("the tests' Collector", () => {
  before(function () {
    needBackends(this, "collector");
  });

  it("writes a span to its file unchanged, also after a kill and a restart", async () => {
    await using collector = await startCollector();
    const first = oneSpan();
    await send(collector.http, first.body);
    await until("the first span", async () => (await collector.spans()).length === 1);
    await collector.service.kill();
    await assert.rejects(send(collector.http, first.body));
    await collector.service.restart();
    const second = oneSpan();
    await send(collector.http, second.body);
    await until("the second span", async () => (await collector.spans()).length === 2);

    const spans = await collector.spans();
    assert.deepEqual(
      spans.map(({ resource, scope, item }) => [
        resource,
        scope,
        item.traceId,
        attributesOf(item.attributes),
      ]),
      [first, second].map(({ id, service }) => [
        { "service.name": service },
        "self-test",
        id,
        { bytes: 9007199254740993n },
      ]),
    );
  });

  it("leaves no process behind", async () => {
    const collector = await startCollector();
    const pid = collector.service.pid ?? assert.fail("no process");
    await collector[Symbol.asyncDispose]();
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  });
});

describe("the tests' Jaeger", () => {
  before(function () {
    needBackends(this, "jaeger");
  });

  it("returns a span by its trace, under its service", async () => {
    await using jaeger = await startJaeger();
    const { id, service, body } = oneSpan();
    assert.deepEqual(await jaeger.trace(id), []);
    await send(jaeger.http, body);
    const [span] = await until("the trace", async () => {
      const spans = await jaeger.trace(id);
      return spans.length > 0 && spans;
    });
    assert.equal(span?.item.name, "there and back");
    assert.equal(span?.resource["service.name"], service);
    assert.deepEqual(await jaeger.services(), [service]);
    assert.deepEqual(await jaeger.traceIds(service), [id]);
  });
});
