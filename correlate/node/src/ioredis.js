// ioredis: a command belongs to the span that was active when it was first sent, even if it then waits for a connection.
// With automatic pipelining it arrives here in the context of another command, so it is left without one.
import { active } from "./active.js";
import { guarded, wrap } from "./guard.js";
import { onLoad } from "./modules.js";
import { bindNext } from "./writes.js";

const CONTEXT = Symbol("wirespan.command");

/**
 * @typedef {{ [CONTEXT]?: { text: string | undefined } }} Command
 * @typedef {{ options?: { enableAutoPipelining?: boolean } }} Redis
 * @typedef {{ prototype: object }} Class
 */

export function watchIoredis() {
  onLoad("ioredis", (exports) => {
    const { Redis, Cluster, Command } = /** @type {Record<string, Class | undefined>} */ (exports);
    for (const each of [Redis, Cluster]) {
      wrap(each?.prototype, "sendCommand", (original) => {
        return function sendCommand(...args) {
          guarded(bind, /** @type {Redis} */ (this), /** @type {Command} */ (args[0]), args[1]);
          return original.apply(this, args);
        };
      });
    }
    // Called for the bytes that are then written to the socket, alone or together with those of a pipeline.
    wrap(Command?.prototype, "toWritable", (original) => {
      return function toWritable(...args) {
        const bound = /** @type {Command} */ (this)[CONTEXT];
        guarded(bindNext, /** @type {import("node:net").Socket} */ (args[0]), bound?.text);
        return original.apply(this, args);
      };
    });
  });
}

/** @param {Redis} redis @param {Command} command @param {unknown} pipeline */
function bind(redis, command, pipeline) {
  if (command[CONTEXT]) return;
  const unknown = redis.options?.enableAutoPipelining === true && pipeline !== undefined;
  command[CONTEXT] = { text: unknown ? undefined : active() };
}
