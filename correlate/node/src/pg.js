// PostgreSQL: a query belongs to the span that was active when it was made, although the end of another query may cause the write.
import { AsyncResource } from "node:async_hooks";
import { active } from "./active.js";
import { guarded, wrap } from "./guard.js";
import { onLoad } from "./modules.js";
import { bindNext, unbind } from "./writes.js";

const CONTEXT = Symbol("wirespan.query");

/**
 * @typedef {{ submit?: unknown, [CONTEXT]?: { text: string | undefined } }} Query
 * @typedef {{ _queryQueue?: Query[], queryQueue?: Query[] }} Client
 * @typedef {{ stream?: import("node:net").Socket }} Connection
 * @typedef {{ prototype: object, Query?: { prototype: object } }} Class
 */

export function watchPg() {
  onLoad("pg", (exports) => {
    const { Client, Pool, Query } = /** @type {Record<string, Class | undefined>} */ (exports);
    wrapSubmit(Query?.prototype);
    wrapClient(Client?.prototype);
    wrapPool(Pool?.prototype);
  });
  onLoad("pg-pool", (exports) => wrapPool(/** @type {Class} */ (exports).prototype));
}

/** @param {object | undefined} client */
function wrapClient(client) {
  // The termination message belongs to no query.
  wrap(client, "end", (original) => {
    return function end(...args) {
      guarded(() =>
        bindNext(/** @type {{ connection?: Connection }} */ (this).connection?.stream, undefined),
      );
      return original.apply(this, args);
    };
  });
  wrap(client, "query", (original) => {
    return function query(...args) {
      // Cursors and similar objects have their own submit.
      guarded(bind, /** @type {Query | undefined} */ (args[0]));
      const result = original.apply(this, args);
      guarded(bindLast, /** @type {Client} */ (this));
      return result;
    };
  });
}

/** @param {Query | undefined} query */
function bind(query) {
  if (typeof query?.submit !== "function" || query[CONTEXT]) return;
  query[CONTEXT] = { text: active() };
  wrapSubmit(query);
}

/**
 * Queries still in the queue are written later; any other was written by this call.
 * @param {Client} client
 */
function bindLast(client) {
  // In newer versions, reading the queue by its old name causes a warning.
  const query = ("_queryQueue" in client ? client._queryQueue : client.queryQueue)?.at(-1);
  if (query && !query[CONTEXT]) query[CONTEXT] = { text: active() };
}

/** @param {object | undefined} query */
function wrapSubmit(query) {
  wrap(query, "submit", (original) => {
    return function submit(...args) {
      const stream = guarded(() => /** @type {Connection | undefined} */ (args[0])?.stream);
      const bound = /** @type {Query} */ (this)[CONTEXT];
      guarded(() => bindNext(stream, bound ? bound.text : active()));
      let written = false;
      try {
        const error = original.apply(this, args);
        written = !error;
        return error;
      } finally {
        if (!written) unbind(stream);
      }
    };
  });
}

/** Pool.query() and callbacks of connect() continue in their caller's context. @param {object | undefined} pool */
function wrapPool(pool) {
  wrap(pool && methods(pool), "connect", (original) => {
    return function connect(...args) {
      const [callback] = args;
      return original.apply(
        this,
        typeof callback === "function" ? [AsyncResource.bind(/** @type {() => void} */ (callback))] : args,
      );
    };
  });
}

/** pg exports a subclass of pg-pool's class. @param {object} pool @returns {object | undefined} */
function methods(pool) {
  for (let at = pool; at; at = Object.getPrototypeOf(at)) if (Object.hasOwn(at, "connect")) return at;
  return undefined;
}
