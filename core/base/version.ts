import { createRequire } from "node:module";

/** The package's version: of every instrumentation scope and of the agent's own resource. */
export const VERSION: string = (createRequire(import.meta.url)("../../package.json") as { version: string })
  .version;
