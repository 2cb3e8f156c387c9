// Reads the folder of plugins. In the bundle, tools/bundle.ts replaces this module with a list that is created at build.
// Tests: core/engine/discover.test.ts, tools/bundle.test.ts.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const INDEX = "index.ts";

/** Names of the folders that have an index. */
export function pluginNames(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, INDEX)))
    .map((entry) => entry.name);
}

/** A plugin's index as a module. */
export function importIndex(folder: string, name: string): Promise<unknown> {
  return import(pathToFileURL(join(folder, name, INDEX)).href);
}
