// A time axis on which long idle times are shortened, so that short intervals can be seen. Tests:
// test/system/viewer-screens.kernel.test.ts.
import { ticks } from "../format.ts";

/** An idle time that is longer than this share of the rest is shortened to this share of the width. */
const LONG = 0.8;
const SHORTENED = 0.08;

/** Seconds. */
export interface Times {
  readonly from: number;
  readonly to: number;
}

interface Piece extends Times {
  readonly isShortened: boolean;
  /** Pixels. */
  readonly x: number;
  readonly width: number;
}

export class TimeScale {
  readonly pieces: readonly Piece[];

  /**
   * Maps [from, to], seconds, to the pixels from `left` to `left + width`. `instants`: when something happens; `busy`:
   * between which of them the time is not idle.
   */
  constructor(
    { instants, busy }: { readonly instants: readonly number[]; readonly busy: readonly Times[] },
    { from, to }: Times,
    left: number,
    width: number,
  ) {
    const inside = instants.filter((t) => t > from && t < to);
    const bounds = [...new Set([from, ...inside.sort((a, b) => a - b), to])];
    const gaps = bounds.slice(1).map((end, i) => ({ from: bounds[i]!, to: end }));
    const idle = gaps.filter((gap) => !busy.some((one) => one.from <= gap.from && gap.to <= one.to));
    const shortened = new Set<Times>();
    let scaled = to - from;
    for (const gap of idle.sort((a, b) => b.to - b.from - (a.to - a.from))) {
      const length = gap.to - gap.from;
      if (length < LONG * scaled || shortened.size + 1 === gaps.length) break;
      shortened.add(gap);
      scaled -= length;
    }
    const perSecond = ((1 - SHORTENED * shortened.size) * width) / Math.max(1e-9, scaled);
    const pieces: Piece[] = [];
    let x = left;
    for (const gap of gaps) {
      const isShortened = shortened.has(gap);
      const pixels = isShortened ? SHORTENED * width : (gap.to - gap.from) * perSecond;
      const last = pieces.at(-1);
      if (last && !isShortened && !last.isShortened)
        pieces[pieces.length - 1] = { ...last, to: gap.to, width: last.width + pixels };
      else pieces.push({ ...gap, isShortened, x, width: pixels });
      x += pixels;
    }
    this.pieces = pieces;
  }

  /** The pixel of a time; outside the axis if the time is. */
  x(t: number): number {
    const piece = this.pieces.find(({ to }) => t <= to) ?? this.pieces.at(-1)!;
    return piece.x + ((t - piece.from) / (piece.to - piece.from)) * piece.width;
  }

  /** The time at a pixel. */
  time(x: number): number {
    const piece = this.pieces.find((one) => x <= one.x + one.width) ?? this.pieces.at(-1)!;
    return piece.from + ((x - piece.x) / piece.width) * (piece.to - piece.from);
  }

  get shortened(): readonly Piece[] {
    return this.pieces.filter(({ isShortened }) => isShortened);
  }

  /** Times with a mark: whole seconds, or fractions of one, after `origin`. */
  marks(origin: number): { readonly after: number; readonly x: number }[] {
    return this.pieces.flatMap(({ from, to, width, isShortened }) => {
      if (isShortened || width < 60) return [];
      return ticks(from - origin, to - origin, Math.floor(width / 100) || 1).at.map((after) => {
        return { after, x: this.x(origin + after) };
      });
    });
  }
}
