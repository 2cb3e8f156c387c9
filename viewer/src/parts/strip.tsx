// The time strip above all screens: all activity, the selected range, and since when individual connections are stored.
import { useState } from "preact/hooks";
import type { Strip as Bars } from "../../../store/answers.ts";
import { useData } from "../data.ts";
import { clock, count, ticks } from "../format.ts";
import { filter, go, now, range } from "../state.ts";
import { useWidth } from "./width.ts";

const HEIGHT = 64;
/** Height of the tallest bar; above it is a line of text, below it the times. */
const BARS = HEIGHT - 32;

/** The strip shows more than the selected range: three times as much, at least an hour. */
function around(from: number, to: number): number {
  return Math.max(3600, (to - from) * 3, (now.value - from) * 1.1);
}

export function Strip(props: { keptFrom: number | undefined }) {
  const { from, to, isLive, length } = range.value;
  const last = isLive ? length : Math.ceil(around(from, to) / 600) * 600;
  const q = filter.value ? `&q=${encodeURIComponent(filter.value)}` : "";
  const bars = useData<Bars>(`strip?last=${last}${q}`, false).value;
  const [frame, width] = useWidth();
  const [drag, setDrag] = useState<{ x0: number; x1: number } | undefined>(undefined);
  const t1 = now.value;
  const t0 = t1 - last;
  const xOf = (t: number) => ((t - t0) / (t1 - t0)) * width;
  const tOf = (x: number) => t0 + (x / width) * (t1 - t0);
  const data = bars.state === "ready" ? bars.data : undefined;
  const most = data ? Math.max(1, ...data.calm.map((calm, i) => calm + data.failed[i]!)) : 1;
  const times = ticks(t0, t1, Math.floor(width / 90));
  const total = data ? data.calm.reduce((sum, calm) => sum + calm, 0) : 0;
  const failed = data ? data.failed.reduce((sum, one) => sum + one, 0) : 0;
  const chosen = drag
    ? { from: tOf(Math.min(drag.x0, drag.x1)), to: tOf(Math.max(drag.x0, drag.x1)) }
    : { from, to };
  return (
    <div class="panel strip" ref={frame}>
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={`${count(total)} connections ended from ${clock(t0)} to ${clock(t1)}, ${count(failed)} attempts failed or connections were reset. [ and ] move the range, - and + change its length.`}
        onPointerDown={(event) => {
          (event.currentTarget as Element).setPointerCapture(event.pointerId);
          setDrag({ x0: event.offsetX, x1: event.offsetX });
        }}
        onPointerMove={(event) => drag && setDrag({ ...drag, x1: event.offsetX })}
        onPointerUp={() => {
          if (drag && Math.abs(drag.x1 - drag.x0) > 4)
            go({ from: Math.floor(chosen.from), to: Math.ceil(chosen.to), last: undefined });
          setDrag(undefined);
        }}
      >
        {data?.calm.map((calm, i) => {
          const x = xOf(data.t0 + i * data.step);
          const bar = Math.max(1, xOf(data.t0 + (i + 1) * data.step) - x - 0.5);
          const high = (calm / most) * BARS;
          const bad = (data.failed[i]! / most) * BARS;
          return (
            <g key={data.t0 + i * data.step}>
              <rect class="calm" x={x} width={bar} y={HEIGHT - 16 - high} height={high} />
              {bad > 0 && (
                <rect
                  class="failed"
                  x={x}
                  width={bar}
                  y={HEIGHT - 16 - Math.max(2, bad)}
                  height={Math.max(2, bad)}
                />
              )}
            </g>
          );
        })}
        {times.at
          .filter((t) => xOf(t) > 24 && xOf(t) < width - 24)
          .map((t) => (
            <text key={t} x={xOf(t)} y={HEIGHT - 4} text-anchor="middle">
              {clock(t, times.step < 60 ? "seconds" : "minutes")}
            </text>
          ))}
        {(!isLive || drag) && (
          <rect
            class="chosen"
            x={xOf(chosen.from)}
            width={Math.max(2, xOf(chosen.to) - xOf(chosen.from))}
            y={0}
            height={HEIGHT - 16}
          />
        )}
        {props.keptFrom !== undefined && props.keptFrom > t0 && (
          <>
            <line class="kept" x1={xOf(props.keptFrom)} x2={xOf(props.keptFrom)} y1={0} y2={HEIGHT - 16} />
            <text
              x={xOf(props.keptFrom) + (xOf(props.keptFrom) > width - 230 ? -5 : 5)}
              y={11}
              text-anchor={xOf(props.keptFrom) > width - 230 ? "end" : "start"}
            >
              individual connections since {clock(props.keptFrom, "minutes")}
            </text>
          </>
        )}
      </svg>
    </div>
  );
}
