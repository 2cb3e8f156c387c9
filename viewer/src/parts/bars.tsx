// Stacked bars above and below a line: what was dropped, and what was retransmitted. Drawn by uPlot.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { clock, short } from "../format.ts";
import { theme } from "../state.ts";
import { asTables, BarsTable } from "./as-table.tsx";

export interface Stack {
  readonly name: string;
  /** Seconds since the epoch, and a count. */
  readonly line: readonly (readonly [t: number, value: number])[];
}

/** Warm above the line, cold below it. */
const COLOURS = {
  light: {
    up: ["#c2320e", "#b8860b", "#8b93a1", "#e08a5b", "#7a5a12", "#5b6472"],
    down: ["#3b6fd4", "#6d5bc9", "#1f8a83", "#a9b3c1", "#7fa6ea", "#3d4a63"],
  },
  dark: {
    up: ["#ff8a65", "#e9c46a", "#7a8494", "#c9622f", "#a98a3c", "#b4bdca"],
    down: ["#79a8ff", "#b3a5ff", "#5fd3c9", "#4a5563", "#3f6fc4", "#98a2b2"],
  },
};

export function colourOf(way: "up" | "down", index: number): string {
  const colours = COLOURS[theme.value][way];
  return colours[index % colours.length]!;
}

interface Drawn {
  up: readonly Stack[];
  down: readonly Stack[];
  from: number;
  to: number;
  label: string;
}

export function MirroredBars(props: Drawn) {
  return asTables() ? <BarsTable {...props} label="Dropped and retransmitted" /> : <DrawnBars {...props} />;
}

function DrawnBars(props: Drawn) {
  const { up, down, from, to } = props;
  const frame = useRef<HTMLDivElement>(null);
  const colours = theme.value;
  const key = JSON.stringify([up, down, Math.floor(from / 10), Math.floor(to / 10), colours]);
  useEffect(() => {
    const host = frame.current;
    if (host === null) return undefined;
    const times = [...new Set([...up, ...down].flatMap(({ line }) => line.map(([t]) => t)))].sort(
      (a, b) => a - b,
    );
    const data: number[][] = [times];
    const series: uPlot.Series[] = [{}];
    for (const [sign, stacks] of [
      [1, up],
      [-1, down],
    ] as const) {
      const sums = new Float64Array(times.length);
      const layers = stacks.map(({ line }) => {
        const values = new Map(line);
        return Array.from(times, (t, i) => {
          sums[i]! += sign * (values.get(t) ?? 0);
          return sums[i]!;
        });
      });
      // The tallest first, because the others are drawn over it.
      for (const [i, layer] of layers.entries().toArray().reverse()) {
        data.push(layer);
        const fill = colourOf(sign > 0 ? "up" : "down", i);
        series.push({
          label: stacks[i]!.name,
          fill,
          stroke: fill,
          width: 0,
          paths: uPlot.paths.bars!({ size: [0.9, 40] }),
          points: { show: false },
        });
      }
    }
    const style = getComputedStyle(host);
    const axis: uPlot.Axis = {
      stroke: style.getPropertyValue("--ink3"),
      grid: { stroke: style.getPropertyValue("--line"), width: 1 },
      ticks: { show: false },
    };
    const plot = new uPlot(
      {
        width: host.clientWidth,
        height: 240,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: true, range: [from, to] } },
        axes: [
          {
            ...axis,
            size: 26,
            space: 90,
            values: (_, splits) => splits.map((t) => clock(t, to - from < 1800 ? "seconds" : "minutes")),
          },
          { ...axis, values: (_, splits) => splits.map((value) => short(Math.abs(value))) },
        ],
        series,
      },
      data as unknown as uPlot.AlignedData,
      host,
    );
    const observer = new ResizeObserver(
      ([entry]) => entry && plot.setSize({ width: Math.floor(entry.contentRect.width), height: 240 }),
    );
    observer.observe(host);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [key]);
  return <div class="bars" ref={frame} role="img" aria-label={props.label} />;
}
