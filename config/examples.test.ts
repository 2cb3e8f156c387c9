import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { importPlugins, installedPlugins } from "../core/discover.ts";
import type { Plugin } from "../core/plugin.ts";
import type { Config } from "./config.ts";
import { loadConfig } from "./load.ts";

const EXAMPLES = join(import.meta.dirname, "examples");

const expected: Readonly<Record<string, (config: Config) => void>> = {
  "default.yaml"(config) {
    const { effective, ...written } = config;
    const { effective: _, ...without } = loadConfig({ env: {}, flags: [], plugins });
    assert.deepEqual(written, without, "the default, written out, is the default");
  },
  "jaeger.yaml"({ exporters, spans }) {
    assert.deepEqual(exporters.jaeger?.signals, ["traces"]);
    assert.equal(spans.kind, "client-server");
  },
  "collector.yaml"({ exporters }) {
    assert(exporters.collector?.type === "otlp_http");
    assert.deepEqual(exporters.collector.headers, { authorization: "Bearer t0ken" });
  },
};

let plugins: readonly Plugin[] = [];

describe("example configurations", () => {
  before(async () => {
    ({ plugins } = await importPlugins(installedPlugins()));
  });

  for (const name of readdirSync(EXAMPLES)) {
    it(`${name} is valid and says what it means to`, () => {
      const check = expected[name];
      assert(check !== undefined, `${name} has no test`);
      const env = { COLLECTOR_TOKEN: "t0ken" };
      check(loadConfig({ file: join(EXAMPLES, name), env, flags: [], plugins }));
    });
  }
});
