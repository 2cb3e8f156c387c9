// Tests the rules with Prometheus's own tool: they are valid, and each alert fires when it should.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { findBackend, needBackends } from "../test/backend/find.ts";
import { ALERTS } from "./rules.ts";

const folder = join(import.meta.dirname, "prometheus");
const TESTS = "wirespan.rules.test.yaml";

function promtool(...args: readonly string[]): void {
  const ran = spawnSync(findBackend("promtool")!, args, { cwd: folder, encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stdout + ran.stderr);
}

describe("the rules for Prometheus", () => {
  before(function () {
    needBackends(this, "promtool");
  });

  it("are valid, without duplicates or ambiguities", () => {
    promtool("check", "rules", "--lint=all", "--lint-fatal", "wirespan.rules.yaml");
  });

  it("fire for staged series above their limits, and not below", () => {
    promtool("test", "rules", TESTS);
  });

  it("all have a test in which they fire", () => {
    const { tests } = parse(readFileSync(join(folder, TESTS), "utf8")) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
    };
    const held = tests
      .flatMap((test) => test.alert_rule_test)
      .filter(({ exp_alerts }) => exp_alerts.length > 0)
      .map(({ alertname }) => alertname);
    assert.deepEqual([...new Set(held)].toSorted(), ALERTS.map(({ alert }) => alert).toSorted());
  });
});
