// `wirespan doctor`
import type { Command } from "commander";
import { type ConfigFlags, setUp, withConfig } from "./setup.ts";

export function addDoctor(program: Command): void {
  withConfig(program.command("doctor"))
    .description("say what this kernel and these permissions allow, and how to mend the rest")
    .option("-p, --plugin <name...>", "look at these plugins only")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Exits with 1 if an enabled plugin cannot run.

Examples:
  wirespan doctor
  wirespan doctor --json | jq '.plugins[] | select(.ok | not)'`,
    )
    .action(async (flags: ConfigFlags & { json?: boolean }) => {
      const { config, plugins, failed } = await setUp(flags);
      const { doctor, renderReport } = await import("../doctor.ts");
      const report = await doctor(config, { plugins, failed });
      process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report));
      process.exitCode = report.ok ? 0 : 1;
    });
}
