// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written so
import assert from "node:assert/strict";
import fc from "fast-check";
import { stringify } from "yaml";
import { WirespanError } from "../core/plugin/errors.ts";
import { configOf, type Given, sample } from "../test/support/config.ts";
import { effort, FUZZ_MS } from "../test/support/fuzz.ts";
import { variableOf } from "./environment.ts";
import { exporterTree } from "./exporters.ts";
import { composeTree } from "./schema.ts";
import { leaves } from "./tree.ts";

const tree = composeTree({ plugins: [sample], others: [], exporters: { a: exporterTree("otlp_grpc") } });
const paths = [...leaves(tree)].map(([path]) => path);
const keys = [...new Set(paths.flatMap((path) => path.split(".")))];

/** Loads; a WirespanError of the configuration is a valid result, anything else is a crash. */
function survives(given: Given): void {
  try {
    configOf(given);
  } catch (error) {
    assert(error instanceof WirespanError, String(error instanceof Error ? error.stack : error));
    assert.equal(error.code, "CONFIG_INVALID");
  }
}

const check = (property: fc.IProperty<[Given]>): void =>
  fc.assert(
    property,
    effort(4, { interruptAfterTimeLimit: 500, numRuns: 1_000_000, markInterruptAsFailure: false }),
  );

const scalar = fc.oneof(
  fc.constantFrom(
    "10s",
    "32MiB",
    "true",
    "otlp_http",
    "http://h:1",
    "${env:A}",
    "${",
    "file:",
    "::1",
    "a=1",
    "constructor",
    "__proto__",
    null,
  ),
  fc.string(),
  fc.double(),
  fc.integer(),
  fc.boolean(),
);
const { node } = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("node"), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string({ maxLength: 5 })), tie("node"), {
      maxKeys: 5,
    }),
  ),
}));

describe("configuration from arbitrary input", function () {
  this.timeout((FUZZ_MS ?? 0) + 10_000);

  it("turns any text into a configuration or a WirespanError", () => {
    const pieces = fc.constantFrom(
      ...keys,
      ": ",
      "\n",
      "  ",
      "- ",
      "[",
      "]",
      "{",
      "}",
      "&a ",
      "*a",
      "<<",
      '"',
      "|",
      "#",
      "!!",
      "? ",
      "---\n",
      "\t",
      "%",
    );
    const yaml = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join("")),
    );
    check(
      fc.property(
        yaml.map((text): Given => ({ yaml: text })),
        survives,
      ),
    );
  });

  it("turns any YAML value into a configuration or a WirespanError", () => {
    check(
      fc.property(
        node.map((value): Given => ({ yaml: stringify(value) ?? "" })),
        survives,
      ),
    );
  });

  it("turns any value of a known setting into a configuration or a WirespanError", () => {
    const flag = fc.record({
      path: fc.constantFrom(...paths, "", ".", "plugins"),
      value: fc.string(),
      flag: fc.constant("--set"),
    });
    check(
      fc.property(
        fc.array(flag, { maxLength: 4 }).map((flags): Given => ({ flags })),
        survives,
      ),
    );
  });

  it("turns any environment into a configuration or a WirespanError", () => {
    const ours = paths.map(variableOf);
    const fields = ["ENDPOINT", "PROTOCOL", "HEADERS", "TIMEOUT", "COMPRESSION", "INSECURE", "CERTIFICATE"];
    const theirs = fields.flatMap((field) =>
      ["", "TRACES_", "LOGS_"].map((s) => `OTEL_EXPORTER_OTLP_${s}${field}`),
    );
    const plain = [
      "OTEL_TRACES_EXPORTER",
      "OTEL_RESOURCE_ATTRIBUTES",
      "OTEL_METRIC_EXPORT_INTERVAL",
      "WIRESPAN_X",
    ];
    const value = fc.oneof(
      scalar.map(String),
      fc.constantFrom("grpc", "http/protobuf", "otlp,console", "none"),
    );
    const env = fc.dictionary(fc.constantFrom(...ours, ...theirs, ...plain), value, { maxKeys: 6 });
    check(
      fc.property(
        env.map((variables): Given => ({ env: variables })),
        survives,
      ),
    );
  });
});
