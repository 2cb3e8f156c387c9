// What is wrong, since when, and what to look at first?

import { type Loaded, useData } from "../data.ts";
import { bytes, clock, count, duration, percent, short } from "../format.ts";
import { Answer, Panel, Sign } from "../parts/common.tsx";
import { type Heat, Heatmap } from "../parts/heatmap.tsx";
import { Table } from "../parts/table.tsx";
import { go, open, range, term } from "../state.ts";
import type { MapEdge } from "./topology.tsx";

export interface Finding {
  readonly rule: string;
  readonly severity: "failing" | "slow" | "unusual";
  readonly subject: string;
  readonly text: string;
  readonly next: string;
  readonly count: number;
  readonly ratio?: number;
  readonly evidence: string;
  readonly since: number;
  readonly likelyFrom?: string;
}

interface Vitals {
  readonly connectionsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly failedShare?: number;
  readonly failed: number;
  readonly connectP50?: number;
  readonly connectP99?: number;
  readonly rttP50?: number;
  readonly queueP99?: number;
  readonly retransmitShare?: number;
  readonly retransmits: number;
  readonly resets: number;
}

export function Overview(props: { findings: Loaded<{ findings: readonly Finding[] }> }) {
  const vitals = useData<{ now: Vitals; before: Vitals }>("vitals").value;
  const heat = useData<Heat>("heat?of=connect").value;
  const edges = useData<{ edges: readonly MapEdge[] }>("topology").value;
  return (
    <>
      <Findings findings={props.findings} />
      <Answer of={vitals}>{(data) => <VitalSigns {...data} />}</Answer>
      <div class="columns">
        <Panel title="How long connecting took" note="all handshakes; nothing is sampled" class="wide">
          <Answer
            of={heat}
            isEmpty={({ total }) => total === 0}
            empty="No connection was opened from this host in this time."
          >
            {(data) => (
              <Heatmap
                heat={data}
                label="How long connecting took"
                height={260}
                onBox={(box) => go({ of: "connect", ...box }, "/latency")}
              />
            )}
          </Answer>
        </Panel>
        <Panel title="Who moves most" note="connections that ended">
          <Answer of={edges} isEmpty={(data) => data.edges.length === 0}>
            {(data) => <TopMovers edges={data.edges} />}
          </Answer>
        </Panel>
      </div>
    </>
  );
}

function Findings(props: { findings: Loaded<{ findings: readonly Finding[] }> }) {
  return (
    <Panel title="Findings" note="the last minute against the hour before; the same rules on every host">
      <Answer of={props.findings}>
        {({ findings }) =>
          findings.length === 0 ? (
            <p class="state">
              <span class="ok" aria-hidden="true">
                ✓
              </span>{" "}
              Nothing is unusual.
            </p>
          ) : (
            <ol class="findings">
              {findings.map((finding) => (
                <li key={`${finding.rule} ${finding.subject}`}>
                  <Sign severity={finding.severity} />
                  <div>
                    <b>{finding.text}</b>
                    <p>{finding.next}</p>
                  </div>
                  <div class="right">
                    <a
                      class="button"
                      href={finding.evidence}
                      onClick={(event) => {
                        event.preventDefault();
                        open(finding.evidence);
                      }}
                    >
                      Show
                    </a>
                    <small>
                      since {clock(finding.since)}
                      {finding.ratio !== undefined && `, ${short(finding.ratio)} × as before`}
                      {finding.likelyFrom && `, likely from ${finding.likelyFrom}`}
                    </small>
                  </div>
                </li>
              ))}
            </ol>
          )
        }
      </Answer>
    </Panel>
  );
}

function VitalSigns(props: { now: Vitals; before: Vitals }) {
  const { now, before } = props;
  const signs: readonly (readonly [string, string, number | undefined, number | undefined])[] = [
    ["Connections", `${short(now.connectionsPerSecond)} /s`, undefined, undefined],
    ["Failed attempts", percent(now.failedShare), now.failedShare, before.failedShare],
    ["Connect, p99", duration(now.connectP99), now.connectP99, before.connectP99],
    ["Round trip, median", duration(now.rttP50), now.rttP50, before.rttP50],
    ["Accept queue, p99", duration(now.queueP99), now.queueP99, before.queueP99],
    ["Retransmitted", percent(now.retransmitShare), now.retransmitShare, before.retransmitShare],
  ];
  return (
    <div class="vitals">
      {signs.map(([name, value, is, was]) => {
        const ratio = is !== undefined && was !== undefined && was > 0 ? is / was : undefined;
        const worse = ratio !== undefined && ratio >= 2;
        return (
          <section class="panel vital" key={name} aria-label={name}>
            <h3>{name}</h3>
            <p>
              <b>{value}</b>
              {ratio !== undefined && (
                <span class={worse ? "bad" : "dim"}>
                  {worse ? "▲ " : ""}
                  {ratio >= 2 || ratio <= 0.5 ? `${short(ratio)} × as before` : "as before"}
                </span>
              )}
            </p>
          </section>
        );
      })}
    </div>
  );
}

function TopMovers(props: { edges: readonly MapEdge[] }) {
  const top = props.edges
    .filter(({ seenBy }) => seenBy === "opener")
    .toSorted((a, b) => moved(b) - moved(a))
    .slice(0, 9);
  const seconds = range.value.length;
  return (
    <Table
      label="Who moves most"
      rows={top}
      keyOf={(edge) => `${edge.from} ${edge.to} ${edge.port}`}
      onOpen={(edge) => go({ q: `${term("service", edge.from)} port:${edge.port}` }, "/connections")}
      columns={[
        { head: "from", cell: (edge) => <b>{edge.from}</b> },
        { head: "to", cell: (edge) => <code>{`${edge.to} :${edge.port}`}</code> },
        { head: "conn/s", isNumber: true, cell: (edge) => short((edge.counts.connections ?? 0) / seconds) },
        { head: "out", isNumber: true, cell: (edge) => bytes(edge.counts.sent) },
        { head: "in", isNumber: true, cell: (edge) => bytes(edge.counts.received) },
        { head: "rtt", isNumber: true, cell: (edge) => duration(edge.rttP50) },
        {
          head: "failed",
          isNumber: true,
          cell: (edge) => <span class={edge.counts.failed ? "bad" : "dim"}>{count(edge.counts.failed)}</span>,
        },
      ]}
    />
  );
}

function moved({ counts }: MapEdge): number {
  return (counts.sent ?? 0) + (counts.received ?? 0) + (counts.failed ?? 0) * 1000;
}
