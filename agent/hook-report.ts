// A hook in doctor and on the page. Tests: agent/doctor.kernel.test.ts.
import type { Hook, RefusedProgram } from "../core/bridge/loader.ts";

/** A hook under the keys of `wirespan doctor --json`, which scripts read. */
export interface HookReport {
  readonly thing: string;
  readonly program?: string;
  readonly at?: string;
  readonly refused: readonly RefusedProgram[];
  readonly without?: string;
  readonly degrades?: true;
}

export function reported({ observes, lostWithout, ...hook }: Hook): HookReport {
  return { thing: observes, ...hook, ...(lostWithout !== undefined && { without: lostWithout }) };
}
