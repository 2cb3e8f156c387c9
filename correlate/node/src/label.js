// Sockets and their slots. What is known about a connection is kept with its handle, because a socket that connects again
// gets another handle.
import { guarded } from "./guard.js";
import { empty, slotOf, takeOver, write } from "./table.js";

const KEY = Symbol("wirespan.label");
const WAITING = Symbol("wirespan.waiting");

/**
 * @typedef {import("node:net").Socket} Socket
 * @typedef {{ slot: number, text: string | undefined }} Label
 * @typedef {{ [KEY]?: Label }} Handle
 * @typedef {Socket & { _handle?: Handle | null, [WAITING]?: string[] }} Labelled
 */

/** The owner of each slot. Labels are small, and keep nothing else of a closed connection alive. */
const owners = /** @type {(Label | undefined)[]} */ (new Array(4096).fill(undefined));

/** Contexts written, and slots taken over. */
export const counts = { contexts: 0, slots: 0 };

/**
 * Sets the context of what is written to `socket` next; undefined: none. If the socket is connecting, this takes effect
 * once it is connected.
 * @param {Socket | null | undefined} socket
 * @param {string | undefined} text
 */
export function label(socket, text) {
  guarded(set, /** @type {Labelled | null | undefined} */ (socket), text, true);
}

/**
 * The same, unless that context was the last one set.
 * @param {Socket | null | undefined} socket
 * @param {string | undefined} text
 */
export function relabel(socket, text) {
  guarded(set, /** @type {Labelled | null | undefined} */ (socket), text, false);
}

/**
 * @param {Labelled | null | undefined} socket
 * @param {string | undefined} text
 * @param {boolean} again
 */
function set(socket, text, again) {
  if (!socket) return;
  if (socket.connecting) {
    if (text !== undefined) wait(socket, text);
    return;
  }
  const handle = socket._handle;
  if (!handle) return;
  const known = handle[KEY];
  // Without an earlier context, there is none to end.
  if (text === undefined && known?.text === undefined) return;
  if (known && owners[known.slot] === known) {
    if (!again && known.text === text) return;
    say(known, text);
  } else if (text !== undefined) {
    const claimed = claim(socket, handle);
    if (claimed) say(claimed, text);
  }
}

/** @param {Label} known @param {string | undefined} text */
function say(known, text) {
  known.text = text;
  write(known.slot, text);
  counts.contexts++;
}

/**
 * Sets the last context again if another connection has taken the slot since.
 * @param {Socket} socket
 */
export function reclaim(socket) {
  const handle = /** @type {Labelled} */ (socket)._handle;
  const known = handle?.[KEY];
  if (!handle || known?.text === undefined || owners[known.slot] === known) return;
  if (claim(socket, handle)) write(known.slot, known.text);
}

/** @param {Labelled} socket @param {Handle} handle @returns {Label | undefined} */
function claim(socket, handle) {
  const { localPort, remotePort, localAddress, remoteAddress } = socket;
  // A Unix socket, a stream that is not a socket, or a closed connection.
  if (!localPort || !remotePort || !localAddress || !remoteAddress) return undefined;
  const known = handle[KEY] ?? { slot: slotOf(localPort, remotePort), text: undefined };
  takeOver(known.slot, { localPort, remotePort, localAddress, remoteAddress });
  counts.slots++;
  owners[known.slot] = known;
  if (!handle[KEY]) {
    handle[KEY] = known;
    socket.once("close", () => guarded(release, known));
  }
  return known;
}

/**
 * A later connection may have the same addresses and ports, and send before a context is set for it.
 * @param {Label} known
 */
function release(known) {
  if (owners[known.slot] !== known) return;
  owners[known.slot] = undefined;
  empty(known.slot);
}

/** @param {Labelled} socket @param {string} text */
function wait(socket, text) {
  const waiting = socket[WAITING];
  if (waiting) {
    if (!waiting.includes(text)) waiting.push(text);
    return;
  }
  socket[WAITING] = [text];
  // Before TLS begins, and before buffered data is sent. HTTP/2 exposes a proxy for its socket,
  // which may be invalid by then.
  socket.prependOnceListener(
    "connect",
    /** @this {Labelled} */
    function () {
      guarded(setWaiting, this);
    },
  );
}

/** @param {Labelled} socket */
function setWaiting(socket) {
  const texts = socket[WAITING] ?? [];
  delete socket[WAITING];
  for (const text of texts) label(socket, text);
}
