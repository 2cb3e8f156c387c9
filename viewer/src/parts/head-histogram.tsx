// A histogram that is small enough for the header of a column.
import type { Heat } from "../../../store/answers.ts";
import { count, duration } from "../format.ts";

const [WIDTH, HEIGHT] = [84, 16];
/** Bars per power of ten. */
const BARS = 4;

const barOf = (seconds: number) => Math.ceil(Math.log10(seconds) * BARS);

export function HeadHistogram(props: { of: Heat; label: string }) {
  const { bounds, counts, total, p50, p99 } = props.of;
  if (total === 0) return null;
  const sums = new Map<number, number>();
  for (const [i, row] of counts.entries()) {
    const bar = barOf(bounds[i]!);
    sums.set(
      bar,
      row.reduce((sum, n) => sum + n, sums.get(bar) ?? 0),
    );
  }
  const first = Math.min(...sums.keys());
  const bars = Math.max(...sums.keys()) - first + 1;
  const most = Math.max(...sums.values());
  const step = WIDTH / Math.max(8, bars);
  const values = `${count(total)} values, half of them up to ${duration(p50)}, 99 % up to ${duration(p99)}`;
  return (
    <svg
      class="distribution"
      width={WIDTH}
      height={HEIGHT}
      role="img"
      aria-label={`${props.label}: ${values}`}
    >
      <title>{values}</title>
      {[...sums].map(([bar, n]) => {
        const height = Math.max(1, (n / most) * HEIGHT);
        return (
          <rect
            key={bar}
            x={(bar - first) * step}
            y={HEIGHT - height}
            width={Math.max(1, step - 1)}
            height={height}
          />
        );
      })}
    </svg>
  );
}
