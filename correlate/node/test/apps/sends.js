// Inspects every write that Node passes to a TCP or TLS handle: which contexts in the table are new at that moment
// for that connection, and which keys the bytes contain. A key is `k` and the span id of its context.
import net from "node:net";
import { slotOf } from "../../src/table.js";
import { reader } from "./table.js";

const KEYS = /k[0-9a-f]{16}/g;

/**
 * @typedef {object} Send
 * @property {string[]} keys
 * @property {string[]} spans of the contexts that are new at this send, as keys
 * @property {boolean} ended whether this send ends the context before
 * @typedef {{ getsockname(out: object): number, getpeername(out: object): number }} Handle
 */

/** @type {Send[]} */
export const sends = [];

/** @param {unknown} data @returns {string} */
function textOf(data) {
  if (typeof data === "string") return data;
  if (data instanceof Uint8Array) return Buffer.from(data).toString("latin1");
  return Array.isArray(data) ? data.map((each) => textOf(each?.chunk ?? each)).join("") : "";
}

function nowhere() {
  return { address: "", port: 0 };
}

/** An address of these tests in the form of a slot. @param {string} address */
function hex(address) {
  const mapped = address.replace("::ffff:", "").split(".");
  if (address === "::1") return "1".padStart(32, "0");
  return `${"0".repeat(20)}ffff${mapped.map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
}

/** @param {object} handle */
function watchHandle(handle) {
  const methods = /** @type {Record<string, unknown>} */ (handle);
  for (const name of ["writeUtf8String", "writeLatin1String", "writeAsciiString", "writeBuffer", "writev"]) {
    const original = methods[name];
    if (typeof original !== "function") continue;
    methods[name] = (/** @type {unknown[]} */ ...args) => {
      const [local, peer] = [nowhere(), nowhere()];
      const { getsockname, getpeername } = /** @type {Handle} */ (handle);
      getsockname.call(handle, local);
      getpeername.call(handle, peer);
      const found = reader.read(slotOf(local.port, peer.port));
      const ours =
        found?.key === `${local.port}>${peer.port}` &&
        found.local === hex(local.address) &&
        found.remote === hex(peer.address);
      const contexts = ours ? found.contexts : [];
      sends.push({
        keys: textOf(args[1]).match(KEYS) ?? [],
        spans: contexts.map((context) => `k${context.slice(36, 52)}`),
        ended: ours && found.ended,
      });
      return original.apply(handle, args);
    };
  }
}

/** @param {net.Socket} socket */
export function watchSocket(socket) {
  const { _handle } = /** @type {{ _handle?: object }} */ (/** @type {unknown} */ (socket));
  if (_handle) watchHandle(_handle);
}

/** Observes all sockets that are created by connecting from now on. */
export function watchSends() {
  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function (/** @type {unknown[]} */ ...args) {
    this.prependOnceListener("connect", () => watchSocket(this));
    return Reflect.apply(connect, this, args);
  };
}

/**
 * How the keys in all sends since the last call were labelled.
 * @returns {{ keys: number, right: number, none: number, extra: number, ended: number }}
 */
export function tally() {
  const result = { keys: 0, right: 0, none: 0, extra: 0, ended: 0 };
  for (const { keys, spans, ended } of sends.splice(0)) {
    const known = new Set(keys);
    result.keys += known.size;
    for (const key of known) if (spans.includes(key)) result.right++;
    for (const span of spans) if (!known.has(span)) result.extra++;
    if (ended) result.ended++;
    if (spans.length === 0) result.none += known.size;
  }
  return result;
}
