// The context table of this thread, as wirespan's docs/context-table.md specifies it. No fences are needed: the
// kernel reads the table in the thread that writes it, during the system call that sends.
import { Buffer } from "node:buffer";
import { writeAddress } from "./address.js";

const SLOTS = 4096;
const HEADER = 64;
const SLOT = 256;
const KEY = 4;
const RING = 40;
const RECORD = 28;
const EMPTIED = 236;
const RECORDS = 7;
const OWN_THREAD = 1;

/** @typedef {Buffer & { latin1Write(text: string, at: number, length: number): number }} Latin1 */

const memory = new ArrayBuffer(HEADER + SLOTS * SLOT);
const bytes = new Uint8Array(memory);
const words = new Uint32Array(memory);
const halves = new Uint16Array(memory);
const scratch = /** @type {Latin1} */ (Buffer.alloc(64));

/** Values of hexadecimal digits as the upper and the lower half of a byte; other characters have values above a byte. */
const NONE = 256;
const UPPER = new Uint16Array(256).fill(NONE);
const LOWER = new Uint16Array(256).fill(NONE);
for (let i = 0; i < 16; i++) {
  const digit = "0123456789abcdef".charCodeAt(i);
  UPPER[digit] = i << 4;
  LOWER[digit] = i;
}

scratch.write("WSNCTXT1", "latin1");
bytes.set(scratch.subarray(0, 8));
words.set([HEADER, SLOTS, SLOT, OWN_THREAD], 2);

/** The header, in the table's own memory; it is sent as the announcement. */
export const header = Buffer.from(memory, 0, HEADER);

/** The whole table. */
export const table = bytes;

const CONNECTING = 36;

/**
 * Sets the context of the next connect(); undefined: none.
 * @param {string | undefined} text
 */
export function setConnecting(text) {
  bytes[CONNECTING + 24] = 0;
  if (text !== undefined) writeRecord(CONNECTING, text);
}

/**
 * The slot of a connection.
 * @param {number} localPort
 * @param {number} remotePort
 */
export function slotOf(localPort, remotePort) {
  return (localPort * 31 + remotePort) & (SLOTS - 1);
}

/**
 * Assigns a slot to a connection. The records of its former owner are removed, and the count of writes continues.
 * @param {number} slot
 * @param {{ localPort: number, remotePort: number, localAddress: string, remoteAddress: string }} key
 */
export function takeOver(slot, key) {
  const at = HEADER + slot * SLOT;
  const seq = (words[at >> 2] ?? 0) | 1;
  words[at >> 2] = seq;
  halves[(at + KEY) >> 1] = key.localPort;
  halves[(at + KEY + 2) >> 1] = key.remotePort;
  writeAddress(bytes, at + 8, key.localAddress);
  writeAddress(bytes, at + 24, key.remoteAddress);
  bytes.fill(0, at + RING, at + EMPTIED);
  words[(at + EMPTIED) >> 2] = seq + 1;
  words[at >> 2] = seq + 1;
}

/**
 * Leaves a slot without an owner and without records.
 * @param {number} slot
 */
export function empty(slot) {
  takeOver(slot, { localPort: 0, remotePort: 0, localAddress: "::", remoteAddress: "::" });
}

/**
 * Writes the context of the bytes that this slot's owner sends next; undefined: they have none.
 * @param {number} slot
 * @param {string | undefined} text
 */
export function write(slot, text) {
  const at = HEADER + slot * SLOT;
  const word = at >> 2;
  // The number is odd if a write was interrupted.
  const seq = (words[word] ?? 0) | 1;
  words[word] = seq;
  const record = at + RING + ((seq >>> 1) % RECORDS) * RECORD;
  if (text === undefined) bytes[record + 24] = 0;
  else writeRecord(record, text);
  words[word] = seq + 1;
}

/**
 * `valid` becomes 0 if the text contains an invalid digit, or an id of zeros.
 * @param {number} at
 * @param {string} text
 */
function writeRecord(at, text) {
  // One copy of the text and a loop over bytes: reading a string character by character costs twice as much.
  scratch.latin1Write(text, 0, 55);
  let trace = 0;
  let span = 0;
  for (let k = at, i = 3; i < 35; k++, i += 2) {
    const value = byteAt(i);
    bytes[k] = value;
    trace |= value;
  }
  for (let k = at + 16, i = 36; i < 52; k++, i += 2) {
    const value = byteAt(i);
    bytes[k] = value;
    span |= value;
  }
  const flags = byteAt(53);
  bytes[at + 25] = flags;
  bytes[at + 24] = (trace | span | flags) < NONE && trace !== 0 && span !== 0 ? 1 : 0;
}

/** @param {number} i where its two digits are in the text */
function byteAt(i) {
  const upper = /** @type {number} */ (UPPER[/** @type {number} */ (scratch[i])]);
  return upper | /** @type {number} */ (LOWER[/** @type {number} */ (scratch[i + 1])]);
}
