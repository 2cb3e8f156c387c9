// The bench measures the bundle that `npm start` runs.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { AgentOptions } from "../test/support/agent.ts";

const ROOT = join(import.meta.dirname, "..");

/** The bundle, and the cache of compiled code. */
export const asStarted = {
  main: join(ROOT, "cli/start.cjs"),
  env: { NODE_COMPILE_CACHE: join(ROOT, "node_modules/.cache/wirespan") },
} as const satisfies AgentOptions;

/** Rebuilds the bundle if a source has changed. */
export function makeBundle(): void {
  execFileSync("sh", ["tools/setup.sh", process.arch, "bundle"], { cwd: ROOT, stdio: "inherit" });
}
