// A cache with a limit. Two generations instead of an ordered list: a hit moves nothing.

/** Keeps at most `limit` values, or bytes, and always the most recently used ones that fit into half of it. */
export class LruCache<K, V extends {}> {
  readonly #half: number;
  readonly #sizeOf: (key: K, value: V) => number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  /** Size of the young generation. */
  #size = 0;

  /** `sizeOf`: bytes of one value, if `limit` is in bytes; none may be larger than half of it. */
  constructor(limit: number, sizeOf: (key: K, value: V) => number = () => 1) {
    this.#half = Math.max(1, Math.floor(limit / 2));
    this.#sizeOf = sizeOf;
  }

  /** Number of values that are kept now. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    this.#old.delete(key);
    const before = this.#young.get(key);
    const more = this.#sizeOf(key, value) - (before === undefined ? 0 : this.#sizeOf(key, before));
    if (this.#size + more > this.#half && before === undefined) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#size = 0;
    }
    this.#young.set(key, value);
    this.#size += more;
  }
}
