// `wirespan doctor`
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Command } from "commander";
import { WirespanError } from "../../core/plugin/errors.ts";
import { type ConfigFlags, setUp, withConfig } from "../setup.ts";
import { bench, SECONDS, secondsOf } from "./bench.ts";

function write(path: string, bytes: Buffer): void {
  try {
    writeFileSync(path, bytes, { mode: 0o600 });
  } catch (cause) {
    const { message } = cause as Error;
    throw new WirespanError("OUTPUT", `The bundle cannot be written: ${message}; name another file.`, {
      cause,
    });
  }
}

export function addDoctor(program: Command): void {
  withConfig(program.command("doctor"))
    .description("check what this kernel and these privileges support, and how to fix what is missing")
    .option("-p, --plugin <name...>", "check only these plugins")
    .option("--json", "print JSON")
    .option("--bundle <file>", "write everything that a bug report needs, without secrets, as gzipped JSON")
    .option(
      "--bench [seconds]",
      "with --bundle: also measure what the agent costs, as wirespan bench does",
      secondsOf,
    )
    .addHelpText(
      "after",
      `
Exits with 1 if an enabled plugin cannot run, with 6 if one runs but cannot serve its main purpose.

Examples:
  wirespan doctor
  wirespan doctor --json | jq '.plugins[] | select(.state == "failed")'
  wirespan doctor --bundle wirespan-report.json.gz
  wirespan doctor --bundle wirespan-report.json.gz --bench`,
    )
    .action(async (flags: ConfigFlags & { json?: boolean; bundle?: string; bench?: number | true }) => {
      const { config, plugins, failed } = await setUp(flags);
      const { doctor, doctorCode, renderReport } = await import("../../agent/doctor.ts");
      const report = await doctor(config, { plugins, failed });
      if (flags.bundle !== undefined) {
        const { createSupportBundle } = await import("../../agent/support-bundle.ts");
        const bundle = await createSupportBundle(config, report);
        const measured = flags.bench && (await bench(flags, flags.bench === true ? SECONDS : flags.bench));
        write(
          flags.bundle,
          gzipSync(JSON.stringify({ ...bundle, ...(measured && { bench: measured }) }, null, 2)),
        );
        process.stderr.write(`${flags.bundle} is written; gunzip shows what is in it.\n`);
      }
      process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report));
      process.exitCode = doctorCode(report);
    });
}
