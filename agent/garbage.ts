// Schedules garbage collection. V8 would start marking a few times a minute while the agent is idle, because each
// collection of metrics allocates a little: nine tenths of an idle agent's CPU. cli/node-flags turns that off, and
// the agent collects garbage after a number of collections.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Native } from "../native/index.ts";

/** Milliseconds; by then the start is over, whose parsed configuration and load buffers can be freed. */
const AFTER_START = 4000;

/** Collections of metrics per garbage collection. Under load V8 collects by itself when the heap has grown. */
const EVERY = 50;

/** V8's own function. Exposed from the start, it would make Node compile its modules, whose code it has for the defaults. */
function exposed(): NonNullable<typeof globalThis.gc> {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}

/** Collects garbage soon, and again when the returned function was called often enough. */
export function collectGarbage({ giveBackFreed }: Native): () => void {
  // The first time, everything is freed, including pages that V8 keeps for later: 10 MB.
  const all = { type: "major", execution: "sync", flavor: "last-resort" } as const;
  setTimeout(() => exposed()(all), AFTER_START).unref();
  let calls = 0;
  return () => {
    giveBackFreed();
    if (++calls % EVERY === 0) exposed()();
  };
}
