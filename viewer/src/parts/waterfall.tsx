// The lanes of a trace below one another, on one clock.
import { useState } from "preact/hooks";
import type { TraceRow } from "../../../store/answers.ts";
import { clock, duration } from "../format.ts";
import { go, parameter } from "../state.ts";
import { nameOf } from "../trace-row.ts";
import { asTables, LaneTable } from "./as-table.tsx";
import { Panel } from "./common.tsx";
import { HOST_LANE, HostLane, type HostLine } from "./host-lane.tsx";
import { type Lane, lanes, type Mark, type Phase, synLabel } from "./lanes.ts";
import { TimeScale } from "./time-scale.ts";
import { useWidth } from "./width.ts";

const LABELS = 190;
const RIGHT = 12;
const TOP = 28;
const BAR = 34;
const MARKS = 22;
/** Phases of waiting, which do not count as idle time. */
const WAITS = ["connect", "queue", "bad"];
/** Width of a letter, pixels. */
const LETTER = 6.4;

/** `host`: what the host did at the time. */
export function Waterfall(props: { rows: readonly TraceRow[]; host: readonly HostLine[] }) {
  const all = lanes(props.rows);
  const first = Math.min(...props.rows.map(({ start }) => start));
  if (!asTables()) return <DrawnWaterfall lanes={all} first={first} {...props} />;
  return (
    <Panel title="Where the time went">
      <LaneTable lanes={all} first={first} />
    </Panel>
  );
}

