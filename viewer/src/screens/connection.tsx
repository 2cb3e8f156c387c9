// Where did the time of one connection go, at both ends?
import { useEffect } from "preact/hooks";
import type { Trace, TraceRow } from "../../../store/answers.ts";
import { otlp } from "../../../store/http/export.ts";
import { term } from "../../../store/query/term.ts";
import { useData } from "../data.ts";
import { bytes, clock, count, duration, percent } from "../format.ts";
import { Answer, Panel } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";
import { Waterfall } from "../parts/waterfall.tsx";
import { go, href, neighboursOf, path, toggleTerm } from "../state.ts";
import { nameOf, number, text } from "../trace-row.ts";
import { important, Meanwhile, useMeanwhile } from "./meanwhile.tsx";

export function Connection() {
  const id = path.value.slice(3);
  const trace = useData<Trace>(`trace/${id}`, false).value;
  return <Answer of={trace}>{(data) => <Shown trace={data} />}</Answer>;
}

function Shown(props: { trace: Trace }) {
  const { rows, ranks } = props.trace;
  const facts = useMeanwhile(whenAndWhere(rows));
  return (
    <>
      <Head trace={props.trace} />
      <Waterfall rows={rows} host={important(facts)} />
      <div class="columns even">
        <Phases rows={rows} ranks={ranks} />
        <BothEnds rows={rows} />
      </div>
      <Meanwhile facts={facts} />
      <Attributes rows={rows} />
    </>
  );
}

/** The connections before and after this one in the list from which it was opened. */
function Neighbours() {
  const [before, after] = neighboursOf(path.value.slice(3));
  const to = (trace: string | undefined) => trace && go({}, `/c/${trace}`);
  useEffect(() => {
    const move = (event: Event) => to((event as CustomEvent<number>).detail > 0 ? after : before);
    document.addEventListener("wirespan-move", move);
    return () => document.removeEventListener("wirespan-move", move);
  }, [before, after]);
  if (before === undefined && after === undefined) return null;
  return (
    <>
      <button type="button" class="button" disabled={!before} onClick={() => to(before)}>
        ◂ Previous <kbd>k</kbd>
      </button>
      <button type="button" class="button" disabled={!after} onClick={() => to(after)}>
        Next <kbd>j</kbd> ▸
      </button>
    </>
  );
}

function ends(rows: readonly TraceRow[]) {
  const connections = rows.filter(({ name }) => name === "tcp connection");
  const by = (direction: string) =>
    connections.find((row) => text(row, "wirespan.connection.direction") === direction);
  return { opener: by("outbound"), acceptor: by("inbound") };
}

/** When the trace began and ended, and the port on which its connection was accepted. */
function whenAndWhere(rows: readonly TraceRow[]) {
  const { opener, acceptor } = ends(rows);
  const own = opener ?? acceptor ?? rows.find(({ name }) => name === "tcp connect") ?? rows[0]!;
  return {
    first: Math.min(...rows.map(({ start }) => start)),
    last: Math.max(...rows.map((row) => row.start + (row.duration ?? 0))),
    port: Number(text(own, own === acceptor ? "network.local.port" : "network.peer.port")),
  };
}

/** Retransmissions of the connection's ends, and its dropped packets. */
function marksOf(rows: readonly TraceRow[]): (readonly [what: string, n: number])[] {
  const sum = (key: string) => rows.reduce((total, row) => total + (number(row, key) ?? 0), 0);
  const drops = rows.filter((row) => text(row, "wirespan.packet.drop.reason") !== undefined).length;
  const all = [
    ["retransmitted", sum("wirespan.tcp.retransmits")],
    ["dropped on this host", drops],
  ] as const;
  return all.filter(([, n]) => n > 0);
}

/** The spans as one ExportTraceServiceRequest, which any OTLP endpoint accepts. */
function copyAsOtlp({ rows, resources }: Trace): void {
  const { resourceSpans } = otlp(rows, { of: (id) => resources[id] ?? {} });
  void navigator.clipboard?.writeText(JSON.stringify({ resourceSpans }, null, 1));
}

function Head(props: { trace: Trace }) {
  const { rows } = props.trace;
  const { opener, acceptor } = ends(rows);
  const own = opener ?? acceptor ?? rows.find(({ name }) => name === "tcp connect") ?? rows[0]!;
  const port = text(own, "server.port") ?? text(own, "network.peer.port");
  const from = opener?.service ?? text(acceptor ?? own, "network.peer.address") ?? "";
  const to = acceptor?.service ?? text(opener ?? own, "network.peer.address") ?? "";
  const linked = rows
    .flatMap(({ links = [] }) => links.map(({ trace }) => trace))
    .filter((trace) => trace !== own.trace);
  return (
    <header class="head">
      <h1>{to ? `${from || own.service} → ${to} :${port}` : nameOf(own)}</h1>
      <code>
        {text(own, "network.local.address")}:{text(own, "network.local.port")} ↔{" "}
        {text(own, "network.peer.address")}:{text(own, "network.peer.port")}
      </code>
      {opener && acceptor && <span class="tag">both ends on this host</span>}
      {marksOf(rows).map(([what, n]) => (
        <span key={what} class="tag bad">
          ▲ {count(n)} {what}
        </span>
      ))}
      {[...new Set(linked)].slice(0, 3).map((trace) => (
        <a key={trace} class="button" href={href(`/c/${trace}`)}>
          linked trace {trace.slice(0, 8)}…
        </a>
      ))}
      <button
        type="button"
        class="button"
        onClick={() => void navigator.clipboard?.writeText(own.trace)}
        title="to search for in a tracing backend"
      >
        Copy trace id
      </button>
      <button
        type="button"
        class="button"
        onClick={() => copyAsOtlp(props.trace)}
        title="its spans as a request to an OTLP endpoint"
      >
        Copy as OTLP
      </button>
      <Neighbours />
    </header>
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
      if (wait !== undefined)
        phases.push({ name: `accept queue (${end})`, took: wait, rank: ranks[`${row.span} queue`] });
      phases.push({ name: `SYN to accept() (${end})`, took: row.duration!, rank: ranks[row.span] });
    }
    if (row.name === "tcp connection")
      phases.push({ name: `whole life (${end})`, took: row.duration!, rank: ranks[row.span] });
  }
  return (
    <Panel title="Is it unusual?" note="compared with its edge in the hour before">
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

/** What one end sent is what the other received. */
function check([name]: (typeof FACTS)[number], opener: TraceRow, acceptor: TraceRow): string {
  const agree = (what: string) =>
    number(opener, `${what}_sent`) === number(acceptor, `${what}_received`) &&
    number(acceptor, `${what}_sent`) === number(opener, `${what}_received`);
  if (name.startsWith("sent")) return agree("wirespan.tcp.bytes") ? "agree" : "differ";
  if (name.startsWith("segments")) return agree("wirespan.tcp.segments") ? "agree" : "differ";
  return "";
}

function BothEnds(props: { rows: readonly TraceRow[] }) {
  const { opener, acceptor } = ends(props.rows);
  return (
    <Panel title="Both ends">
      {opener === undefined && acceptor === undefined ? (
        <p class="state">The connection has not ended yet, or neither end is stored.</p>
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
            {
              head: "check",
              cell: (fact) => opener && acceptor && <span class="dim">{check(fact, opener, acceptor)}</span>,
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
