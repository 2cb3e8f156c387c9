// What is wrong, since when, and what to look at first?
import type {
  Finding,
  Findings as Found,
  Heat,
  Topology,
  VitalLines,
  Vitals,
} from "../../../store/answers.ts";
import { type Loaded, useData } from "../data.ts";
import { clock, duration, percent, short } from "../format.ts";
import { SCREENS } from "../parts/chrome.tsx";
import { Answer, Legend, Panel, Sign, Spark } from "../parts/common.tsx";
import { Heatmap } from "../parts/heatmap.tsx";
import { go, open, parameter } from "../state.ts";
import { FindingLine } from "./finding-line.tsx";
import { Movers } from "./movers.tsx";

export function Overview(props: { findings: Loaded<Found> }) {
  const vitals = useData<{ now: Vitals; before: Vitals; lines: VitalLines }>("vitals").value;
  const heat = useData<Heat>("heat?of=connect").value;
  const edges = useData<Topology>("topology").value;
  return (
    <>
      <Findings findings={props.findings} />
      <Answer of={vitals}>{(data) => <VitalSigns {...data} />}</Answer>
      <div class="columns near">
        <Panel
          title="How long connecting took"
          note="all handshakes; nothing is sampled"
          right={<Legend hue="count" few="fewer" many="more" />}
        >
          <Answer
            of={heat}
            isEmpty={({ total }) => total === 0}
            empty="No connection was opened from this host in this range."
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
        <Movers edges={edges} />
      </div>
    </>
  );
}

/** `3 findings since 14:31`. */
function title(found: Loaded<Found>): string {
  const all = found.state === "ready" ? found.data.findings : [];
  if (all.length === 0) return "Findings";
  const since = clock(Math.min(...all.map((finding) => finding.since)), "minutes");
  return `${all.length} ${all.length === 1 ? "finding" : "findings"} since ${since}`;
}

/** `22 checks, 19 calm`. */
function checked({ findings, checks }: Found): string {
  return `${checks} checks, ${checks - new Set(findings.map(({ rule }) => rule)).size} calm`;
}

/** The screen that a finding's link opens. */
function screenOf({ evidence }: Finding): string {
  const { pathname } = new URL(evidence, location.href);
  return SCREENS.find(([to]) => to === pathname)?.[1] ?? "Show";
}

/** Maximum findings that are shown at once: more would hide what is below. */
const FIRST = 5;

function Findings(props: { findings: Loaded<Found> }) {
  const all = parameter("all") !== "";
  return (
    <Panel
      title={title(props.findings)}
      note="the last minute against the hour before; the same rules on every host"
      right={props.findings.state === "ready" && checked(props.findings.data)}
    >
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
            <>
              <ol class="findings">
                {findings.slice(0, all ? undefined : FIRST).map((finding) => (
                  <li key={`${finding.rule} ${finding.subject}`}>
                    <Sign severity={finding.severity} />
                    <div>
                      <b>{finding.text}</b>
                      <p>{finding.next}</p>
                    </div>
                    <FindingLine finding={finding} />
                    <div class="right">
                      <a
                        class="button"
                        href={finding.evidence}
                        onClick={(event) => {
                          event.preventDefault();
                          open(finding.evidence);
                        }}
                      >
                        {screenOf(finding)} <span aria-hidden="true">→</span>
                      </a>
                      <small>
                        since {clock(finding.since)}
                        {finding.ratio !== undefined && `, ${short(finding.ratio)} × the usual`}
                        {finding.likelyFrom && `, likely from ${finding.likelyFrom}`}
                      </small>
                    </div>
                  </li>
                ))}
              </ol>
              {findings.length > FIRST && (
                <p class="state">
                  <button type="button" class="link" onClick={() => go({ all: all ? undefined : 1 })}>
                    {all ? "Only the first five" : `${findings.length - FIRST} more, less urgent or later`}
                  </button>
                </p>
              )}
            </>
          )
        }
      </Answer>
    </Panel>
  );
}

type Vital = readonly [name: string, of: keyof VitalLines, say: (value: number | undefined) => string];

const VITALS: readonly Vital[] = [
  ["Connections", "connectionsPerSecond", (value) => `${short(value ?? 0)} /s`],
  ["Failed attempts", "failedShare", percent],
  ["Connect p99", "connectP99", duration],
  ["Queue p99", "queueP99", duration],
  ["RTT median", "rttP50", duration],
  ["SYNs repeated", "synsPerSecond", (value) => `${short(value ?? 0)} /s`],
  ["Retransmitted", "retransmitShare", percent],
  ["Packets dropped", "dropsPerSecond", (value) => `${short(value ?? 0)} /s`],
  ["CPU in net_rx", "netRxShare", percent],
];

function VitalSigns(props: { now: Vitals; before: Vitals; lines: VitalLines }) {
  const { now, before, lines } = props;
  return (
    <div class="vitals">
      {VITALS.filter(([, of]) => lines[of].length > 0).map(([name, of, say]) => {
        const [is, was] = [now[of], before[of]];
        const ratio = is !== undefined && was !== undefined && was > 0 ? is / was : undefined;
        const isWorse = of !== "connectionsPerSecond" && ratio !== undefined && ratio >= 2;
        const [, value = "", unit = ""] = /^(\S+)\s*(.*)$/.exec(say(is)) ?? [];
        return (
          <section class="panel vital" key={name} aria-label={name}>
            <h3>{name}</h3>
            <p>
              <span>
                <b>{value}</b> {unit}
              </span>
              {ratio !== undefined && (
                <small class={isWorse ? "bad" : "dim"} title={`${say(was)} before`}>
                  {isWorse ? "▲ " : ""}
                  {ratio >= 2 || ratio <= 0.5 ? `${short(ratio)} ×` : "as before"}
                </small>
              )}
            </p>
            <Spark values={lines[of]} tone={isWorse ? "bad" : undefined} label={`${name} over the range`} />
          </section>
        );
      })}
    </div>
  );
}
