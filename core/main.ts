#!/usr/bin/env node
// The command line's way in: standard output carries results, standard error all else.
import { enableCompileCache } from "node:module";
import { join } from "node:path";

// Halves the time to start, and a quarter of the memory: stripped types and bytecode are kept.
enableCompileCache(join(import.meta.dirname, "../node_modules/.cache/wirespan"));
const { run } = await import("./cli/run.ts");

process.exit(await run(process.argv.slice(2)));
