// The spans of a trace below one another, on one clock.
import { useState } from "preact/hooks";
import type { TraceRow } from "../../../store/answers.ts";
import { bytes, clock, duration, ticks } from "../format.ts";
import { nameOf, number, text } from "../trace-row.ts";
import { asTables, LaneTable } from "./as-table.tsx";
import { Panel } from "./common.tsx";
import { useWidth } from "./width.ts";

/** What is drawn of a span. */
export interface Lane {
  readonly row: TraceRow;
  readonly depth: number;
  readonly label: string;
  readonly tone: string;
}

/** Parents before their children, each with its depth; a parent that is not kept makes a root. */
export function lanes(rows: readonly TraceRow[]): Lane[] {
  const spans = rows.filter(({ signal }) => signal === "span");
  const known = new Set(spans.map(({ span }) => span));
  const children = Map.groupBy(spans, ({ parent }) =>
    parent !== undefined && known.has(parent) ? parent : "",
  );
  const found: Lane[] = [];
  const visit = (of: string, depth: number) => {
    for (const row of (children.get(of) ?? []).toSorted((a, b) => a.start - b.start)) {
      if (found.some((lane) => lane.row === row)) continue;
      found.push({ row, depth, label: labelOf(row), tone: toneOf(row) });
      if (depth < 12) visit(row.span, depth + 1);
    }
  };
  visit("", 0);
  return found;
}

function labelOf(row: TraceRow): string {
  const took = duration(row.duration);
  switch (row.name) {
    case "tcp connect":
      return row.error ? `${row.error} after ${took}` : `connecting ${took}`;
    case "tcp accept":
      return `SYN to accept() ${took}, of it ${duration(number(row, "wirespan.tcp.accept.queue_wait"))} in the queue`;
    case "tcp connection":
      return `${took}, ${bytes(number(row, "wirespan.tcp.bytes_sent"))} out, ${bytes(number(row, "wirespan.tcp.bytes_received"))} in`;
    default:
      return `${nameOf(row)} ${took}`;
  }
}

function toneOf(row: TraceRow): string {
  if (row.name === "application span") return "application";
  if (row.error !== undefined || /retransmit|drop|reset/.test(row.name)) return "bad";
  return { "tcp connect": "connect", "tcp accept": "accept", "tcp connection": "life" }[row.name] ?? "life";
}

const LABELS = 190;
const ROW = 34;

export function Waterfall(props: { lanes: readonly Lane[]; events: readonly TraceRow[] }) {
  if (!asTables()) return <DrawnWaterfall {...props} />;
  return (
    <Panel title="Where the time went">
      <LaneTable lanes={props.lanes} first={Math.min(...props.lanes.map(({ row }) => row.start))} />
    </Panel>
  );
}

function DrawnWaterfall(props: { lanes: readonly Lane[]; events: readonly TraceRow[] }) {
  const { lanes: all, events } = props;
  const [frame, width] = useWidth();
  const [zoom, setZoom] = useState<readonly [number, number] | undefined>(undefined);
  const [drag, setDrag] = useState<readonly [number, number] | undefined>(undefined);
  const first = Math.min(...all.map(({ row }) => row.start), ...events.map(({ start }) => start));
  const last = Math.max(
    ...all.map(({ row }) => row.start + row.duration!),
    ...events.map(({ start }) => start),
  );
  const [from, to] = zoom ?? [0, Math.max(1e-6, last - first)];
  const plot = Math.max(100, width - LABELS - 12);
  const xOf = (t: number) => LABELS + ((t - first - from) / (to - from)) * plot;
  const tOf = (x: number) => from + ((x - LABELS) / plot) * (to - from);
  const scale = ticks(from, to, Math.floor(plot / 100));
  const height = 28 + all.length * ROW + (events.length > 0 ? ROW : 0) + 6;
  return (
    <Panel title="Where the time went" note="one clock" right="drag to zoom, double-click for all of it">
      <div ref={frame}>
        <svg
          class="waterfall"
          width={width}
          height={height}
          role="img"
          aria-label={all.map(({ row, label }) => `${row.service}: ${nameOf(row)}, ${label}`).join(". ")}
          onDblClick={() => setZoom(undefined)}
          onPointerDown={(event) => setDrag([event.offsetX, event.offsetX])}
          onPointerMove={(event) => drag && setDrag([drag[0], event.offsetX])}
          onPointerUp={() => {
            if (drag && Math.abs(drag[1] - drag[0]) > 5)
              setZoom([tOf(Math.min(...drag)), tOf(Math.max(...drag))]);
            setDrag(undefined);
          }}
        >
          {scale.at.map((t) => (
            <g key={t}>
              <line class="grid" x1={xOf(first + t)} x2={xOf(first + t)} y1={20} y2={height} />
              <text x={xOf(first + t)} y={14} text-anchor="middle">
                {duration(t)}
              </text>
            </g>
          ))}
          {all.map(({ row, depth, label, tone }, i) => {
            const y = 26 + i * ROW;
            const x0 = Math.max(LABELS, xOf(row.start));
            const x1 = Math.min(width - 12, xOf(row.start + row.duration!));
            const wait = number(row, "wirespan.tcp.accept.queue_wait");
            const instant = row.duration! < 1e-6;
            const inside = x1 - x0 > label.length * 6.4;
            return (
              <g key={row.span + row.start} class={`lane ${tone}`}>
                <title>{`${nameOf(row)}: ${label}`}</title>
                <text class="who" x={6 + Math.min(depth, 6) * 8} y={y + 13}>
                  {nameOf(row).slice(0, 26 - Math.min(depth, 6))}
                </text>
                <text x={6 + Math.min(depth, 6) * 8} y={y + 26}>
                  {`${row.service} ${text(row, "process.pid") ?? ""}`.slice(0, 30)}
                </text>
                {x1 >= LABELS && x0 <= width - 12 && (
                  <>
                    {instant ? (
                      <path class="instant" d={`M${x0 - 6} ${y + 22}h12l-6 -14z`} />
                    ) : (
                      <rect x={x0} y={y + 4} width={Math.max(2, x1 - x0)} height={20} rx="3" />
                    )}
                    {wait !== undefined && wait > 0 && (
                      <rect
                        class="queue"
                        x={Math.max(LABELS, x1 - (wait / (to - from)) * plot)}
                        y={y + 4}
                        width={Math.min(x1 - x0, Math.max(2, (wait / (to - from)) * plot))}
                        height={20}
                        rx="3"
                      />
                    )}
                    <text
                      class={inside ? "in" : ""}
                      x={inside ? x0 + 7 : Math.min(x1 + 6, width - 12)}
                      y={y + 18}
                      {...(!inside && x1 > width - 200 && { "text-anchor": "end", x: x0 - 6 })}
                    >
                      {label}
                    </text>
                  </>
                )}
              </g>
            );
          })}
          {events.map((event) => (
            <path
              key={`${event.name} ${event.start}`}
              class="event"
              d={`M${xOf(event.start)} ${height - 12}l5 8h-10z`}
            >
              <title>{`${event.name} ${clock(event.start, "ms")}`}</title>
            </path>
          ))}
          {drag && (
            <rect
              class="chosen"
              x={Math.min(...drag)}
              width={Math.abs(drag[1] - drag[0])}
              y={0}
              height={height}
            />
          )}
        </svg>
      </div>
    </Panel>
  );
}
