// The share of each CPU's time over time: a row for each CPU, in one hue, on a square-root scale.
import { useEffect, useRef } from "preact/hooks";
import { clock, percent, ticks } from "../format.ts";
import { theme } from "../state.ts";
import { asTables, CpuTable } from "./as-table.tsx";
import { useWidth } from "./width.ts";

export interface CpuRow {
  readonly cpu: number | undefined;
  /** Shares, 0 to 1, one for each column; undefined: not measured. */
  readonly shares: readonly (number | undefined)[];
}

const LEFT = 62;
const BOTTOM = 22;

/** Idle, a third, all of it. */
const HUES = {
  light: [
    [253, 240, 226],
    [244, 164, 96],
    [122, 28, 6],
  ],
  dark: [
    [34, 28, 26],
    [150, 72, 30],
    [255, 176, 128],
  ],
} as const;

interface Drawn {
  rows: readonly CpuRow[];
  /** Start of the first column, in seconds since the epoch, and the seconds of each column. */
  t0: number;
  step: number;
  label: string;
}

export function CpuMap(props: Drawn) {
  return asTables() ? <CpuTable {...props} /> : <DrawnCpuMap {...props} />;
}

function DrawnCpuMap(props: Drawn) {
  const { rows, t0, step, label } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [frame, width] = useWidth();
  const columns = rows[0]?.shares.length ?? 1;
  const high = Math.max(8, Math.min(70, 260 / Math.max(1, rows.length)));
  const plot = { width: Math.max(50, width - LEFT - 8), height: Math.max(60, high * rows.length) };
  const dark = theme.value === "dark";
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!canvas.current || !context) return;
    canvas.current.width = columns;
    canvas.current.height = rows.length;
    const image = context.createImageData(columns, rows.length);
    const hues = HUES[dark ? "dark" : "light"];
    for (const [y, { shares }] of rows.entries()) {
      for (const [x, share] of shares.entries()) {
        if (share === undefined) continue;
        const part = 2 * Math.sqrt(Math.min(1, share));
        const [from, to] = part < 1 ? [hues[0], hues[1]] : [hues[1], hues[2]];
        const at = (y * columns + x) * 4;
        for (let c = 0; c < 3; c++)
          image.data[at + c] = from[c]! + (to[c]! - from[c]!) * (part < 1 ? part : part - 1);
        image.data[at + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }, [rows, columns, dark]);
  const times = ticks(t0, t0 + step * columns, Math.max(2, Math.floor(plot.width / 90)));
  const most = (shares: CpuRow["shares"]) => Math.max(0, ...shares.map((share) => share ?? 0));
  const name = ({ cpu }: CpuRow) => (cpu === undefined ? "all CPUs" : `CPU ${cpu}`);
  // There may not be room for every row's name.
  const every = Math.ceil(14 / (plot.height / rows.length));
  return (
    <div class="heatmap" ref={frame}>
      <svg
        width={width}
        height={plot.height + BOTTOM + 6}
        role="img"
        aria-label={`${label}: ${rows.map((row) => `${name(row)} at most ${percent(most(row.shares))}`).join(", ")}.`}
      >
        <foreignObject x={LEFT} y={6} width={plot.width} height={plot.height}>
          <canvas ref={canvas} class="cells" />
        </foreignObject>
        <rect class="plot" x={LEFT} y={6} width={plot.width} height={plot.height} />
        {rows.map(
          (row, i) =>
            i % every === 0 && (
              <text
                key={row.cpu}
                x={LEFT - 6}
                y={6 + ((i + 0.5) * plot.height) / rows.length + 4}
                text-anchor="end"
              >
                {name(row)}
              </text>
            ),
        )}
        {times.at.map((t) => (
          <text
            key={t}
            x={LEFT + ((t - t0) / (step * columns)) * plot.width}
            y={plot.height + BOTTOM}
            text-anchor="middle"
          >
            {clock(t, times.step < 60 ? "seconds" : "minutes")}
          </text>
        ))}
      </svg>
    </div>
  );
}
