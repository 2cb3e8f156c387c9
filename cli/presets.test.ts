import assert from "node:assert/strict";
import { loadConfig } from "../config/load.ts";
import { importPlugins, installedPlugins } from "../core/engine/discover.ts";

describe("the settings of plugins that trace changes", () => {
  it("are valid for each plugin", async () => {
    const { plugins } = await importPlugins(installedPlugins());
    for (const { name, trace } of plugins) {
      const flags = Object.entries(trace.settings ?? {}).map(([setting, value]) => {
        return { path: `plugins.${name}.${setting}`, value, flag: "trace" };
      });
      assert.doesNotThrow(() => loadConfig({ env: {}, flags, plugins }), name);
    }
  });
});
