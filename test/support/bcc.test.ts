import assert from "node:assert/strict";
import { importPlugins, installedPlugins } from "../../core/engine/discover.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import { bcc } from "./bcc.ts";

const { plugins } = await importPlugins(installedPlugins());

/** Splits headings into words: bcc's range headings may contain a space. */
const titles = ({ trace }: Plugin, flags: Readonly<Record<string, boolean>>) =>
  trace.columns(flags).map(({ title }) => title.replace(", ", ","));

describe("compared with bcc's tools", () => {
  it("there is a plugin for each, and no others", () => {
    assert.deepEqual(Object.keys(bcc).sort(), [...installedPlugins()].sort());
  });

  for (const plugin of plugins) {
    const { options, absent = {}, columns, added = {}, renamed = {} } = bcc[plugin.name]!;

    it(`${plugin.name} supports every option, or states why not`, () => {
      const ours = new Set(plugin.trace.options.flatMap(({ flags }) => flags.match(/--?[\w-]+/g) ?? []));
      const missing = options
        .filter((option) => !Object.hasOwn(absent, option))
        .map((option) => (option.startsWith("--") ? option : `-${option}`))
        .filter((option) => !ours.has(option));
      assert.deepEqual(missing, []);
      for (const option of Object.keys(absent)) assert.ok(!ours.has(`-${option}`), `-${option} is there`);
    });

    for (const [option, theirs] of Object.entries(columns)) {
      it(`${plugin.name} ${option && `--${option} `}has every column, in that order`, () => {
        const found = titles(plugin, option ? { [option]: true } : {});
        const expected = theirs.split(" ").map((title) => renamed[title] ?? title);
        assert.deepEqual(
          found.filter((title) => expected.includes(title) || !Object.hasOwn(added, title)),
          expected,
        );
      });
    }
  }
});
