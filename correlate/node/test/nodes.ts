// The versions of Node.js that the package supports, as far as they are installed.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** One supported version. */
export interface Version {
  readonly major: number;
  /** Undefined if it is not installed. */
  readonly program: string | undefined;
  readonly missing: string;
}

/** Node 20, 22 and 24: the project's own, those that tools/setup.sh has installed, or from PATH. */
export const versions: readonly Version[] = [20, 22, 24].map((major) => ({
  major,
  program: candidates(major).find((program) => existsSync(program) && majorOf(program) === major),
  missing: `no Node.js ${major}, neither on PATH nor from the setup of npm test`,
}));

function candidates(major: number): string[] {
  const folder = join(
    import.meta.dirname,
    `../../../node_modules/.cache/wirespan/node-${major}/node_modules`,
  );
  const installed = join(folder, `node-linux-${process.arch}/bin/node`);
  const onPath = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "node"));
  return [process.execPath, installed, ...onPath];
}

function majorOf(program: string): number {
  return Number.parseInt(execFileSync(program, ["-p", "process.versions.node"], { encoding: "utf8" }), 10);
}

/** Whether a development dependency of the package is installed. */
export function installed(name: string): boolean {
  return existsSync(join(import.meta.dirname, `../node_modules/${name}/package.json`));
}