function DrawnWaterfall(props: { lanes: readonly Lane[]; first: number } & Parameters<typeof Waterfall>[0]) {
  const { lanes: all, rows, first, host } = props;
  const [frame, width] = useWidth();
  const [drag, setDrag] = useState<readonly [number, number] | undefined>(undefined);
  const last = Math.max(...rows.map(({ start, duration: took = 0 }) => start + took));
  // In the address, as seconds after the beginning.
  const zoom = /^([\d.]+)-([\d.]+)$/.exec(parameter("zoom"));
  const setZoom = (part?: readonly number[]) =>
    go({ zoom: part?.map((t) => Math.max(0, t - first).toFixed(7)).join("-") });
  const [from, to] = zoom
    ? [first + Number(zoom[1]), first + Math.max(Number(zoom[1]) + 1e-6, Number(zoom[2]))]
    : [first, Math.max(first + 1e-6, last)];
  const phases = all.flatMap((lane) => lane.phases);
  const instants = [
    ...phases.flatMap((one) => [one.from, one.to]),
    ...all.flatMap(({ marks }) => marks.map(({ at }) => at)),
  ];
  const busy = phases.filter(({ tone }) => WAITS.includes(tone));
  const plot = Math.max(100, width - LABELS - RIGHT);
  const scale = new TimeScale({ instants, busy }, { from, to }, LABELS, plot);
  const tops: number[] = [];
  let height = TOP;
  for (const { marks } of all) {
    tops.push(height);
    height += BAR + (marks.length > 0 ? MARKS : 0);
  }
  const hostTop = height + 6;
  height = hostTop + host.length * HOST_LANE;
  return (
    <Panel
      title="Where the time went"
      note={`${clock(first, "ms")}, ${duration(last - first)}; one clock`}
      right={
        zoom ? (
          <button type="button" class="link" onClick={() => setZoom()}>
            all of it
          </button>
        ) : (
          "drag to zoom"
        )
      }
    >
      <div ref={frame}>
        <svg
          class="waterfall"
          width={width}
          height={height}
          role="img"
          aria-label={all.map(spoken).join(". ")}
          onDblClick={() => setZoom()}
          onPointerDown={(event) => setDrag([event.offsetX, event.offsetX])}
          onPointerMove={(event) => drag && setDrag([drag[0], event.offsetX])}
          onPointerUp={() => {
            if (drag && Math.abs(drag[1] - drag[0]) > 5)
              setZoom([scale.time(Math.max(LABELS, Math.min(...drag))), scale.time(Math.max(...drag))]);
            setDrag(undefined);
          }}
        >
          {scale.marks(first).map(({ after, x }) => (
            <g key={after}>
              <line class="grid" x1={x} x2={x} y1={20} y2={height} />
              <text x={x} y={14} text-anchor="middle">
                {duration(after)}
              </text>
            </g>
          ))}
          {scale.shortened.map((piece) => (
            <g key={piece.from} class="shortened">
              <title>{`${duration(piece.to - piece.from)} without an event, shortened`}</title>
              <rect x={piece.x} y={20} width={piece.width} height={height - 20} />
              <text x={piece.x + piece.width / 2} y={14} text-anchor="middle">
                {`⋯ ${duration(piece.to - piece.from)} ⋯`}
              </text>
            </g>
          ))}
          {all.map((lane, i) => (
            <DrawnLane
              key={lane.row.span + lane.row.start}
              lane={lane}
              y={tops[i]!}
              scale={scale}
              right={LABELS + plot}
            />
          ))}
          {all.flatMap((lane, i) =>
            (lane.syns ?? []).map((syn) => (
              <Arrow
                key={syn.sent}
                title={synLabel(syn)}
                from={[scale.x(syn.sent), tops[i]! + 24]}
                to={[
                  scale.x(syn.arrived ?? syn.sent),
                  tops[all.findIndex(({ row }) => row === syn.to.row)]! + (syn.isDropped ? BAR - 4 : 4),
                ]}
                isLost={syn.arrived === undefined}
                right={LABELS + plot}
              />
            )),
          )}
          <g>
            {host.map((line, i) => (
              <HostLane
                key={line.name}
                line={line}
                y={hostTop + i * HOST_LANE}
                from={from}
                to={to}
                left={LABELS}
                x={(t) => scale.x(t)}
              />
            ))}
          </g>
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

/** A lane in words. */
function spoken({ title, row, phases, marks, syns = [] }: Lane): string {
  const labels = [...[...phases, ...marks].map(({ label }) => label), ...syns.map(synLabel)];
  return `${title}, ${nameOf(row)}: ${labels.join(", ")}`;
}

type Point = readonly [x: number, y: number];

/** A SYN between two lanes; one that is lost ends halfway, crossed out. */
function Arrow(props: { title: string; from: Point; to: Point; isLost: boolean; right: number }) {
  const { title, from, isLost, right } = props;
  const to: Point = isLost ? [from[0], (from[1] + props.to[1]) / 2] : props.to;
  if (from[0] < LABELS || to[0] > right) return null;
  const down = Math.sign(to[1] - from[1]);
  return (
    <g class={isLost ? "syn lost" : "syn"}>
      <title>{title}</title>
      <line x1={from[0]} y1={from[1]} x2={to[0]} y2={to[1]} />
      <path d={`M${to[0]} ${to[1]}${isLost ? "m-4 -4 l8 8 m0 -8 l-8 8" : `l-4 ${-7 * down} h8z`}`} />
    </g>
  );
}

interface Drawn {
  readonly y: number;
  readonly scale: TimeScale;
  /** The right edge of the plot. */
  readonly right: number;
}

function DrawnLane(props: { lane: Lane } & Drawn) {
  const { lane, y } = props;
  const indent = 6 + Math.min(lane.depth, 6) * 8;
  return (
    <g class="lane">
      <text class="who" x={indent} y={y + 13}>
        {lane.title.slice(0, 26 - Math.min(lane.depth, 6))}
      </text>
      <text x={indent} y={y + 26}>
        {lane.note.slice(0, 30)}
      </text>
      {lane.phases.map((phase) => (
        <DrawnPhase key={`${phase.from} ${phase.tone}`} phase={phase} {...props} />
      ))}
      <DrawnMarks {...props} />
    </g>
  );
}

function DrawnPhase(props: { phase: Phase; lane: Lane } & Drawn) {
  const { phase, lane, y, scale, right } = props;
  const x0 = Math.max(LABELS, scale.x(phase.from));
  const x1 = Math.min(right, scale.x(phase.to));
  if (x1 < LABELS || x0 > right) return null;
  const widthOf = (text: string) => text.length * LETTER + 14;
  const inside = shorter(phase.label).find((text) => x1 - x0 > widthOf(text));
  // Otherwise beside the bar, if nothing else is there.
  const width = widthOf(phase.label);
  const isLast = phase === lane.phases.at(-1);
  const isFirst = phase === lane.phases[0];
  const beside =
    isLast && x1 + width < right ? x1 + 6 : isFirst && x0 - width > LABELS ? x0 + 8 - width : undefined;
  return (
    <g class={phase.tone}>
      <title>{phase.label}</title>
      <rect x={x0} y={y + 4} width={Math.max(2, x1 - x0)} height={20} rx="3" />
      {(inside !== undefined || beside !== undefined) && (
        <text class={inside ? "in" : ""} x={inside ? x0 + 7 : beside} y={y + 18}>
          {inside ?? phase.label}
        </text>
      )}
    </g>
  );
}

/** A label, without what was moved, and only how long it took. */
function shorter(label: string): readonly string[] {
  const [what = ""] = label.split(",");
  return [label, what, /\S+ \S+$/.exec(what)?.[0] ?? what];
}

const SHAPES: Readonly<Record<Mark["kind"], string>> = {
  retransmit: "m0 0 l5 9 h-10z",
  drop: "m0 -1 l5 5.5 l-5 5.5 l-5 -5.5z",
  reset: "m-4 0 l8 9 m0 -9 l-8 9",
};

function DrawnMarks(props: { lane: Lane } & Drawn) {
  const { lane, y, scale, right } = props;
  const marks = lane.marks
    .map((mark) => ({ ...mark, x: scale.x(mark.at) }))
    .filter(({ x }) => x >= LABELS && x <= right)
    .sort((a, b) => a.x - b.x);
  const top = y + (lane.phases.length > 0 ? BAR - 4 : 8);
  return (
    <>
      {marks.map(({ at, kind, label, x }, i) => {
        const room = label.length * LETTER + 16;
        const isRight = (marks[i + 1]?.x ?? right) - x > room;
        const isLeft = !isRight && x - (marks[i - 1]?.x ?? LABELS) > 2 * room;
        return (
          <g key={`${at} ${kind}`} class={`mark ${kind}`}>
            <title>{`${label}, ${clock(at, "ms")}`}</title>
            <path d={`M${x} ${top}${SHAPES[kind]}`} />
            {(isRight || isLeft) && (
              <text x={isRight ? x + 9 : x - 9} y={top + 9} text-anchor={isRight ? "start" : "end"}>
                {label}
              </text>
            )}
          </g>
        );
      })}
    </>
  );
}
