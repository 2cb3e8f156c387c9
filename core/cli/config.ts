// `wirespan config check|print|schema`
import type { Command } from "commander";
import { WirespanError } from "../errors.ts";
import { type ConfigFlags, setUp, withConfig } from "./setup.ts";

export function addConfig(program: Command): void {
  const config = program.command("config").description("check and print the configuration");

  withConfig(config.command("check [file]"))
    .description("say all that is wrong with a configuration; exit 2 if anything is")
    .addHelpText("after", "\nExample:\n  wirespan config check wirespan.yaml")
    .action(async (file: string | undefined, flags: ConfigFlags) => {
      const { config, plugins, failed } = await setUp(named(file, flags));
      const [broken] = failed;
      if (broken !== undefined) throw broken.error;
      const enabled = plugins.filter(({ name }) => config.plugins[name]?.enabled).map(({ name }) => name);
      const to = Object.entries(config.exporters).map(([name, { type }]) =>
        name === type ? name : `${name} (${type})`,
      );
      process.stdout.write(
        `The configuration is valid.\nplugins: ${enabled.join(", ") || "none"}\nexporters: ${to.join(", ") || "none"}\n`,
      );
    });
}

/** The file may stand behind the command as well as behind --config, but not in both places. */
function named(file: string | undefined, flags: ConfigFlags): ConfigFlags {
  if (file === undefined) return flags;
  if (flags.config !== undefined) throw new WirespanError("USAGE", "Name the configuration file once.");
  return { ...flags, config: file };
}
