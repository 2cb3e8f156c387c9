// Durations over time: a logarithmic axis, one hue, the logarithm of the count. A box can be drawn or typed.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Heat } from "../../../store/answers.ts";
import { clock, count, duration, ticks } from "../format.ts";
import { theme } from "../state.ts";
import { asTables, HeatTable } from "./as-table.tsx";
import { useWidth } from "./width.ts";

/** The range of time, and of the measured duration, in seconds. */
export interface Box {
  readonly t0: number;
  readonly t1: number;
  readonly least: number;
  readonly most: number;
}

const LEFT = 62;
const BOTTOM = 22;
/** Buckets per power of two. */
const SCALE = 8;

const bucketOf = (seconds: number) => Math.round(Math.log2(seconds) * SCALE);

/** From few to many, for each theme. */
const HUES = {
  light: [
    [216, 230, 253],
    [76, 130, 232],
    [16, 28, 92],
  ],
  dark: [
    [22, 40, 76],
    [62, 112, 206],
    [176, 208, 255],
  ],
} as const;

/** Pixels between marks. */
const APART = 15;

/** Marks at the minimum duration of a handshake that loses one SYN or SYN-ACK, two, and so on. */
function synMarks(
  times: readonly number[],
  isShown: (seconds: number) => boolean,
  yOf: (seconds: number) => number,
) {
  let last = Number.POSITIVE_INFINITY;
  return times.flatMap((seconds, i) => {
    const y = yOf(seconds);
    if (!isShown(seconds) || last - y < APART) return [];
    last = y;
    return [{ seconds, text: `${i + 1} ${i === 0 ? "SYN" : "SYNs"} lost: +${duration(seconds)}` }];
  });
}

interface Drawn {
  heat: Heat;
  label: string;
  height: number;
  /** The minimum range of the axis, in seconds. */
  span?: readonly [least: number, most: number];
  box?: Box | undefined;
  onBox?: (box: Box) => void;
}

export function Heatmap(props: Drawn) {
  return asTables() ? <HeatTable heat={props.heat} label={props.label} /> : <DrawnHeatmap {...props} />;
}

