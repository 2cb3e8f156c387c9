// Reads a context table as docs/context-table.md specifies.

const HEADER = 64;
const SLOT = 256;
const RING = 40;
const RECORD = 28;
const RECORDS = 7;
const EMPTIED = 236;

/**
 * @typedef {object} Found what is new in a slot
 * @property {number} slot
 * @property {string} key `local port > remote port`
 * @property {string} local 32 hexadecimal digits
 * @property {string} remote
 * @property {string[]} contexts the new valid ones, oldest first, as traceparent
 * @property {boolean} ended whether there are new records, and none of them is valid
 * @property {number} overrun new records that were overwritten
 */

export class Reader {
  /** The `seq` that was last read, by slot and key. @type {Map<string, number>} */
  #marks = new Map();

  /** @param {Uint8Array} table */
  constructor(table) {
    this.table = table;
    this.view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  }

  /** The number of slots; throws if the header is invalid. */
  get slots() {
    const { view } = this;
    const magic = Buffer.from(this.table.subarray(0, 8)).toString("latin1");
    const slots = view.getUint32(12, true);
    if (magic !== "WSNCTXT1" || view.getUint32(8, true) !== HEADER || view.getUint32(16, true) !== SLOT) {
      throw new Error("no context table of layout v1");
    }
    if (slots < 1 || slots > 4096 || (slots & (slots - 1)) !== 0) throw new Error(`${slots} slots`);
    return slots;
  }

  /** The record `connecting`, as traceparent; undefined if it is not valid. */
  get connecting() {
    return this.#record(36);
  }

  /** @returns {Found[]} */
  collect() {
    /** @type {Found[]} */
    const found = [];
    for (let slot = 0; slot < this.slots; slot++) {
      const new_ = this.read(slot);
      if (new_) found.push(new_);
    }
    return found;
  }

  /**
   * What is new in a slot; undefined: nothing, or it is being written.
   * @param {number} slot
   * @returns {Found | undefined}
   */
  read(slot) {
    const at = HEADER + slot * SLOT;
    const seq = this.view.getUint32(at, true);
    const key = `${this.view.getUint16(at + 4, true)}>${this.view.getUint16(at + 6, true)}`;
    if (key === "0>0") return undefined;
    const mark = this.#marks.get(`${slot} ${key}`);
    if (seq % 2 === 1 || seq === mark) return undefined;
    const emptied = this.view.getUint32(at + EMPTIED, true);
    // Without a mark or `emptied`, nothing is known to be lost.
    const since = [mark, emptied || undefined].flatMap((from) =>
      from === undefined ? [] : [((seq - from) >>> 0) / 2],
    );
    const writes = since.length > 0 ? Math.min(...since) : RECORDS;
    const records = Math.min(writes, RECORDS);
    /** @type {string[]} */
    const contexts = [];
    for (let back = records; back > 0; back--) {
      const number = (seq / 2 - back + 2 ** 31) % 2 ** 31;
      const text = this.#record(at + RING + (number % RECORDS) * RECORD);
      if (text !== undefined) contexts.push(text);
    }
    this.#marks.set(`${slot} ${key}`, seq);
    return {
      slot,
      key,
      local: this.#hex(at + 8, 16),
      remote: this.#hex(at + 24, 16),
      contexts,
      ended: contexts.length === 0,
      overrun: writes - records,
    };
  }

  /** @param {number} at */
  #record(at) {
    const trace = this.#hex(at, 16);
    const span = this.#hex(at + 16, 8);
    if (this.table[at + 24] !== 1 || /^0+$/.test(trace) || /^0+$/.test(span)) return undefined;
    return `00-${trace}-${span}-${this.#hex(at + 25, 1)}`;
  }

  /** @param {number} at @param {number} length */
  #hex(at, length) {
    return Buffer.from(this.table.subarray(at, at + length)).toString("hex");
  }
}

/**
 * Whether two of these connections share a slot of a table, a coincidence that these tests ignore.
 * @param {Iterable<string>} keys `local port > remote port`
 */
export function collide(keys) {
  const slots = new Set();
  let connections = 0;
  for (const key of new Set(keys)) {
    const [local = 0, remote = 0] = key.split(">").map(Number);
    slots.add((local * 31 + remote) % 4096);
    connections++;
  }
  return slots.size !== connections;
}
