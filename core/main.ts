#!/usr/bin/env node
// The command line's way in: standard output carries results, standard error all else.
import { run } from "./cli/run.ts";

process.exit(await run(process.argv.slice(2)));
