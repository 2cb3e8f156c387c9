import assert from "node:assert/strict";
import { loadConfig } from "../config/load.ts";
import { importPlugins, installedPlugins } from "../core/engine/discover.ts";

describe("what trace sets of a plugin's settings", () => {
  it("is valid for each", async () => {
    const { plugins } = await importPlugins(installedPlugins());
    for (const { name, trace } of plugins) {
      const flags = Object.entries(trace.settings ?? {}).map(([setting, value]) => {
        return { path: `plugins.${name}.${setting}`, value, flag: "trace" };
      });
      assert.doesNotThrow(() => loadConfig({ env: {}, flags, plugins }), name);
    }
  });
});
