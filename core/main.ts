#!/usr/bin/env node
// The command line's way in: standard output carries results, standard error all else.
import { run } from "./cli/run.ts";

const code = await run(process.argv.slice(2));
// A slow reader may not have taken all yet; exit() would throw the rest away.
for (const stream of [process.stdout, process.stderr])
  await new Promise<void>((resolve) => stream.write("", () => resolve()));
process.exit(code);
