#!/usr/bin/env -S node --disable-sigusr1
// The command line's way in: standard output carries results, standard error all else.
import { watchSignals } from "../agent/life.ts";

const args = process.argv.slice(2);
const [first = "agent"] = args;
const isAgent = first === "agent" || first.startsWith("-");
watchSignals(isAgent || first === "trace", isAgent);

async function main(): Promise<void> {
  // Loaded afterwards: until then a signal would do what it does to a program that knows none.
  const { run } = await import("./run.ts");
  const { drainOutputs } = await import("../core/base/output.ts");
  const code = await run(args);
  // A slow reader may not have taken all yet; exit() would throw the rest away.
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise<void>((resolve) => stream.write("", () => resolve()));
  }
  await drainOutputs(1000);
  process.exit(code);
}

void main();
