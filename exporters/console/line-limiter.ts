// Limits the lines per second: failures first, then others.

interface Line {
  readonly what: string;
  readonly text: string;
}

export class LineLimiter {
  readonly #rate: number;
  #notable: Line[] = [];
  #calm: Line[] = [];
  #leftOut = new Map<string, number>();

  /** `rate`: lines in one call of `take`; 0: all. */
  constructor(rate: number) {
    this.#rate = rate || Number.POSITIVE_INFINITY;
  }

  /** `text` is called only if there is room; otherwise the line is counted as `what`: `connections`. */
  add(isNotable: boolean, what: string, text: () => string): void {
    const lines = isNotable ? this.#notable : this.#calm;
    const room = this.#rate - this.#notable.length - (isNotable ? 0 : this.#calm.length);
    if (room <= 0) {
      this.#leaveOut(what);
      return;
    }
    lines.push({ what, text: text() });
    if (this.#notable.length + this.#calm.length <= this.#rate) return;
    this.#leaveOut(this.#calm.pop()!.what);
  }

  /** The lines to print and the numbers of omitted ones; begins the next second. */
  take(): { readonly lines: readonly string[]; readonly leftOut: Readonly<Record<string, number>> } {
    const lines = [...this.#notable, ...this.#calm].map(({ text }) => text);
    const leftOut = Object.fromEntries(this.#leftOut);
    this.#notable = [];
    this.#calm = [];
    this.#leftOut = new Map();
    return { lines, leftOut };
  }

  #leaveOut(what: string): void {
    this.#leftOut.set(what, (this.#leftOut.get(what) ?? 0) + 1);
  }
}
