// What the host did while a connection was open, from collections, which are `metrics.interval` apart.
import type { Host, Listeners, Losses } from "../../../store/answers.ts";
import { useDataBetween } from "../data.ts";
import { count, percent } from "../format.ts";
import { Panel, Spark } from "../parts/common.tsx";
import type { HostLine } from "../parts/host-lane.tsx";
import { Table } from "../parts/table.tsx";

/** Seconds before and after the connection. */
const AROUND = 60;

/** What happened while a connection to a port was open. */
export function useMeanwhile(props: { first: number; last: number; port: number }): readonly HostLine[] {
  const { port } = props;
  // Whole collections, because a short connection lies within one.
  const from = Math.floor(props.first / 10) * 10 - AROUND;
  const to = Math.ceil(props.last / 10) * 10 + AROUND;
  const listeners = useDataBetween<Listeners>("listeners", from, to).value;
  const host = useDataBetween<Host>("host", from, to).value;
  const losses = useDataBetween<Losses>("losses", from, to).value;
  const facts: HostLine[] = [];
  if (listeners.state === "ready") {
    for (const one of listeners.data.listeners.filter((listener) => listener.port === port)) {
      const name = `${one.service}:${one.port}`;
      const isFull = one.mostWaiting >= one.limit;
      const value = `at most ${count(one.mostWaiting)} of ${count(one.limit)}`;
      facts.push({ name: `accept queue of ${name}`, value, line: one.line, isBad: isFull });
    }
  }
  if (losses.state === "ready") {
    const { rejected, dropped, retransmitted } = losses.data;
    for (const [what, parts] of [
      ["rejected by", rejected.filter(({ name }) => name.endsWith(`:${port}`))],
      ["dropped:", dropped],
      ["retransmitted:", retransmitted],
    ] as const)
      for (const { name, count: n, line } of parts)
        facts.push({ name: `${what} ${name}`, value: count(n), line, isBad: n > 0 });
  }
  if (host.state === "ready") {
    const { softirqs, step } = host.data;
    for (const { vector, cpu, line } of softirqs.filter((one) => one.vector === "net_rx")) {
      const most = Math.max(0, ...line.map(([, seconds]) => seconds)) / step;
      const name = `${vector} on ${cpu === undefined ? "all CPUs" : `CPU ${cpu}`}`;
      facts.push({ name, value: `at most ${percent(most)}`, line, isBad: most > 0.6 });
    }
  }
  return facts;
}

/** Lines of a waterfall. */
const MOST = 4;

/** The most important ones: those that are bad, the accept queue, the busiest CPU. */
export function important(facts: readonly HostLine[]): readonly HostLine[] {
  const peak = ({ line }: HostLine) => Math.max(0, ...line.map(([, value]) => value));
  const busiest = facts
    .filter(({ name }) => name.startsWith("net_rx"))
    .sort((a, b) => peak(b) - peak(a))
    .slice(0, 1);
  return facts
    .filter((one) => one.isBad || one.name.startsWith("accept queue") || busiest.includes(one))
    .slice(0, MOST);
}

export function Meanwhile(props: { facts: readonly HostLine[] }) {
  const { facts } = props;
  return (
    <Panel title="Meanwhile on this host" note={`a minute before to a minute after`}>
      {facts.length === 0 ? (
        <p class="state">Nothing of it is stored any more.</p>
      ) : (
        <Table
          label="Meanwhile on this host"
          rows={facts}
          keyOf={({ name }) => name}
          columns={[
            {
              head: "what",
              cell: ({ name, isBad }) => (
                <>
                  {isBad && "▲ "}
                  {name}
                </>
              ),
            },
            {
              head: "over time",
              cell: ({ name, line, isBad }) => (
                <Spark
                  values={line.map(([, value]) => value)}
                  tone={isBad ? "bad" : undefined}
                  label={`${name} over time`}
                />
              ),
            },
            {
              head: "value",
              isNumber: true,
              cell: ({ value, isBad }) => <span class={isBad ? "bad" : ""}>{value}</span>,
            },
          ]}
        />
      )}
    </Panel>
  );
}
