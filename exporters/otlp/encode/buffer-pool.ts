// Reuses large buffers: V8 does not count them, and would let 64 MB accumulate before it collects.

/** Smaller buffers are left to V8. */
const LEAST_BYTES = 64 * 1024;
/** Buffer sizes are multiples of this, so that the next request fits. */
const STEP_BYTES = 256 * 1024;
/** Number of buffers kept for reuse. */
const MOST = 3;

export class BufferPool {
  readonly #free: Buffer<ArrayBuffer>[] = [];

  /** A buffer of at least `size` bytes with arbitrary contents. */
  take(size: number): Buffer<ArrayBuffer> {
    const at = this.#free.findIndex((each) => each.length >= size);
    if (at >= 0) return this.#free.splice(at, 1)[0]!;
    return Buffer.allocUnsafeSlow(size < LEAST_BYTES ? size : Math.ceil(size / STEP_BYTES) * STEP_BYTES);
  }

  /** Returns a buffer of `take` that is no longer used. */
  give(buffer: Buffer<ArrayBuffer>): void {
    if (buffer.length < LEAST_BYTES) return;
    this.#free.push(buffer);
    // The largest ones fit most requests.
    this.#free.sort((a, b) => a.length - b.length);
    if (this.#free.length > MOST) this.#free.shift();
  }
}
