// The version of packages, and its date: timestamps are those of the release, so that the same sources give the same
// bytes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };

/** The root of the repository. */
export const ROOT = join(import.meta.dirname, "../..");

export const { version } = packageJson;

/** Seconds since 1970, at the start of the release's day in CHANGELOG.md. */
export const SOURCE_DATE_EPOCH = ((): number => {
  const changelog = readFileSync(join(ROOT, "CHANGELOG.md"), "utf8");
  const date = new RegExp(`^## ${RegExp.escape(version)} - (\\d{4}-\\d\\d-\\d\\d)$`, "m").exec(
    changelog,
  )?.[1];
  if (date === undefined) throw new Error(`CHANGELOG.md has no line "## ${version} - YYYY-MM-DD"`);
  return Date.parse(date) / 1000;
})();
