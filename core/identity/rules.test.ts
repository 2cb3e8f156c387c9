import assert from "node:assert/strict";
import { parseRule } from "./rules.ts";

describe("a mapping of processes to a name", () => {
  it("consists of criteria, an arrow and a name", () => {
    const rule = parseRule("executable=java  argument=*kafka.Kafka* port=9092 -> messaging/kafka");
    assert.ok(typeof rule !== "string");
    assert.deepEqual([rule.namespace, rule.name, rule.port], ["messaging", "kafka", 9092]);
    assert.ok(rule.executable && rule.argument && !rule.comm && !rule.cgroup);
  });

  for (const [text, why] of [
    ["", /^one "->" between criteria and a name, such as executable=java /],
    ["executable=java", /^one "->"/],
    ["executable=java -> a -> b", /^one "->"/],
    ["-> a", /^at least one criterion \(executable, comm, argument, cgroup, port\) before "->"$/],
    ["exe=java -> a", /^one of executable=, comm=, argument=, cgroup=, port= before "->"$/],
    ["java -> a", /^one of executable=/],
    ["comm=a comm=b -> c", /^comm= once in a mapping$/],
    ["comm= -> c", /^a pattern behind comm=$/],
    ["port=0 -> c", /^a port from 1 to 65535 behind port=$/],
    ["port=80-90 -> c", /^a port from 1/],
    [
      "comm=a -> ",
      /^service.name or service.namespace\/service.name behind "->", each of at most 256 bytes$/,
    ],
    ["comm=a -> a/b/c", /^service.name or/],
    ["comm=a -> /b", /^service.name or/],
    [`comm=a -> ${"b".repeat(257)}`, /^service.name or/],
  ] as const) {
    it(`rejects ${JSON.stringify(text.slice(0, 40))}`, () => assert.match(String(parseRule(text)), why));
  }
});
