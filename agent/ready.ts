// The line that scripts wait for. Tests: every kernel test that starts the agent (test/support/agent.ts).
import { standardError } from "../core/base/output.ts";

/** Writes one JSON line to standard error when everything is attached, unless that is a terminal. */
export function announceReady(plugins: readonly string[]): void {
  const out = standardError();
  if (!out.isTTY) out.write(`${JSON.stringify({ ready: true, pid: process.pid, plugins })}\n`);
}
