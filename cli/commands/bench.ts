// `wirespan bench`
import { type Command, InvalidArgumentError, Option } from "commander";
import { defaultSocket } from "../../config/control-socket.ts";
import { type ConfigFlags, setUp, withConfig } from "../setup.ts";
import { software } from "./version.ts";

/** Default seconds of connections in each round. */
export const SECONDS = 3;

interface BenchFlags extends ConfigFlags {
  readonly json?: boolean;
  readonly seconds: number;
  readonly workload?: string;
}

/** Seconds from 0.1 to 600. Throws for anything else. */
export function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 600))
    throw new InvalidArgumentError(`"${text}" is not a number of seconds from 0.1 to 600.`);
  return seconds;
}

/** What an agent costs here, with this configuration; logs each step on standard error. */
export async function bench(flags: ConfigFlags, seconds: number) {
  // Errors of the configuration are reported immediately.
  await setUp(flags);
  const { measure } = await import("../bench/measure.ts");
  const args = [
    ...(flags.plugin ? ["--plugin", ...flags.plugin] : []),
    ...(flags.set ?? []).flatMap((pair) => ["--set", pair]),
  ];
  await sayWhoRuns();
  const measured = await measure({ config: flags.config, args }, seconds, (text) => {
    process.stderr.write(`wirespan bench: ${text}\n`);
  });
  return { software: software(), ...measured };
}

/** With another agent running, the baseline without an agent cannot be measured. */
async function sayWhoRuns(): Promise<void> {
  const { ask, resultOf } = await import("../../agent/control/client.ts");
  try {
    const { pid } = resultOf(await ask(defaultSocket(), "status")) as { pid: number };
    process.stderr.write(
      `wirespan bench: an agent is running (pid ${pid}): what it costs is in both columns; stop it to measure without.\n`,
    );
  } catch {
    // No agent answers.
  }
}

export function addBench(program: Command): void {
  withConfig(program.command("bench"))
    .description(
      "measure what the agent costs on this host, compared with the same work without it; takes a minute",
    )
    .option("-p, --plugin <name...>", "run these plugins only")
    .option(
      "--seconds <n>",
      "seconds of connections in each round, without the agent and with it",
      secondsOf,
      SECONDS,
    )
    .option("--json", "print JSON, with each round")
    .addOption(new Option("--workload <seconds>", "make the connections that are measured").hideHelp())
    .addHelpText(
      "after",
      `
Starts an agent of its own as configured, whose exporters are replaced by one that discards everything, and makes connections
on loopback without it and with it. The table is Markdown, for a ticket.

Examples:
  wirespan bench
  wirespan bench --plugin tcplife tcpretrans
  wirespan bench --config wirespan.yaml --json`,
    )
    .action(async (flags: BenchFlags) => {
      if (flags.workload !== undefined) {
        const { makeConnections } = await import("../bench/workload.ts");
        process.stdout.write(`${JSON.stringify(await makeConnections(Number(flags.workload)))}\n`);
        return;
      }
      const measured = await bench(flags, flags.seconds);
      const { benchTable } = await import("../bench/table.ts");
      process.stdout.write(
        flags.json ? `${JSON.stringify(measured, null, 2)}\n` : benchTable(measured, measured.software),
      );
    });
}
