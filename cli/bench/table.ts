// The table of `wirespan bench`, in Markdown, ready for a ticket.
import type { Measured, Round } from "./measure.ts";
import type { Window } from "./workload.ts";

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const perConnection = ({ connections, seconds }: Window): number => (seconds * 1e6) / connections;
const rateOf = ({ connections, seconds }: Window): number => connections / seconds;
const kernelOf = ({ systemUs, connections }: Window): number => systemUs / connections;

/** `12.3 (11.9–13.1)`: the median, the minimum, the maximum. */
function spread(values: readonly number[], digits: number): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits));
  return `${median(values).toFixed(digits)} (${least}–${most})`;
}

function compared(rounds: readonly Round[], of: (window: Window) => number, digits: number): string[] {
  const [off, on] = [rounds.map((round) => of(round.off)), rounds.map((round) => of(round.on))];
  const difference = rounds.map((round) => of(round.on) - of(round.off));
  return [spread(off, digits), spread(on, digits), spread(difference, digits)];
}

/** `software`: versions, by name. */
export function benchTable(
  { cpu, plugins, seconds, rounds }: Measured,
  software: Readonly<Record<string, string>>,
): string {
  const own = (values: readonly number[], digits: number) => ["", spread(values, digits), ""];
  const rows = [
    ["", "agent off", "agent on", "difference"],
    ["connections per second", ...compared(rounds, rateOf, 0)],
    ["time of a connection, µs", ...compared(rounds, perConnection, 1)],
    ["CPU time of its system calls, µs", ...compared(rounds, kernelOf, 1)],
    [
      "the agent's CPU for a connection, µs",
      ...own(
        rounds.map(({ agentUs }) => agentUs),
        1,
      ),
    ],
    [
      "the agent's CPU while idle, %",
      ...own(
        rounds.map(({ idle }) => idle * 100),
        2,
      ),
    ],
    [
      "the agent's memory (RSS), MB",
      ...own(
        rounds.map(({ memory }) => memory / 1e6),
        0,
      ),
    ],
    [
      "connection ends that it saw, %",
      ...own(
        rounds.map(({ seen }) => seen * 100),
        1,
      ),
    ],
    [
      "start until all is attached, s",
      ...own(
        rounds.map(({ startSeconds }) => startSeconds),
        2,
      ),
    ],
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  const versions = Object.entries(software).map(([name, version]) => `${name} ${version}`);
  return [
    `${versions.join(", ")}; ${cpu.count} × ${cpu.model || "CPU"}; ${plugins} ${plugins === 1 ? "plugin" : "plugins"}`,
    "",
    line(rows[0]!),
    rule,
    ...rows.slice(1).map(line),
    "",
    `Median (least–most) of ${rounds.length} rounds of ${seconds} s. A connection is on loopback, both ends in one process, one byte each way, one after the other.`,
    "",
  ].join("\n");
}