function DrawnHeatmap(props: Drawn) {
  const { heat, height, onBox } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [frame, width] = useWidth();
  const [cell, setCell] = useState<{ column: number; row: number } | undefined>(undefined);
  const [drag, setDrag] = useState<{ x0: number; y0: number; x1: number; y1: number } | undefined>(undefined);
  const buckets = heat.bounds.map(bucketOf);
  const [shortest, longest] = props.span ?? [1e-4, 1];
  const least = Math.min(...buckets, bucketOf(shortest)) - 4;
  const most = Math.max(...buckets, bucketOf(longest)) + 4;
  const rows = most - least + 1;
  const plot = { width: Math.max(50, width - LEFT - 8), height: height - BOTTOM - 6 };
  const xOf = (t: number) => LEFT + ((t - heat.t0) / (heat.step * heat.columns)) * plot.width;
  const yOf = (seconds: number) => 6 + (1 - (Math.log2(seconds) * SCALE - least + 1) / rows) * plot.height;
  const dark = theme.value === "dark";
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!canvas.current || !context) return;
    const image = context.createImageData(heat.columns, rows);
    const top = Math.log1p(Math.max(1, ...heat.counts.map((row) => Math.max(...row))));
    const hues = HUES[dark ? "dark" : "light"];
    for (const [i, row] of heat.counts.entries()) {
      const y = most - buckets[i]!;
      for (let x = 0; x < heat.columns; x++) {
        const value = row[x] ?? 0;
        if (value === 0) continue;
        const share = 2 * (Math.log1p(value) / top);
        const [few, many] = share < 1 ? [hues[0], hues[1]] : [hues[1], hues[2]];
        const part = share < 1 ? share : share - 1;
        const at = (y * heat.columns + x) * 4;
        for (let c = 0; c < 3; c++) image.data[at + c] = few[c]! + (many[c]! - few[c]!) * part;
        image.data[at + 3] = 255;
      }
    }
    canvas.current.width = heat.columns;
    canvas.current.height = rows;
    context.putImageData(image, 0, 0);
  }, [heat, dark, rows]);

  const times = ticks(heat.t0, heat.t0 + heat.step * heat.columns, Math.max(2, Math.floor(plot.width / 90)));
  const sizes = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000, 10_000].filter((size) => {
    const bucket = bucketOf(size);
    return bucket >= least && bucket <= most;
  });
  const marked = synMarks(heat.synTimes ?? [], (seconds) => bucketOf(seconds) <= Math.max(...buckets), yOf);
  const boxAt = (from: { x: number; y: number }, to: { x: number; y: number }): Box => {
    const time = (x: number) => heat.t0 + ((x - LEFT) / plot.width) * heat.step * heat.columns;
    const size = (y: number) => 2 ** ((least - 1 + (1 - (y - 6) / plot.height) * rows) / SCALE);
    return {
      t0: Math.min(time(from.x), time(to.x)),
      t1: Math.max(time(from.x), time(to.x)),
      least: Math.min(size(from.y), size(to.y)),
      most: Math.max(size(from.y), size(to.y)),
    };
  };
  const at = (event: PointerEvent) => ({ x: event.offsetX, y: event.offsetY });
  const key = (event: KeyboardEvent) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (move) {
      event.preventDefault();
      const now = cell ?? { column: heat.columns - 1, row: 0 };
      setCell({
        column: Math.min(heat.columns - 1, Math.max(0, now.column + move[0]!)),
        row: Math.min(heat.bounds.length - 1, Math.max(0, now.row + move[1]!)),
      });
    } else if (event.key === "Enter" && cell && onBox) {
      const bound = heat.bounds[cell.row]!;
      const t0 = heat.t0 + cell.column * heat.step;
      onBox({ t0, t1: t0 + heat.step, least: bound / 2 ** (1 / SCALE), most: bound });
      event.stopPropagation();
    }
  };
  const shown = drag ? boxAt({ x: drag.x0, y: drag.y0 }, { x: drag.x1, y: drag.y1 }) : props.box;
  const value = cell && heat.counts[cell.row]?.[cell.column];
  const summary = `${props.label}: ${count(heat.total)} values${heat.bounds.length ? `, ${duration(heat.bounds[0])} to ${duration(heat.bounds.at(-1))}` : ""}.`;
  return (
    <div class="heatmap" ref={frame}>
      <svg
        width={width}
        height={height}
        role="application"
        aria-label={`${summary} Arrow keys move between its cells${onBox ? ", Enter chooses one" : ""}.`}
        tabindex={0}
        onKeyDown={key}
        onPointerDown={(event) => {
          if (!onBox) return;
          (event.currentTarget as Element).setPointerCapture(event.pointerId);
          const { x, y } = at(event);
          setDrag({ x0: x, y0: y, x1: x, y1: y });
        }}
        onPointerMove={(event) => drag && setDrag({ ...drag, x1: at(event).x, y1: at(event).y })}
        onPointerUp={() => {
          if (drag && Math.abs(drag.x1 - drag.x0) > 3)
            onBox?.(boxAt({ x: drag.x0, y: drag.y0 }, { x: drag.x1, y: drag.y1 }));
          setDrag(undefined);
        }}
      >
        <foreignObject x={LEFT} y={6} width={plot.width} height={plot.height}>
          <canvas ref={canvas} class="cells" />
        </foreignObject>
        <rect class="plot" x={LEFT} y={6} width={plot.width} height={plot.height} />
        {sizes.map((size) => (
          <g key={size}>
            <line class="grid" x1={LEFT} x2={LEFT + plot.width} y1={yOf(size)} y2={yOf(size)} />
            <text x={LEFT - 6} y={yOf(size) + 4} text-anchor="end">
              {duration(size)}
            </text>
          </g>
        ))}
        {marked.map(({ seconds, text }) => (
          <g key={text} class="syn-time">
            <line x1={LEFT} x2={LEFT + plot.width} y1={yOf(seconds)} y2={yOf(seconds)} />
            <text x={LEFT + 6} y={yOf(seconds) - 3}>
              {text}
            </text>
          </g>
        ))}
        {times.at
          .filter((t) => xOf(t) < width - 24)
          .map((t) => (
            <text key={t} x={xOf(t)} y={height - 6} text-anchor="middle">
              {clock(t, times.step < 60 ? "seconds" : "minutes")}
            </text>
          ))}
        {shown && (
          <rect
            class="box"
            x={xOf(shown.t0)}
            width={Math.max(2, xOf(shown.t1) - xOf(shown.t0))}
            y={yOf(shown.most)}
            height={Math.max(2, yOf(shown.least) - yOf(shown.most))}
          />
        )}
        {cell && (
          <rect
            class="cell"
            x={xOf(heat.t0 + cell.column * heat.step)}
            width={plot.width / heat.columns}
            y={yOf(heat.bounds[cell.row]!)}
            height={plot.height / rows}
          />
        )}
      </svg>
      <p class="hidden" aria-live="polite">
        {cell &&
          `${clock(heat.t0 + cell.column * heat.step)}, up to ${duration(heat.bounds[cell.row])}: ${count(value ?? 0)}`}
      </p>
    </div>
  );
}
