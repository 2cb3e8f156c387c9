// Where did the time of one connection go, at both ends?

import { useEffect, useRef, useState } from "preact/hooks";
import { useData } from "../data.ts";
import { bytes, clock, count, duration, percent, ticks } from "../format.ts";
import { Answer, Panel } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";
import { href, path, term, toggleTerm } from "../state.ts";

export interface TraceRow {
  readonly signal: "span" | "event";
  readonly name: string;
  readonly scope: string;
  readonly trace: string;
  readonly span: string;
  readonly parent?: string;
  readonly start: number;
  readonly duration?: number;
  readonly kind?: string;
  readonly error?: string;
  readonly service: string;
  readonly resource: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly links?: readonly { readonly trace: string; readonly span: string }[];
}

interface Trace {
  readonly rows: readonly TraceRow[];
  readonly resources: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** By span: the share of its edge's durations that were shorter. */
  readonly ranks: Readonly<Record<string, number>>;
}

/** What is drawn of a span. */
interface Lane {
  readonly row: TraceRow;
  readonly depth: number;
  readonly label: string;
  readonly tone: string;
}

const text = ({ attributes }: TraceRow, key: string): string | undefined => {
  const value = attributes[key];
  return value === undefined ? undefined : String(value);
};
const number = ({ attributes }: TraceRow, key: string): number | undefined => {
  const value = attributes[key];
  return typeof value === "number" ? value : undefined;
};

export function nameOf(row: TraceRow): string {
  return row.name === "application span" ? String(row.attributes["span.name"] ?? "span") : row.name;
}

/** Parents before their children, each with its depth; a parent that is not kept makes a root. */
function lanes(rows: readonly TraceRow[]): Lane[] {
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

export function Connection() {
  const id = path.value.slice(3);
  const trace = useData<Trace>(`trace/${id}`, false).value;
  return (
    <Answer of={trace}>
      {(data) => (
        <>
          <Head rows={data.rows} />
          <Waterfall lanes={lanes(data.rows)} events={data.rows.filter(({ signal }) => signal === "event")} />
          <div class="columns even">
            <Phases rows={data.rows} ranks={data.ranks} />
            <BothEnds rows={data.rows} />
          </div>
          <Attributes rows={data.rows} />
        </>
      )}
    </Answer>
  );
}

function ends(rows: readonly TraceRow[]) {
  const connections = rows.filter(({ name }) => name === "tcp connection");
  const by = (direction: string) =>
    connections.find((row) => text(row, "wirespan.connection.direction") === direction);
  return { opener: by("outbound"), acceptor: by("inbound") };
}

function Head(props: { rows: readonly TraceRow[] }) {
  const { rows } = props;
  const { opener, acceptor } = ends(rows);
  const own = opener ?? acceptor ?? rows.find(({ name }) => name === "tcp connect") ?? rows[0]!;
  const port = text(own, "server.port") ?? text(own, "network.peer.port");
  const from = opener?.service ?? text(acceptor ?? own, "network.peer.address") ?? "";
  const to = acceptor?.service ?? text(opener ?? own, "network.peer.address") ?? "";
  const linked = rows
    .flatMap(({ links = [] }) => links.map(({ trace }) => trace))
    .filter((trace) => trace !== own.trace);
  const first = Math.min(...rows.map(({ start }) => start));
  const last = Math.max(...rows.map((row) => row.start + (row.duration ?? 0)));
  return (
    <header class="head">
      <h1>{to ? `${from || own.service} → ${to} :${port}` : nameOf(own)}</h1>
      <code>
        {text(own, "network.local.address")}:{text(own, "network.local.port")} ↔{" "}
        {text(own, "network.peer.address")}:{text(own, "network.peer.port")}
      </code>
      {opener && acceptor && <span class="tag">both ends on this host</span>}
      <span class="dim">
        {clock(first, "ms")}, {duration(last - first)}
      </span>
      {[...new Set(linked)].slice(0, 3).map((trace) => (
        <a key={trace} class="button" href={href(`/c/${trace}`)}>
          linked trace {trace.slice(0, 8)}…
        </a>
      ))}
      <button
        type="button"
        class="button"
        onClick={() => void navigator.clipboard?.writeText(own.trace)}
        title="for the search of a tracing backend"
      >
        Copy trace id
      </button>
    </header>
  );
}

const LABELS = 190;
const ROW = 34;

function Waterfall(props: { lanes: readonly Lane[]; events: readonly TraceRow[] }) {
  const { lanes: all, events } = props;
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(1000);
  const [zoom, setZoom] = useState<readonly [number, number] | undefined>(undefined);
  const [drag, setDrag] = useState<readonly [number, number] | undefined>(undefined);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    if (frame.current) observer.observe(frame.current);
    return () => observer.disconnect();
  }, []);
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

