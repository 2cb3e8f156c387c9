// Waits for what another process does.
import { setTimeout as sleep } from "node:timers/promises";
import { DEADLINE } from "./deadline.ts";

/**
 * Calls `look` every 50 ms until it returns something other than undefined or false, and returns that. Throws an error
 * with `what` after `ms`.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  ms = DEADLINE,
): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}`);
    await sleep(50);
  }
}
