import { createRequire } from "node:module";

/** The package's version, used in every instrumentation scope and in the agent's own resource. */
export const VERSION: string = (createRequire(import.meta.url)("../../package.json") as { version: string })
  .version;
