// All packages of `npm run package`, built once per process in a copy of the project; removed when the process ends.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { scratchClone } from "./scratch-clone.ts";

let made: string | undefined;

/** The folder with the packages. */
export function allPackages(): string {
  if (made === undefined) {
    const clone = scratchClone();
    process.once("exit", () => rmSync(clone, { recursive: true }));
    made = makePackages(clone);
  }
  return made;
}

/** Builds the bundle and the packages of a copy of the project; returns the folder with the packages. */
export function makePackages(clone: string): string {
  for (const tool of ["tools/bundle.ts", "tools/package/main.ts"])
    execFileSync(process.execPath, [tool], { cwd: clone, stdio: ["ignore", "ignore", "inherit"] });
  return join(clone, "dist/packages");
}
