// One edge of the map: its numbers compared with those of the hour before, and where to look next.
import type { ComponentChildren } from "preact";
import type { MapEdge, Topology } from "../../../store/answers.ts";
import { term } from "../../../store/query/term.ts";
import { useData } from "../data.ts";
import { edgeTerms, kind, nameOf } from "../edges.ts";
import { bytes, count, duration, percent, short } from "../format.ts";
import { Panel } from "../parts/common.tsx";
import { readsAs } from "../reads-as.ts";
import { go, range } from "../state.ts";

const share = (part: number | undefined, whole: number | undefined) =>
  whole ? (part ?? 0) / whole : undefined;

type Fact = readonly [
  name: string,
  of: (edge: MapEdge, seconds: number) => ComponentChildren,
  /** What is worse if it is greater. */
  value?: (edge: MapEdge) => number | undefined,
];

const failed = ({ counts }: MapEdge) => share(counts.failed, counts.connects || counts.accepts);
const resets = ({ counts }: MapEdge) => share(counts.resets, counts.connections);
const retransmitted = ({ counts }: MapEdge) => share(counts.retransmits, counts.segments);

const FACTS: readonly Fact[] = [
  ["connections", ({ counts }, seconds) => `${short((counts.connections ?? 0) / seconds)} /s`],
  ["failed attempts", (edge) => percent(failed(edge)), failed],
  ["reset", (edge) => percent(resets(edge)), resets],
  ["SYNs retransmitted", ({ counts }) => count(counts.synRetransmits), ({ counts }) => counts.synRetransmits],
  ["connect, median", ({ connectP50 }) => duration(connectP50), ({ connectP50 }) => connectP50],
  ["connect, p99", ({ connectP99 }) => duration(connectP99), ({ connectP99 }) => connectP99],
  ["in the accept queue, p99", ({ queueP99 }) => duration(queueP99), ({ queueP99 }) => queueP99],
  ["round trip, median", ({ rttP50 }) => duration(rttP50), ({ rttP50 }) => rttP50],
  ["segments retransmitted", (edge) => percent(retransmitted(edge)), retransmitted],
  ["out", ({ counts }) => bytes(counts.sent)],
  ["in", ({ counts }) => bytes(counts.received)],
];

export function EdgePanel(props: { edge: MapEdge }) {
  const { edge } = props;
  const { from, length } = range.value;
  // A whole minute, so that it is not requested again each second.
  const to = Math.floor(from / 60) * 60;
  const before = useData<Topology>(`topology?by=${kind()}&from=${to - 3600}&to=${to}`, false).value;
  const was =
    before.state === "ready"
      ? before.data.edges.find((one) => nameOf(one) === nameOf(edge) && one.seenBy === edge.seenBy)
      : undefined;
  const isWorse = ([, , value]: Fact) => {
    const [now, then] = [value?.(edge) ?? 0, was && (value?.(was) ?? 0)];
    return then === undefined ? undefined : now > 2 * then && now > 0;
  };
  const q = edgeTerms(edge);
  const causes = Object.entries(edge.causes);
  return (
    <Panel title={nameOf(edge)} note="right: the hour before">
      <table>
        <caption class="hidden">{nameOf(edge)}</caption>
        <thead class="hidden">
          <tr>
            <th scope="col">fact</th>
            <th scope="col">in the range</th>
            <th scope="col">the hour before</th>
          </tr>
        </thead>
        <tbody>
          {FACTS.map((fact) => (
            <tr key={fact[0]}>
              <td>{fact[0]}</td>
              <td class={`number ${isWorse(fact) ? "bad" : ""}`}>
                {isWorse(fact) && "▲ "}
                <b>{fact[1](edge, length)}</b>
              </td>
              <td class="number dim">{was ? fact[1](was, 3600) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="state reads">
        <b>Reads as:</b> {readsAs(edge, was)}
      </p>
      <p class="state actions">
        {causes.length > 0 && <span>{causes.map(([cause, n]) => `${count(n)} ${cause}`).join(", ")}</span>}
        <button type="button" class="button" onClick={() => go({ q }, "/connections")}>
          Its connections
        </button>
        <button type="button" class="button" onClick={() => go({ q, of: "connect" }, "/latency")}>
          Its latency
        </button>
        {edge.queueP99 !== undefined && (
          <button
            type="button"
            class="button"
            onClick={() => go({ q: kind() === "service" ? term("service", edge.to) : "" }, "/listeners")}
          >
            Its listener
          </button>
        )}
      </p>
    </Panel>
  );
}
