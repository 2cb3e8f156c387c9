// The whole command line, command by command.
import { Command, CommanderError } from "commander";
import { addAgent } from "./commands/agent.ts";
import { addBench } from "./commands/bench.ts";
import { addCompletion } from "./commands/completion.ts";
import { addConfig } from "./commands/config.ts";
import { addControl } from "./commands/control.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addExporters } from "./commands/exporters.ts";
import { addPlugins } from "./commands/plugins.ts";
import { addTrace } from "./commands/trace.ts";
import { versions } from "./commands/version.ts";
import { addView } from "./commands/view.ts";

/** Takes the arguments because a traced tool has options of its own. */
export async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("wirespan")
    .description(
      "An OpenTelemetry agent that turns what the Linux kernel knows about the network into spans and metrics.",
    )
    .option("-V, --version", "print the versions of wirespan, libbpf, kernel and Node")
    .on("option:version", () => {
      process.stdout.write(versions());
      throw new CommanderError(0, "wirespan.version", "");
    })
    .exitOverride()
    .showHelpAfterError("See --help for usage.")
    .helpCommand(false)
    .addHelpText(
      "after",
      `
Examples:
  wirespan                            run the agent with every plugin
  wirespan --config wirespan.yaml     run it with a configuration file
  wirespan trace tcplife -L 22        one tool, live
  wirespan doctor                     what this kernel and these privileges support
  wirespan config check wirespan.yaml validate a configuration file
  wirespan exporters test             send something to each backend, and print the responses

Exit codes:
  0  ended as requested
  1  an unexpected error; doctor: an enabled plugin cannot run
  2  the command line or the configuration is wrong
  3  this kernel is too old or has no BTF
  4  permissions are missing
  5  a program or a plugin cannot run
  6  doctor: an enabled plugin runs, but its main purpose is not met (degraded)
  7  telemetry was lost on the way to a backend (the log says what and why); exporters test: a backend did not accept everything`,
    );
  addAgent(program);
  await addTrace(program, args);
  addDoctor(program);
  addBench(program);
  addPlugins(program);
  addConfig(program);
  addExporters(program);
  addControl(program);
  addView(program);
  addCompletion(program, createProgram);
  return program;
}
