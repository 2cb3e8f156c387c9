// For tests: a plugin with a setting of each format, and configurations from text.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../config/config.ts";
import { loadConfig, type Override } from "../../config/load.ts";
import type { Environment } from "../../config/secrets.ts";
import { WirespanError } from "../../core/plugin/errors.ts";
import { type Plugin, plugin } from "../../core/plugin/plugin.ts";
import { skeleton as tcplife } from "../../plugins/tcplife/tcplife.skel.ts";

/** Named tcplife, so that messages look like real ones. */
export const sample: Plugin = plugin({
  name: "tcplife",
  summary: "TCP connections, when they end.",
  config: {
    longLived: { doc: "Age of a checkpoint.", format: "duration", default: 300_000 },
    perCpu: { doc: "By CPU.", format: "boolean", default: false },
    top: { doc: "How many.", format: "count", default: 50 },
    buffer: { doc: "How much.", format: "size", default: 4096 },
    label: { doc: "A name.", format: "string", default: "" },
    devices: { doc: "Which ones.", format: "strings", default: [] },
    watched: { doc: "Which ports.", format: "ports", default: ["80"] },
    subnets: { doc: "Which subnets.", format: "cidrs", default: [] },
    unit: { doc: "Of what.", format: ["bytes", "packets"], default: "bytes" },
  },
  skeleton: {
    hash: "",
    programs: {},
    constants: { agent_filter: tcplife.constants.agent_filter },
    counters: [],
    records: {},
  },
  probes: {},
  signals: {},
  start: () => ({}),
  trace: { options: [], columns: () => [], rows: "tcp connection" },
});

export interface Given {
  readonly yaml?: string;
  readonly env?: Environment;
  readonly flags?: readonly Override[];
  readonly others?: readonly string[];
}

/** Loads `yaml` from a file called wirespan.yaml; in messages, its path is replaced by `wirespan.yaml`. */
export function configOf({ yaml, env = {}, flags = [], others = [] }: Given): Config {
  const sources = { env, flags, others, plugins: [sample] };
  if (yaml === undefined) return loadConfig(sources);
  const folder = mkdtempSync(join(tmpdir(), "wirespan-config-"));
  try {
    const file = join(folder, "wirespan.yaml");
    writeFileSync(file, yaml);
    return loadConfig({ ...sources, file });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The lines with the errors; throws if there are none, or if the error is not CONFIG_INVALID. */
export function faultsOf(given: Given): string[] {
  try {
    configOf(given);
  } catch (error) {
    if (!(error instanceof WirespanError) || error.code !== "CONFIG_INVALID") throw error;
    return (error.detail ?? "").replaceAll(/\S*\/(?=wirespan\.yaml:)/g, "").split("\n");
  }
  throw new Error("the configuration was taken as valid");
}

/** The source of a setting's value, and how it is shown. */
export function effectOf(config: Config, path: string): { shown: string | undefined; from: string[] } {
  const found = config.effective.find((setting) => setting.path === path);
  if (found === undefined) throw new Error(`there is no setting ${path}`);
  return { shown: found.shown, from: found.origins.map(({ where }) => where.replace(/.*\//, "")) };
}
