// What happens when a socket writes: contexts that were bound to the write, the option of labelling every write with
// the active span, and slots that another connection has taken. Node calls `_writeGeneric` once the kernel has all
// earlier bytes of the socket.
import net from "node:net";
import { active } from "./active.js";
import { guarded, wrap } from "./guard.js";
import { label, reclaim, relabel } from "./label.js";

const NEXT = Symbol("wirespan.next");
const OURS = Symbol("wirespan.ours");

/**
 * @typedef {import("node:net").Socket} Socket
 * @typedef {Socket & { [NEXT]?: (string | undefined)[] | undefined, [OURS]?: () => (string | undefined)[] | undefined }} Bound
 */

let generic = false;

/**
 * Binds a context, or none, to what `socket` writes next.
 * @param {Socket | null | undefined} socket
 * @param {string | undefined} text
 */
export function bindNext(socket, text) {
  if (!socket) return;
  const bound = /** @type {Bound} */ (socket);
  bound[NEXT] ??= [];
  bound[NEXT].push(text);
  bound[OURS] ??= nothing;
}

/**
 * Removes the last context that was bound, because nothing was written.
 * @param {Socket | undefined} socket
 */
export function unbind(socket) {
  if (socket) /** @type {Bound} */ (socket)[NEXT]?.pop();
}

/**
 * From now on `contexts` is called at each write of `socket`, and returns the contexts of the bytes; undefined: as before.
 * @param {Socket} socket
 * @param {() => (string | undefined)[] | undefined} contexts
 */
export function bindWrites(socket, contexts) {
  /** @type {Bound} */ (socket)[OURS] = contexts;
}

/**
 * Excludes a socket whose contexts a library knows better than by the active span.
 * @param {Socket | null | undefined} socket
 */
export function own(socket) {
  if (generic && socket) /** @type {Bound} */ (socket)[OURS] ??= nothing;
}

/** Labels all writes about which nothing better is known with the active span. */
export function labelAllWrites() {
  generic = true;
}

function nothing() {
  return undefined;
}

export function watchWrites() {
  wrap(net.Socket.prototype, "_writeGeneric", (original) => {
    return function _writeGeneric(...args) {
      guarded(beforeWrite, /** @type {Bound} */ (this));
      return original.apply(this, args);
    };
  });
}

/** @param {Bound} socket */
function beforeWrite(socket) {
  // Node calls this again when the socket is connected.
  if (socket.connecting) return;
  const ours = socket[OURS];
  if (ours) {
    const next = socket[NEXT];
    const texts = next && next.length > 0 ? next : ours();
    socket[NEXT] = undefined;
    if (texts) write(socket, texts);
  } else if (generic) {
    relabel(socket, active());
  }
  reclaim(socket);
}

/** @param {Socket} socket @param {(string | undefined)[]} texts */
function write(socket, texts) {
  const known = new Set(texts);
  known.delete(undefined);
  if (known.size === 0) label(socket, undefined);
  else for (const text of known) label(socket, text);
}
