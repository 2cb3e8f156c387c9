// `wirespan [agent]`
import { type Command, Option } from "commander";
import { UNCHANGED } from "../../config/source.ts";
import { suggestion } from "../../core/base/suggest.ts";
import { WirespanError } from "../../core/plugin/errors.ts";
import { createLog, deferLog } from "../../core/plugin/log.ts";
import type { ConsoleConfig } from "../../exporters/config.ts";
import { configForLive, createLive, holdLog, isLive } from "../live.ts";
import { type ConfigFlags, setUp, withConfig } from "../setup.ts";

export function addAgent(program: Command): void {
  withConfig(program.command("agent", { isDefault: true }))
    .description("run the agent (what wirespan does without a command)")
    .option("-p, --plugin <name...>", "run only these plugins")
    .addOption(
      new Option("--format <format>", "print lines on standard output instead of the live view").choices([
        "text",
        "json",
      ]),
    )
    .allowExcessArguments()
    .addHelpText(
      "after",
      `
Examples:
  wirespan                                    every plugin; on a terminal a live view
  wirespan --format text                      connections, failures and drops as lines
  wirespan --config wirespan.yaml             as the file says
  wirespan --plugin tcplife softirqs          only these two
  wirespan --set log.level=debug              one setting, overriding file and environment
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
      const { runAgent } = await import("../../agent/agent.ts");
      const read = async (outcome?: string) => {
        const found = await setUp(flags, outcome);
        return { ...found, config: configForLive(found.config, found.plugins) };
      };
      const { config, plugins, failed } = await read();
      const log = isLive(config) && process.stderr.isTTY ? holdLog() : deferLog(() => createLog(config.log));
      let page: string | undefined;
      const live = (name: string, own: ConsoleConfig) => createLive(name, own, plugins, log, () => page);
      const onPage = (url: string) => {
        page = url;
      };
      await runAgent(config, { plugins, failed, log, live, onPage, reread: () => read(UNCHANGED) });
    });
}
