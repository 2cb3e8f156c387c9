// Large buffers that are used again: V8 counts them as nothing, and would let 64 MB of them gather before it collects.

/** Smaller ones are left to V8. */
const LEAST_BYTES = 64 * 1024;
/** What is allocated is a multiple of this, so that the next request finds room in it. */
const STEP_BYTES = 256 * 1024;
/** Buffers that wait for their next use. */
const MOST = 3;

export class BufferPool {
  readonly #free: Buffer<ArrayBuffer>[] = [];

  /** A buffer of at least `size` bytes, its contents anything. */
  take(size: number): Buffer<ArrayBuffer> {
    const at = this.#free.findIndex((each) => each.length >= size);
    if (at >= 0) return this.#free.splice(at, 1)[0]!;
    return Buffer.allocUnsafeSlow(size < LEAST_BYTES ? size : Math.ceil(size / STEP_BYTES) * STEP_BYTES);
  }

  /** Nobody looks at `buffer`, which came from `take`, any more. */
  give(buffer: Buffer<ArrayBuffer>): void {
    if (buffer.length < LEAST_BYTES) return;
    this.#free.push(buffer);
    // The largest fit most.
    this.#free.sort((a, b) => a.length - b.length);
    if (this.#free.length > MOST) this.#free.shift();
  }
}
