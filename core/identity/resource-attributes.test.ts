import assert from "node:assert/strict";
import * as resources from "@opentelemetry/resources";
import fc from "fast-check";
import { hasControl } from "./plain.ts";
import { parseResourceAttributes } from "./resource-attributes.ts";

/** The result of OpenTelemetry's own detector for the same text. */
function sdk(text: string): Readonly<Record<string, unknown>> {
  const before = process.env.OTEL_RESOURCE_ATTRIBUTES;
  process.env.OTEL_RESOURCE_ATTRIBUTES = text;
  try {
    return { ...resources.envDetector.detect().attributes };
  } finally {
    if (before === undefined) delete process.env.OTEL_RESOURCE_ATTRIBUTES;
    else process.env.OTEL_RESOURCE_ATTRIBUTES = before;
  }
}

describe("OTEL_RESOURCE_ATTRIBUTES", () => {
  const good: readonly [string, Record<string, string>][] = [
    ["service.name=shop", { "service.name": "shop" }],
    ["a=1,b=2", { a: "1", b: "2" }],
    [" a = 1 ,\tb=2 ", { a: "1", b: "2" }],
    ["a=1,,b=2,", { a: "1", b: "2" }],
    ["a=", { a: "" }],
    ["a=x%2Cy%3Dz", { a: "x,y=z" }],
    ["%61%2Eb=1", { "a.b": "1" }],
    ["a=caf%C3%A9", { a: "café" }],
    ["a=café", { a: "café" }],
    ["a=one+two", { a: "one+two" }],
    ["a=1,a=2", { a: "2" }],
    ["a=x;y", { a: "x;y" }],
    ["", {}],
    [" , ", {}],
  ];
  for (const [text, attributes] of good) {
    it(`reads ${JSON.stringify(text)}`, () =>
      assert.deepEqual(parseResourceAttributes(text), { attributes }));
  }

  const bad: readonly [string, RegExp][] = [
    ["service.name=shop,broken", /^member 2 has no "="$/],
    ["a=1,=2", /^member 2 has no key$/],
    ["a=1=2", /^member 1 has a second "="/],
    ["a=%", /^member 1 has a "%"/],
    ["a=%zz", /"%"/],
    ["a=%C3", /"%"/],
    ["%FF=1", /"%"/],
    [`a=${"x".repeat(2048)}`, /longer than 2048 bytes/],
    [`a=${"é".repeat(1024)}`, /longer than 2048 bytes/],
    ["a=1,b=x%0Ay", /^member 2 has a control character$/],
    ["a=1,b%1b=y", /^member 2 has a control character$/],
    ["a=x\u009by", /^member 1 has a control character$/],
    [Array.from({ length: 33 }, (_, i) => `k${i}=`).join(), /^it has more than 32 members$/],
  ];
  for (const [text, why] of bad) {
    it(`drops ${JSON.stringify(text.slice(0, 40))} as a whole and reports why`, () => {
      const { attributes, fault } = parseResourceAttributes(text);
      assert.deepEqual(attributes, {});
      assert.match(fault ?? "", why);
    });
  }

  it("treats a key that is special in JavaScript as an ordinary one", () => {
    const { attributes } = parseResourceAttributes("__proto__=x,constructor=y");
    assert.deepEqual(Object.entries(attributes), [
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
  });

  it("does not include keys and values in errors, which are logged", () => {
    for (const text of ["secret", "secret=1=2", "secret=%", "=secret"]) {
      assert.doesNotMatch(parseResourceAttributes(text).fault ?? "", /secret/);
    }
  });

  it("reads any text as OpenTelemetry's own detector does", () => {
    const piece = fc.constantFrom("a", "b.c", "=", ",", " ", "%2C", "%3d", "%", "%C3%A9", "é", "1", '"');
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(text, (value) => {
        const theirs = sdk(value);
        const isClean = !Object.entries(theirs)
          .flat()
          .some((part) => hasControl(String(part)));
        assert.deepEqual(parseResourceAttributes(value).attributes, isClean ? theirs : {});
      }),
      { numRuns: 3000 },
    );
  });
});
