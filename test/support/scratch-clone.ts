// A copy of the project, for tests that add files to it.
import { cpSync, mkdtempSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

export const root = join(import.meta.dirname, "../..");
/** Large folders that are not changed. */
export const LINKED = ["node_modules", "native/build"];

/** Copies the project as it is now, including build output, without its history; large folders are linked. The caller removes it. */
export function scratchClone(): string {
  const clone = mkdtempSync(join(tmpdir(), "wirespan-clone-"));
  const left = new Set([".git", ...LINKED].map((name) => join(root, name)));
  const filter = (from: string) => !left.has(from) && basename(from) !== "build";
  cpSync(root, clone, { recursive: true, preserveTimestamps: true, filter });
  for (const name of LINKED) symlinkSync(join(root, name), join(clone, name));
  return clone;
}
