// Are all slow, or some? What do the slow ones have in common?
import type { Differences, Heat, HeatPart, List } from "../../../store/answers.ts";
import { term } from "../../../store/query/term.ts";
import { useData } from "../data.ts";
import { clock, count, duration, percent, short } from "../format.ts";
import { Answer, Bar, Choice, Legend, Panel } from "../parts/common.tsx";
import { type Box, Heatmap } from "../parts/heatmap.tsx";
import { Table } from "../parts/table.tsx";
import { go, openConnection, parameter, range, toggleTerm } from "../state.ts";
import { COLUMNS } from "./connections.tsx";

const MEASURED = [
  ["connect", "Connect", "How long connecting took"],
  ["accept", "Accept", "From the SYN to accept()"],
  ["queue", "Accept queue", "How long connections waited to be accepted"],
  ["rtt", "Round trip", "Smoothed round-trip times at the end of connections"],
  ["life", "Lifetime", "How long connections lasted"],
  ["state", "TCP state", "How long sockets stayed in a state"],
  ["softirq", "Softirq", "How late softirqs start"],
  ["qdisc", "Transmit queue", "How long frames waited to be sent"],
] as const;

/** Spans whose duration is measured: only for these can a box be opened. */
const LISTED: Readonly<Record<string, string>> = { connect: "connect", accept: "accept", life: "connection" };

/** Fields by which it can be split. */
const FIELDS = ["service", "peer", "port", "direction"] as const;

/** Metrics: how they can be restricted, the minimum range of their axis, and where they come from. */
const METRICS: Readonly<
  Record<string, { part: string; span: readonly [number, number]; plugin: string; setting?: string }>
> = {
  state: { part: "state", span: [1e-4, 10], plugin: "tcpstates" },
  softirq: { part: "vector", span: [1e-6, 0.01], plugin: "softirqs" },
  qdisc: {
    ...{ part: "interface", span: [1e-6, 0.1], plugin: "netqtop" },
    setting: "plugins.netqtop.queueWait: true",
  },
};

function boxOf(): Box | undefined {
  const [t0, t1, least, most] = ["t0", "t1", "least", "most"].map((name) => Number(parameter(name)));
  return t0 && t1 && most ? { t0, t1, least: least ?? 0, most } : undefined;
}

export function Latency() {
  const of = parameter("of") || "connect";
  const [, , title] = MEASURED.find(([name]) => name === of) ?? MEASURED[0];
  const metric = METRICS[of];
  const only = metric ? parameter("only") : "";
  const by = metric ? "" : parameter("by");
  const query = new URLSearchParams({ of, ...(only && { only }), ...(by && { by }) });
  const heat = useData<Heat>(`heat?${query}`).value;
  const { parts = [], split = [] } = heat.state === "ready" ? heat.data : {};
  const box = boxOf();
  const listed = LISTED[of];
  return (
    <>
      <div class="bar-of-choices">
        <Choice
          label="What is measured"
          name="of"
          value={of}
          options={MEASURED.map(([name, text]) => [name, text] as const)}
          clears={["only", "t0", "t1", "least", "most"]}
        />
        {metric && parts.length > 1 && (
          <select
            aria-label={metric.part}
            value={only}
            onChange={(event) => go({ only: event.currentTarget.value })}
          >
            <option value="">every {metric.part}</option>
            {parts.map((part) => (
              <option key={part} value={part}>
                {part}
              </option>
            ))}
          </select>
        )}
        {!metric && (
          <select
            aria-label="Split by"
            value={by}
            onChange={(event) => go({ by: event.currentTarget.value })}
          >
            <option value="">not split</option>
            {FIELDS.map((field) => (
              <option key={field} value={field}>
                split by {field}
              </option>
            ))}
          </select>
        )}
        {heat.state === "ready" && <Figures of={heat.data} />}
      </div>
      <div class={metric ? "" : "columns"}>
        <Panel
          title={title}
          note="logarithmic; from sums: nothing is sampled"
          right={<Legend hue="count" few="fewer" many="more" />}
        >
          <Answer
            of={heat}
            isEmpty={(data) => data.total === 0}
            {...(metric && { plugins: [metric.plugin] })}
            empty={
              metric?.setting && (
                <>
                  Not measured: <code>{metric.setting}</code> measures it.
                </>
              )
            }
          >
            {(data) => (
              <Heatmap
                heat={data}
                label={title}
                height={380}
                box={box}
                {...(metric && { span: metric.span })}
                {...(listed && { onBox: (chosen: Box) => go({ ...chosen }) })}
              />
            )}
          </Answer>
        </Panel>
        {!metric && <Different of={listed} box={box} />}
      </div>
      {box && listed && <Selected of={listed} box={box} />}
      <Split parts={split} by={by} title={title} />
    </>
  );
}

