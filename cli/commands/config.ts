// `wirespan config check|print|schema`
import type { Command } from "commander";
import { type ExpectedSeries, expectedSeries } from "../../agent/cardinality.ts";
import { internalSeries } from "../../agent/internal-telemetry.ts";
import type { Config, Effective } from "../../config/config.ts";
import { jsonSchema } from "../../config/json-schema.ts";
import { importPlugins, installedPlugins } from "../../core/engine/discover.ts";
import { WirespanError } from "../../core/plugin/errors.ts";
import { type ConfigFlags, setUp, withConfig } from "../setup.ts";

export function addConfig(program: Command): void {
  const config = program
    .command("config")
    .helpCommand(false)
    .description("check and print the configuration");

  withConfig(config.command("check [file]"))
    .description("validate a configuration; exit 2 if it has errors")
    .addHelpText("after", "\nExample:\n  wirespan config check wirespan.yaml")
    .action(async (file: string | undefined, flags: ConfigFlags) => {
      const { config, plugins, failed } = await setUp(named(file, flags));
      const [broken] = failed;
      if (broken !== undefined) throw broken.error;
      const enabled = plugins.filter(({ name }) => config.plugins[name]?.enabled).map(({ name }) => name);
      await checkExporters(config);
      const to = Object.entries(config.exporters).map(([name, { type }]) =>
        name === type ? name : `${name} (${type})`,
      );
      process.stdout.write(
        `The configuration is valid.\nplugins: ${enabled.join(", ") || "none"}\nexporters: ${to.join(", ") || "none"}\n`,
      );
    });

  withConfig(config.command("print [file]"))
    .description("print the effective configuration and the source of each value; secrets as ***")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  WIRESPAN_LOG_LEVEL=debug wirespan config print wirespan.yaml")
    .action(async (file: string | undefined, flags: ConfigFlags & { json?: boolean }) => {
      const { config, plugins } = await setUp(named(file, flags));
      const series = [...expectedSeries(config, plugins), ...internalSeries(config, plugins)];
      if (flags.json) {
        process.stdout.write(`${JSON.stringify({ settings: config.effective, series }, null, 2)}\n`);
        return;
      }
      for (const setting of config.effective) process.stdout.write(settingLine(setting));
      for (const { plugin, metric, series: count, bounded } of series) {
        process.stdout.write(
          `# ${plugin}: ${metric}: at most ${count} series for each resource, ${bounded}\n`,
        );
      }
      process.stdout.write("# Expected in total:\n");
      for (const [each, count] of expectedByCause(series)) {
        process.stdout.write(`#   ${count} series for ${each}\n`);
      }
    });

  config
    .command("schema")
    .description("print the JSON schema of the configuration file, for editors")
    .addHelpText("after", "\nExample:\n  wirespan config schema >wirespan.schema.json")
    .action(async () => {
      const { plugins, failed } = await importPlugins(installedPlugins());
      process.stdout.write(`${JSON.stringify(jsonSchema(plugins), null, 2)}\n`);
      if (failed[0] !== undefined) throw failed[0].error;
    });
}

/** Throws what only the protocols' own code finds, such as headers that HTTP cannot carry. */
async function checkExporters({ exporters, log }: Config): Promise<void> {
  const backends = Object.entries(exporters);
  if (backends.every(([, { type }]) => type === "console")) return;
  const { checkBackend } = await import("../../exporters/probe.ts");
  const { createLog } = await import("../../core/plugin/log.ts");
  for (const [name, backend] of backends)
    if (backend.type !== "console") await checkBackend(name, backend, createLog(log));
}

/** The causes of additional series, and how many. */
function expectedByCause(series: readonly ExpectedSeries[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { expected, each } of series) {
    const names = Object.entries(each).map(([name, only]) =>
      only.length === 1 ? `${name}=${only[0]}` : name,
    );
    const cause = names.length === 0 ? "the host" : `each ${names.sort().join(", ")}`;
    sums.set(cause, (sums.get(cause) ?? 0) + expected);
  }
  return sums;
}

function settingLine({ path, shown, origins }: Effective): string {
  const from = origins.map(({ where }) => where).filter((where) => where !== "");
  return `${`${path}: ${shown ?? "(none)"}`.padEnd(60)}  # ${from.join(", ") || "default"}\n`;
}

/** The file may be given after the command or with --config, but not both. */
function named(file: string | undefined, flags: ConfigFlags): ConfigFlags {
  if (file === undefined) return flags;
  if (flags.config !== undefined) throw new WirespanError("USAGE", "Name the configuration file once.");
  return { ...flags, config: file };
}
