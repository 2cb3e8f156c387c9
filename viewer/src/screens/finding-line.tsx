// The subject of a finding over time.
import type { Finding, Line, Listeners, Losses, Strip, VitalLines } from "../../../store/answers.ts";
import { useDataNowAndThen } from "../data.ts";
import { Spark } from "../parts/common.tsx";

/** The vital sign that a rule compares. */
const VITAL: Readonly<Record<string, keyof VitalLines>> = {
  "connects-fail": "failedShare",
  "connects-slow": "connectP99",
  "accept-queue-slow": "queueP99",
  "rtt-long": "rttP50",
  "segments-lost": "retransmitShare",
  "syns-lost": "synsPerSecond",
  "connects-unanswered": "synsPerSecond",
};

interface Source {
  /** A path of the API. */
  readonly path: string;
  readonly values: (answer: unknown) => readonly number[] | undefined;
}

const valuesOf = (line: Line | undefined) => line?.map(([, value]) => value);

/** Undefined: there is no line for it. */
function sourceOf({ rule, subject, evidence }: Finding): Source | undefined {
  const q = new URL(evidence, location.href).searchParams.get("q") ?? "";
  const filtered = (name: string) => `${name}?${new URLSearchParams({ q })}`;
  const vital = VITAL[rule];
  if (vital !== undefined)
    return {
      path: filtered("vitals"),
      values: (answer) => (answer as { lines: VitalLines }).lines[vital],
    };
  if (rule === "connections-reset")
    return { path: filtered("strip"), values: (answer) => (answer as Strip).failed };
  if (rule.startsWith("accept-queue") || rule === "listener-unattended")
    return {
      path: "listeners",
      values: (answer) =>
        valuesOf(
          (answer as Listeners).listeners.find(({ service, port }) => `${service}:${port}` === subject)?.line,
        ),
    };
  if (rule === "packets-dropped")
    return {
      path: "losses",
      values: (answer) =>
        valuesOf((answer as Losses).dropped.find(({ name }) => subject.endsWith(`(${name})`))?.line),
    };
  return undefined;
}

export function FindingLine(props: { finding: Finding }) {
  const source = sourceOf(props.finding);
  const found = useDataNowAndThen<object>(source?.path).value;
  const values = found.state === "ready" ? source?.values(found.data) : undefined;
  if (values === undefined) return null;
  const tone = props.finding.severity === "failing" ? "bad" : "warn";
  return <Spark values={values} tone={tone} label={`${props.finding.subject} over the range`} />;
}
