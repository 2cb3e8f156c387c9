// What the host did during a trace, as a lane of its waterfall.
import type { Line } from "../../../store/answers.ts";

/** Height of one, pixels. */
export const HOST_LANE = 26;

/** Of its name. */
const LETTERS = 28;

/** A value of the host over time. */
export interface HostLine {
  readonly name: string;
  readonly value: string;
  readonly line: Line;
  readonly isBad: boolean;
}

/** Each value lasts until the next collection; its height is its share of the greatest one. `x`: of a time. */
export function HostLane(props: {
  line: HostLine;
  y: number;
  from: number;
  to: number;
  left: number;
  x: (t: number) => number;
}) {
  const { y, from, to, left, x } = props;
  const { name, value, line, isBad } = props.line;
  const most = Math.max(1e-9, ...line.map(([, n]) => n));
  const steps = line
    .map(([begin, n], i) => ({ begin, end: line[i + 1]?.[0] ?? to, n }))
    .filter(({ begin, end }) => end > from && begin < to);
  const path = steps
    .map(({ begin, end, n }, i) => {
      const height = (y + HOST_LANE - 5 - (n / most) * (HOST_LANE - 9)).toFixed(1);
      return `${i === 0 ? "M" : "L"}${x(Math.max(from, begin))} ${height}H${x(Math.min(to, end))}`;
    })
    .join("");
  return (
    <g class={isBad ? "host bad" : "host"}>
      <title>{`${name}: ${value}, from a minute before to a minute after`}</title>
      <text x={6} y={y + 17}>
        {name.length > LETTERS ? `${name.slice(0, LETTERS - 1)}…` : name}
      </text>
      <line class="grid" x1={left} x2={x(to)} y1={y + HOST_LANE - 4} y2={y + HOST_LANE - 4} />
      <path d={path} />
    </g>
  );
}
