// Our own variables: WIRESPAN_ and the setting's path, PLUGINS_TCPLIFE_FILTER_MIN_DURATION.
import { suggestion } from "../core/base/suggest.ts";
import type { Environment } from "./secrets.ts";
import type { Assignment, ConfigErrors } from "./source.ts";
import { leaves, type Tree } from "./tree.ts";

const PREFIX = "WIRESPAN_";

/** Variables of the build, and of applications (correlate/node), which are not settings of the agent. */
const others: ReadonlySet<string> = new Set([
  "WIRESPAN_BACKENDS_DIR",
  "WIRESPAN_CORRELATE",
  "WIRESPAN_CORRELATE_WRITES",
]);

/** `plugins.tcplife.filter.minDuration` as WIRESPAN_PLUGINS_TCPLIFE_FILTER_MIN_DURATION. */
export function variableOf(path: string): string {
  return (
    PREFIX +
    path
      .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
      .replace(/[^A-Za-z0-9]/g, "_")
      .toUpperCase()
  );
}

/** The settings in WIRESPAN_ variables; a variable without a setting is an error. */
export function readEnvironment(
  env: Environment,
  tree: Tree,
  opaque: ReadonlySet<string>,
  errors: ConfigErrors,
): Assignment[] {
  const given = Object.keys(env).filter((name) => name.startsWith(PREFIX) && env[name] && !others.has(name));
  if (given.length === 0) return [];
  const paths = new Map([...leaves(tree)].map(([path]) => [variableOf(path), path]));
  const hidden = [...opaque].map((path) => `${variableOf(path)}_`);
  return given.flatMap((name) => {
    const path = paths.get(name);
    if (path !== undefined)
      return { path, raw: env[name]!, origin: { source: "environment", where: name } } as const;
    if (!hidden.some((prefix) => name.startsWith(prefix))) {
      errors.add(name, "", () => {
        return `unknown variable${suggestion(name, paths.keys(), "no such setting")}`;
      });
    }
    return [];
  });
}
