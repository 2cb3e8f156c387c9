// Sums of processes' images (bpf/include/wirespan/owner.h), added to the sums of the workloads to which they belong.

/** What is known about images, by number. */
export interface Images {
  /** The number of an image's workload; undefined: not decided yet, its rows stay in the table. */
  workloadOf(image: number): number | undefined;
  /** The programs have known its workload for longer than a collection, so nothing is added to the image's own rows any more. */
  isSettled(image: number): boolean;
}

/** An image's number has the highest bit set. */
export function isImage(number: number): boolean {
  return number >= 0x8000_0000;
}

/** The workload for processes that have none of their own. */
export const REST = 1;

/** A table's rows as they were read: row i's key is at `i * keySize`, its value at `i * valueSize`, bytes. */
export interface Rows {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  readonly count: number;
  readonly keySize: number;
  readonly valueSize: number;
}

interface Row {
  readonly key: Uint8Array;
  readonly value: Uint32Array;
}

/** For one table. */
export class WorkloadRows {
  readonly #images: Images;
  readonly #maxWords: ReadonlySet<number>;
  readonly #limit: number;
  /** Values of rows that are no longer in the table, by the workload's key. */
  readonly #settled = new Map<string, Row>();

  /**
   * `maxWords`: see TableRecords. `limit`: number of keys that are remembered for settled images; more go to the
   * remainder.
   */
  constructor(images: Images, maxWords: Iterable<number>, limit: number) {
    this.#images = images;
    this.#maxWords = new Set(maxWords);
    this.#limit = limit;
  }

  /**
   * Adds the rows of images, also of earlier ones, to the workloads' rows in `values`. Returns the rows of workloads that
   * have no row of their own in the table; `remove` removes a row from the kernel's table.
   */
  fold(rows: Rows, remove: (key: Uint8Array) => void): readonly Row[] {
    const images = this.#imagesIn(rows);
    if (images.length === 0 && this.#settled.size === 0) return [];
    const own = ownRows(rows);
    const more = new Map<string, Row>();
    const add = (id: string, { key, value }: Row) => {
      const to = own.get(id) ?? more.get(id)?.value;
      if (to) this.#add(to, value);
      else more.set(id, { key, value: value.slice() });
    };
    for (const i of images) {
      const original = rows.keys.slice(i * rows.keySize, (i + 1) * rows.keySize);
      const image = numberOf(original);
      const workload = this.#images.workloadOf(image);
      if (workload === undefined) continue;
      const row = { key: withNumber(original, workload), value: wordsAt(rows, i) };
      if (this.#images.isSettled(image)) {
        this.#settle(row);
        remove(original);
      } else add(idOf(row.key), row);
    }
    for (const [id, row] of this.#settled) add(id, row);
    return [...more.values()];
  }

  #imagesIn(rows: Rows): readonly number[] {
    const found: number[] = [];
    for (let i = 0; i < rows.count; i++) if (isOfImage(rows, i)) found.push(i);
    return found;
  }

  #settle({ key, value }: Row): void {
    const known = this.#settled.get(idOf(key));
    if (known) this.#add(known.value, value);
    else if (this.#settled.size < this.#limit) this.#settled.set(idOf(key), { key, value: value.slice() });
    else this.#settleRest({ key: withNumber(key, REST), value });
  }

  #settleRest({ key, value }: Row): void {
    const known = this.#settled.get(idOf(key));
    if (known) this.#add(known.value, value);
    else this.#settled.set(idOf(key), { key, value: value.slice() });
  }

  /** Word by word as u64, with the larger one for maxima. */
  #add(to: Uint32Array, value: Uint32Array): void {
    for (let i = 0; i < value.length; i += 2) {
      const [low, high] = [value[i]!, value[i + 1]!];
      if (low === 0 && high === 0) continue;
      if (this.#maxWords.has(i >> 1)) {
        if (high < to[i + 1]! || (high === to[i + 1]! && low < to[i]!)) continue;
        to[i] = low;
        to[i + 1] = high;
        continue;
      }
      const sum = to[i]! + low;
      to[i] = sum;
      to[i + 1] = to[i + 1]! + high + (sum > 0xffff_ffff ? 1 : 0);
    }
  }
}

/** Whether a row's key begins with an image's number. */
export function isOfImage({ keys, keySize }: Rows, i: number): boolean {
  return (keys[i * keySize + 3]! & 0x80) !== 0;
}

/** Workloads' values at their offsets, by key. */
function ownRows(rows: Rows): Map<string, Uint32Array> {
  const own = new Map<string, Uint32Array>();
  for (let i = 0; i < rows.count; i++) {
    if (isOfImage(rows, i)) continue;
    own.set(idOf(rows.keys.subarray(i * rows.keySize, (i + 1) * rows.keySize)), wordsAt(rows, i));
  }
  return own;
}

function wordsAt({ values, valueSize }: Rows, i: number): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset + i * valueSize, valueSize >> 2);
}

function idOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

function numberOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(0, true);
}

function withNumber(key: Uint8Array, number: number): Uint8Array {
  const changed = key.slice();
  new DataView(changed.buffer).setUint32(0, number, true);
  return changed;
}
