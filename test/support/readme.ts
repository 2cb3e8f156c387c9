// The README's commands for installing packages.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const README = join(import.meta.dirname, "../../README.md");

/** The block of lines in the section "Install" under the paragraph that begins with `**WAY:**`. */
export function installLines(way: string): string {
  const [, section = ""] = /^### Install$(.*?)^### /ms.exec(readFileSync(README, "utf8")) ?? [];
  const [, rest] = section.split(`\n**${way}:**`);
  const [, lines] = /^```sh\n(.*?)^```$/ms.exec(rest ?? "") ?? [];
  if (lines === undefined) throw new Error(`the README's section "Install" has no lines for ${way}`);
  return lines;
}
