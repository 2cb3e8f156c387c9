// `wirespan [agent]`
import type { Command } from "commander";
import { WirespanError } from "../errors.ts";
import { createLog } from "../log.ts";
import { suggestion } from "../nearest.ts";
import { type ConfigFlags, setUp, withConfig } from "./setup.ts";

export function addAgent(program: Command): void {
  withConfig(program.command("agent", { isDefault: true }))
    .description("run the agent (what wirespan does without a command)")
    .option("-p, --plugin <name...>", "run these plugins only")
    .allowExcessArguments()
    .addHelpText(
      "after",
      `
Examples:
  wirespan                                    every plugin, live on the console
  wirespan --config wirespan.yaml             as the file says
  wirespan --plugin tcplife softirqs          these two only
  wirespan --set log.level=debug              one setting, before file and environment
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 wirespan`,
    )
    .action(async (flags: ConfigFlags, command: Command) => {
      const [unknown] = command.args;
      if (unknown !== undefined) {
        const known = program.commands.map((c) => c.name());
        throw new WirespanError(
          "USAGE",
          `There is no command ${unknown}${suggestion(unknown, known, "--help lists them.")}`,
        );
      }
      const { config, plugins, failed } = await setUp(flags);
      const { runAgent } = await import("../agent.ts");
      await runAgent(config, { plugins, failed, log: createLog(config.log), reread: () => setUp(flags) });
    });
}