function Figures(props: { of: Heat }) {
  const { total, p50, p99, bounds } = props.of;
  if (total === 0) return null;
  return (
    <p class="figures">
      p50 <b>{duration(p50)}</b> p99 <b>{duration(p99)}</b> max ≤ <b>{duration(bounds.at(-1))}</b> n{" "}
      <b>{count(total)}</b>
    </p>
  );
}

/** The same for each value of a field, on one axis. */
function Split(props: { parts: readonly HeatPart[]; by: string; title: string }) {
  const { parts, by, title } = props;
  const bounds = parts.flatMap(({ heat }) => heat.bounds);
  if (bounds.length === 0) return null;
  return (
    <div class="split">
      {parts.map(({ value, heat }) => (
        <Panel
          key={value}
          title={`${by} ${value}`}
          right={
            <button type="button" class="link" onClick={() => toggleTerm(term(by, value))}>
              only this
            </button>
          }
        >
          <Figures of={heat} />
          <Heatmap
            heat={heat}
            label={`${title}, ${by} ${value}`}
            height={150}
            span={[Math.min(...bounds), Math.max(...bounds)]}
          />
        </Panel>
      ))}
    </div>
  );
}

function Different(props: { of: string | undefined; box: Box | undefined }) {
  const { of, box } = props;
  const query = box && new URLSearchParams(Object.entries(box).map(([key, value]) => [key, String(value)]));
  const found = useData<Differences>(of && query ? `diff?of=${of}&${query}` : undefined).value;
  return (
    <Panel
      title="What differs in the box"
      {...(found.state === "ready" && box && { note: `${count(found.data.inside)} in it` })}
    >
      {box === undefined || of === undefined ? (
        <p class="state">
          {of
            ? "Draw a box in the picture, or choose a cell with the arrow keys and Enter."
            : "Only sums are stored for these: there are no individual connections to compare."}
        </p>
      ) : (
        <Answer of={found}>
          {({ differences }) =>
            differences.length === 0 ? (
              <p class="state">Nothing distinguishes them from all others.</p>
            ) : (
              <Table
                label="What differs in the box"
                rows={differences}
                keyOf={({ attribute, value }) => `${attribute} ${value}`}
                onOpen={({ attribute, value }) => toggleTerm(term(attribute, value))}
                columns={[
                  {
                    head: "attribute",
                    cell: ({ attribute, value }) => (
                      <>
                        {attribute} <code>{value}</code>
                      </>
                    ),
                  },
                  {
                    head: "share",
                    cell: ({ inside, outside }) => (
                      <>
                        <Bar share={inside} tone="bad" />
                        <Bar share={outside} />
                      </>
                    ),
                  },
                  { head: "in it", isNumber: true, cell: ({ inside }) => <b>{percent(inside)}</b> },
                  { head: "else", isNumber: true, cell: ({ outside }) => percent(outside) },
                  {
                    head: "×",
                    isNumber: true,
                    cell: ({ inside, outside }) => (outside > 0 ? short(inside / outside) : "∞"),
                  },
                ]}
              />
            )
          }
        </Answer>
      )}
    </Panel>
  );
}

/** The box as a filter: durations of these spans are compared by the field that measures them. */
function Selected(props: { of: string; box: Box }) {
  const { of, box } = props;
  const field = of === "connect" ? "connect" : of === "connection" ? "life" : undefined;
  const micros = (seconds: number) => `${(seconds * 1e6).toFixed(3)}us`;
  const q = field
    ? `${parameter("q")} ${field}>${micros(box.least)} ${field}<${micros(box.most)}`.trim()
    : parameter("q");
  const query = new URLSearchParams({ of, order: "duration", q });
  const list = useData<List>(`connections?${query}`).value;
  return (
    <Panel
      title="In the box"
      note={`${clock(box.t0)} – ${clock(box.t1)}, ${duration(box.least)} – ${duration(box.most)}, the slowest first`}
      right={
        <button
          type="button"
          class="link"
          onClick={() => go({ from: Math.floor(box.t0), to: Math.ceil(box.t1), last: undefined })}
        >
          {range.value.isLive ? "only this time" : "this time"}
        </button>
      }
    >
      <Answer
        of={list}
        isEmpty={({ total }) => total === 0}
        empty="None of them is still stored individually."
      >
        {({ rows }) => (
          <Table
            label="In the box"
            columns={COLUMNS}
            rows={rows.filter(
              ({ start, duration: took }) => start + took >= box.t0 && start + took <= box.t1,
            )}
            keyOf={({ trace, start, direction }) => `${trace} ${start} ${direction}`}
            onOpen={({ trace }) => openConnection(trace, rows)}
          />
        )}
      </Answer>
    </Panel>
  );
}
