import assert from "node:assert/strict";
import { importsOf, refusal, refusedImports } from "./imports.ts";

const refused = (path: string, text: string) => importsOf(path, text).flatMap((one) => refusal(one) ?? []);

describe("imports", () => {
  it("go in one direction in all files of the product", () => {
    assert.deepEqual(refusedImports(), []);
  });

  it("are rejected against the direction, naming both files and what is allowed", () => {
    assert.deepEqual(refused("core/bridge/clock.ts", 'import { Engine } from "../engine/engine.ts";\n'), [
      "core/bridge/clock.ts imports core/engine/engine.ts: core/bridge may import only core/base, core/plugin, native and itself (tools/imports.ts)",
    ]);
  });

  for (const [path, text] of [
    ["config/a.ts", 'import type { Engine } from "../core/engine/engine.ts";'],
    ["agent/a.ts", 'const { run } = await import("../cli/run.ts");'],
    ["core/plugin/a.ts", 'const x = require("../bridge/clock.ts") as typeof import("../bridge/clock.ts");'],
    ["exporters/otlp/a.ts", 'export { x } from "../../config/load.ts";'],
    ["exporters/a.ts", 'import {\n  type A,\n  b,\n} from "../config/load.ts";'],
    ["core/base/a.ts", 'import "../plugin/log.ts";'],
    ["plugins/tcplife/index.ts", 'import { Engine } from "../../core/engine/engine.ts";'],
    ["plugins/tcplife/index.ts", 'import { top } from "../tcptop/top.ts";'],
    ["plugins/tcplife/index.ts", 'import { native } from "../../native/index.ts";'],
    // A value where only types are allowed.
    ["core/plugin/services.ts", 'import { skeleton } from "../../bpf/tracker/tracker.skel.ts";'],
    ["core/plugin/services.ts", 'import { type Task, skeleton } from "../../bpf/tracker/tracker.skel.ts";'],
    // Product code uses no test and no test helper.
    ["core/engine/a.ts", 'import { a } from "./engine.test.ts";'],
    // Only folders of the table may be imported.
    ["core/a.ts", 'import { b } from "./b.ts";'],
    ["core/engine/a.ts", 'import { loadConfig } from "../../test/support/config.ts";'],
  ] as const) {
    it(`are rejected: ${path}: ${text.replaceAll("\n", " ")}`, () => {
      assert.ok(refused(path, `${text}\n`).length > 0);
    });
  }

  for (const [path, text] of [
    ["core/engine/a.ts", 'import type { Config } from "../../config/config.ts";'],
    ["plugins/tcplife/index.ts", 'import { plugin } from "../../core/plugin/plugin.ts";'],
    ["plugins/tcplife/index.ts", 'import { skeleton } from "./tcplife.skel.ts";'],
    ["plugins/tcplife/tcplife.skel.ts", 'import { decodeCString } from "../../core/bridge/runtime.ts";'],
    ["core/plugin/services.ts", 'import type { Task } from "../../bpf/tracker/tracker.skel.ts";'],
    ["core/plugin/services.ts", 'import { type Task } from "../../bpf/tracker/tracker.skel.ts";'],
    ["agent/a.ts", 'import { readFileSync } from "node:fs";'],
    // A comment imports nothing.
    ["core/bridge/a.ts", '// import { Engine } from "../engine/engine.ts";'],
  ] as const) {
    it(`are allowed: ${path}: ${text}`, () => {
      assert.deepEqual(refused(path, `${text}\n`), []);
    });
  }
});
