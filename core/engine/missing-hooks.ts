// What a running plugin cannot observe here, in words.
import type { Hook } from "../bridge/loader.ts";

interface Watching {
  readonly name: string;
  readonly hooks: readonly Hook[];
}

const missing = (hooks: readonly Hook[]): Hook[] => hooks.filter(({ program }) => program === undefined);

/** Hooks without which a plugin cannot serve its main purpose. */
const unanswered = (hooks: readonly Hook[]): Hook[] => missing(hooks).filter(({ degrades }) => degrades);

/** Whether a plugin runs without its main hook. */
const isDegraded = (hooks: readonly Hook[]): boolean => unanswered(hooks).length > 0;

/** `degraded` for a plugin that runs so, else `running`. */
export const stateOf = (hooks: readonly Hook[]): "running" | "degraded" =>
  isDegraded(hooks) ? "degraded" : "running";

/** The last attempt of each hook: the ones before it were better, and usually cannot be fixed. */
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

/** What is not observed and what to do; undefined if the plugin serves its main purpose. */
export function degradation({ name, hooks }: Watching): string | undefined {
  return isDegraded(hooks) ? sentence(name, " is degraded: it", unanswered(hooks)) : undefined;
}

/** What else is missing; undefined if nothing is. */
export function details({ name, hooks }: Watching): string | undefined {
  const rest = missing(hooks).filter(({ degrades }) => !degrades);
  return rest.length ? sentence(name, "", rest) : undefined;
}
