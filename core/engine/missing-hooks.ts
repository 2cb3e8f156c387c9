// What a running plugin can't see here, in words.
import type { Hook } from "../bridge/loader.ts";

interface Watching {
  readonly name: string;
  readonly hooks: readonly Hook[];
}

const missing = (hooks: readonly Hook[]): Hook[] => hooks.filter(({ program }) => program === undefined);

/** Hooks whose lack leaves a plugin's own question unanswered. */
const unanswered = (hooks: readonly Hook[]): Hook[] => missing(hooks).filter(({ degrades }) => degrades);

/** Whether a plugin runs without what its own question needs. */
const isDegraded = (hooks: readonly Hook[]): boolean => unanswered(hooks).length > 0;

/** `degraded` for a plugin that runs so, else `running`. */
export const stateOf = (hooks: readonly Hook[]): "running" | "degraded" =>
  isDegraded(hooks) ? "degraded" : "running";

/** Of each hook the last that was tried: what came before it was better, and as a rule can't be mended. */
function refusals(hooks: readonly Hook[]): string {
  const last = hooks.flatMap(({ refused }) => refused.slice(-1));
  const byReason = Map.groupBy(last, ({ why }) => why);
  return [...byReason]
    .map(([why, all]) => `${[...new Set(all.map(({ at }) => at))].join(" and ")}: ${why}`)
    .join("; ");
}

function sentence(name: string, verdict: string, hooks: readonly Hook[]): string {
  const what = hooks.map(({ observes }) => observes).join(", ");
  const lost = [...new Set(hooks.map(({ lostWithout = "" }) => lostWithout))].join("; ");
  return `${name}${verdict} does not observe ${what}. Lost: ${lost}. Refused: ${refusals(hooks)}.`;
}

/** What is unanswered and what to do; undefined if the plugin's question is answered. */
export function degradation({ name, hooks }: Watching): string | undefined {
  return isDegraded(hooks) ? sentence(name, " is degraded: it", unanswered(hooks)) : undefined;
}

/** What is missing of the rest; undefined if nothing is. */
export function details({ name, hooks }: Watching): string | undefined {
  const rest = missing(hooks).filter(({ degrades }) => !degrades);
  return rest.length ? sentence(name, "", rest) : undefined;
}
