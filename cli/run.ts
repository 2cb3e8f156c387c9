// Runs one command line and returns the exit code.
import { CommanderError } from "commander";
import { unexpected } from "../agent/life.ts";
import { standardError } from "../core/base/output.ts";
import { WirespanError } from "../core/plugin/errors.ts";
import { createProgram } from "./program.ts";

/** Runs `args` (without node and script); returns the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  // The reader of our output may close it first (`| head`), which is not an error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    standardError().write(`wirespan: cannot write to standard output: ${error.message}\n`);
    process.exit(1);
  });
  process.stderr.on("error", () => {});
  try {
    const program = await createProgram(args);
    await program.parseAsync([...args], { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  // Commander has already reported the error; --help and --version end here, too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const say = (text: string) => standardError().write(`${text}\n`);
  if (error instanceof WirespanError) {
    say(`wirespan: ${error.message}`);
    if (error.detail !== undefined) say(error.detail);
    return error.exitCode;
  }
  say(`wirespan: ${unexpected(error)}`);
  const debug = process.env.WIRESPAN_LOG_LEVEL === "debug" || process.env.OTEL_LOG_LEVEL === "debug";
  if (debug && error instanceof Error) say(String(error.stack));
  return 1;
}
