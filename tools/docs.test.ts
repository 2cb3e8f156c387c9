// Checks that every file of this repository that a guide names exists.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const guides = globSync(["*.md", "{docs,plugins,correlate,examples,test}/**/*.md"], {
  cwd: root,
  exclude: ["**/node_modules/**"],
});
const FOLDERS = "agent|bench|bpf|cli|config|core|correlate|docs|examples|exporters|native|plugins|test|tools";

/** The plugin that docs/add-a-plugin.md adds. */
const ADDED = "plugins/tcpreset/";

/** Paths in code spans and in links, relative to the root, except those with a placeholder. */
function named(guide: string): string[] {
  const text = readFileSync(join(root, guide), "utf8");
  const spans = [...text.matchAll(new RegExp(`(?<=[\`( ])(?:${FOLDERS})/[\\w./-]*[\\w/]`, "g"))].map(
    ([path]) => path,
  );
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, path]) =>
    join(dirname(guide), path!),
  );
  return [...spans, ...links];
}

describe("the guides", () => {
  for (const guide of guides.sort()) {
    it(`name files that exist: ${guide}`, () => {
      const missing = named(guide).filter((path) => !existsSync(join(root, path)) && !path.startsWith(ADDED));
      assert.deepEqual([...new Set(missing)], []);
    });
  }
});
