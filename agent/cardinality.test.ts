import assert from "node:assert/strict";
import { loadConfig } from "../config/load.ts";
import { plugin } from "../core/plugin/plugin.ts";
import type { AttributeSpec, MetricSpec } from "../core/plugin/signals.ts";
import { expectedSeries } from "./cardinality.ts";

const attribute = (spec: Partial<AttributeSpec>): AttributeSpec => {
  return { type: "string", requirement: "required", description: "", ...spec };
};
const metric = (name: string, attributes: MetricSpec["attributes"]): MetricSpec => {
  return { signal: "metric", instrument: "counter", name, unit: "1", description: "", attributes };
};
const family = attribute({ enum: ["ipv4", "ipv6"] });

const netqtop = plugin({
  name: "netqtop",
  summary: "",
  config: {
    names: { doc: "", format: "strings", default: ["a", "b", "c"] },
    pids: { doc: "", format: "boolean", default: false },
  },
  skeleton: { hash: "", programs: {}, constants: {}, counters: [], records: {} },
  probes: {},
  signals: {
    plain: metric("plain", {}),
    closed: metric("closed", { family, mapped: attribute({ type: "boolean", requirement: "conditional" }) }),
    opted: metric("opted", { family, pid: attribute({ type: "int", requirement: "opt_in" }) }),
    open: metric("open", { family, comm: attribute({}) }),
    listed: metric("listed", { family, comm: attribute({}) }),
    rated: metric("rated", {
      state: attribute({ enum: ["a", "b", "c", "d"], expectedValues: 3 }),
      way: attribute({ requirement: "conditional", enum: ["in", "out"], expectedValues: "each" }),
    }),
    off: metric("off", { comm: attribute({}) }),
    event: { signal: "event", name: "event", severity: "INFO", description: "", attributes: {} },
  },
  series: ({ names }) => ({ listed: 2 * names.length, off: 0 }),
  opted: ({ pids }) => (pids ? ["pid"] : []),
  start: () => ({}),
  trace: { options: [], columns: () => [], rows: "event" },
});

const expected = (enabled: boolean, pids = false) => {
  const flags = [
    { path: "plugins.netqtop.pids", value: String(pids), flag: "--set" },
    { path: "metrics.maxSeries", value: "500", flag: "--set" },
    { path: "plugins.netqtop.enabled", value: String(enabled), flag: "--set" },
  ];
  return expectedSeries(loadConfig({ env: {}, flags, plugins: [netqtop] }), [netqtop]);
};

describe("expected number of series", () => {
  it("follows from the attributes that are enabled by default, up to the limit", () => {
    const found = expected(true).map(({ metric: name, series, bounded }) => [name, series, bounded]);
    assert.deepEqual(found, [
      ["plain", 1, "by its attributes"],
      ["closed", 6, "by its attributes"],
      ["opted", 2, "by its attributes"],
      ["open", 500, "by metrics.maxSeries"],
      ["listed", 6, "by its plugin's settings"],
      ["rated", 12, "by its attributes"],
      ["off", 0, "by its plugin's settings"],
    ]);
  });

  it("is usually the product of the closed sets for each combination of open values", () => {
    const found = expected(true).map(({ metric: name, expected: count, each }) => [name, count, each]);
    assert.deepEqual(found, [
      ["plain", 1, {}],
      ["closed", 2, {}],
      ["opted", 2, {}],
      ["open", 2, { comm: "any" }],
      ["listed", 2, { comm: "any" }],
      ["rated", 3, { way: ["in", "out"] }],
      ["off", 0, {}],
    ]);
  });

  it("counts what a setting turns on", () => {
    const opted = expected(true, true).find(({ metric: name }) => name === "opted");
    assert.deepEqual([opted?.series, opted?.expected, opted?.each], [500, 2, { pid: "any" }]);
  });

  it("is zero for a disabled plugin", () => {
    assert.deepEqual(expected(false), []);
  });
});
