import assert from "node:assert/strict";
import { FilterError, parseFilter, type Subject } from "./filter.ts";
import { term } from "./term.ts";

const connection: Subject = {
  text: (field) =>
    ({
      service: "web shop",
      process: "node",
      pid: "12",
      peer: "10.1.2.3",
      port: "5432",
      direction: "outbound",
    })[field as string],
  number: (field) => ({ connect: 0.9, sent: 1500, rtt: undefined })[field as string],
};

describe("a filter", () => {
  const cases: readonly (readonly [filter: string, matches: boolean])[] = [
    ["", true],
    ['service:"web shop"', true],
    ["service:web*", true],
    ["service:web", false],
    ["not service:web*", false],
    ["pid:12 port:5432", true],
    ["pid:12 port:80", false],
    ["port:80 port:5432", true],
    ["peer:10.0.0.0/8", true],
    ["peer:10.2.0.0/16", false],
    ["not peer:10.2.0.0/16 not peer:10.3.0.0/16", true],
    ["peer:fd00::/8", false],
    ["connect>800ms", true],
    ["connect>0.8s connect<1s", true],
    ["connect<800ms", false],
    ["sent>1kB", true],
    ["sent>2KiB", false],
    ["rtt>0s", false],
    ["cause:timed_out", false],
    ["not cause:timed_out", true],
    ["direction=outbound", true],
  ];
  for (const [text, matches] of cases) {
    it(`${text || "of nothing"} ${matches ? "matches" : "does not match"}`, () => {
      assert.equal(parseFilter(text).matches(connection), matches);
    });
  }

  for (const peer of ["10.1.2.3", "fd00::1", "a b", "10.0.0.0/8", '</title><svg onload="x">', "a/b c"])
    it(`term("peer", ${JSON.stringify(peer)}) matches this peer, and no other`, () => {
      const { matches } = parseFilter(`${term("peer", peer)} ${term("port", 5432)}`);
      const of = (text: string): Subject => ({
        text: (field) => (field === "peer" ? text : "5432"),
        number: () => undefined,
      });
      assert.equal(matches(of(peer)), true);
      assert.equal(matches(of("10.9.9.9")), false);
    });

  const wrong: readonly (readonly [filter: string, message: RegExp])[] = [
    ["servce:web", /no field servce; did you mean service\?/],
    ["web", /web is not a filter: write field:value/],
    ["not", /not is followed by nothing/],
    ["connect:1s", /connect is compared by < or >, as in connect>100ms/],
    ["service>web", /service is given by :, as in service:value/],
    ["connect>fast", /fast is not a number with a unit/],
    ["connect>1parsec", /1parsec is not a number with a unit/],
    ["peer:10.0.0/8", /10\.0\.0\/8 is not a block of addresses/],
    ["peer:10.0.0.0/99", /is not a block of addresses/],
  ];
  for (const [text, message] of wrong) {
    it(`${text} is rejected with the reason`, () => {
      assert.throws(
        () => parseFilter(text),
        (error) => error instanceof FilterError && message.test(error.message),
      );
    });
  }

  it("knows whether sums by edge can answer it", () => {
    assert.ok(parseFilter("service:a peer:10.0.0.0/8 not port:80").isOfEdges);
    assert.ok(!parseFilter("service:a pid:1").isOfEdges);
  });
});