function Phases(props: { rows: readonly TraceRow[]; ranks: Trace["ranks"] }) {
  const { rows, ranks } = props;
  const phases: { name: string; took: number; rank?: number | undefined }[] = [];
  for (const row of rows) {
    const end = row.service;
    if (row.name === "tcp connect")
      phases.push({ name: `handshake (${end})`, took: row.duration!, rank: ranks[row.span] });
    if (row.name === "tcp accept") {
      const wait = number(row, "wirespan.tcp.accept.queue_wait");
      if (wait !== undefined) phases.push({ name: `accept queue (${end})`, took: wait });
      phases.push({ name: `SYN to accept() (${end})`, took: row.duration!, rank: ranks[row.span] });
    }
    if (row.name === "tcp connection")
      phases.push({ name: `whole life (${end})`, took: row.duration!, rank: ranks[row.span] });
  }
  return (
    <Panel title="Is it unusual?" note="beside all of its edge in the hour before">
      <Table
        label="Phases"
        rows={phases}
        keyOf={({ name }) => name}
        columns={[
          { head: "phase", cell: ({ name }) => name },
          { head: "took", isNumber: true, cell: ({ took }) => <b>{duration(took)}</b> },
          {
            head: "slower than",
            isNumber: true,
            cell: ({ rank }) =>
              rank === undefined ? (
                <span class="dim">too few to compare</span>
              ) : (
                <span class={rank > 0.95 ? "bad" : ""}>{percent(rank)}</span>
              ),
          },
        ]}
      />
    </Panel>
  );
}

const FACTS: readonly (readonly [name: string, of: (row: TraceRow) => string])[] = [
  [
    "sent / received",
    (row) =>
      `${bytes(number(row, "wirespan.tcp.bytes_sent"))} / ${bytes(number(row, "wirespan.tcp.bytes_received"))}`,
  ],
  [
    "segments sent / received",
    (row) =>
      `${count(number(row, "wirespan.tcp.segments_sent"))} / ${count(number(row, "wirespan.tcp.segments_received"))}`,
  ],
  ["round trip, smoothed", (row) => duration(number(row, "wirespan.tcp.rtt.smoothed"))],
  ["retransmitted", (row) => count(number(row, "wirespan.tcp.retransmits"))],
  ["unread at close", (row) => bytes(number(row, "wirespan.tcp.bytes_unread"))],
  ["ended by", (row) => text(row, "wirespan.tcp.close.reason") ?? "–"],
  [
    "owner",
    (row) =>
      `${text(row, "process.executable.name") ?? ""} ${text(row, "process.pid") ?? "–"} (${text(row, "wirespan.process.source") ?? "unknown"})`,
  ],
  [
    "network namespace",
    (row) => text(row, "wirespan.netns.name") ?? text(row, "wirespan.netns.inode") ?? "–",
  ],
];

function BothEnds(props: { rows: readonly TraceRow[] }) {
  const { opener, acceptor } = ends(props.rows);
  return (
    <Panel title="Both ends">
      {opener === undefined && acceptor === undefined ? (
        <p class="state">The connection has not ended yet, or neither end is kept.</p>
      ) : (
        <Table
          label="Both ends"
          rows={FACTS}
          keyOf={([name]) => name}
          columns={[
            { head: "fact", cell: ([name]) => name },
            {
              head: opener?.service ?? "opener",
              cell: ([, of]) =>
                opener ? <code>{of(opener)}</code> : <span class="dim">not on this host</span>,
            },
            {
              head: acceptor ? `${acceptor.service} ` : "acceptor",
              cell: ([, of]) =>
                acceptor ? <code>{of(acceptor)}</code> : <span class="dim">not on this host</span>,
            },
          ]}
        />
      )}
    </Panel>
  );
}

function Attributes(props: { rows: readonly TraceRow[] }) {
  return (
    <Panel title="All of it" note="as it would be exported">
      {props.rows.map((row) => (
        <details key={row.span + row.start + row.name}>
          <summary>
            {nameOf(row)}{" "}
            <span class="dim">
              {row.service}, {clock(row.start, "ms")}
            </span>
          </summary>
          <dl>
            {Object.entries(row.attributes).map(([key, value]) => (
              <div key={key}>
                <dt>{key}</dt>
                <dd>
                  {key === "network.peer.address" ? (
                    <button
                      type="button"
                      class="value"
                      onClick={() => toggleTerm(term("peer", String(value)))}
                    >
                      {String(value)}
                    </button>
                  ) : (
                    String(value)
                  )}
                </dd>
              </div>
            ))}
          </dl>
        </details>
      ))}
    </Panel>
  );
}
