#!/usr/bin/env -S node --disable-sigusr1
// Entry point of the command line: standard output has results, standard error everything else.
import { watchSignals } from "../agent/life.ts";

const args = process.argv.slice(2);
const [first = "agent"] = args;
const isAgent = first === "agent" || first.startsWith("-");
watchSignals(isAgent || first === "trace", isAgent);

async function main(): Promise<void> {
  // Loaded later, since signals have their default effect until then.
  const { run } = await import("./run.ts");
  const { drainOutputs } = await import("../core/base/output.ts");
  const code = await run(args);
  // A slow reader may not have read everything yet; exit() would discard the rest.
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise<void>((resolve) => stream.write("", () => resolve()));
  }
  await drainOutputs(1000);
  process.exit(code);
}

void main();
