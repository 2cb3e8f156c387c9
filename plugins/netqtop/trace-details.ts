// Details of interfaces that `wirespan trace netqtop` shows if options request them.
import type {
  AnyAttributes,
  AttributeValue,
  ExponentialHistogram,
  Metric,
  Time,
} from "../../core/plugin/signals.ts";
import type { Column, Flags, Row, TraceOption } from "../../core/plugin/trace/view.ts";
import { DETAILS, RESULTS } from "./signals.ts";

const RESULT = "wirespan.netdev.transmit.result";
const POLLS = ["polls", "polled", "exhausted"] as const;

export const detailOptions: readonly TraceOption[] = [
  {
    flags: "--failures",
    doc: "frames that the driver did not accept",
    setting: "transmitFailures",
    value: "true",
  },
  { flags: "--polls", doc: "NAPI polls of the driver, and their packets", setting: "polls", value: "true" },
  { flags: "--wait", doc: "how long frames waited to be sent", setting: "queueWait", value: "true" },
];

export const waited = (wait: ExponentialHistogram | undefined): AnyAttributes =>
  wait?.count ? { waits: wait.count, wait_us: (wait.sum / wait.count) * 1e6 } : {};

/** One row per interface: its driver's results and polls. */
export function interfaceRows(delta: readonly Metric[]): Row[] {
  const figures = new Map<string, string>([
    [DETAILS.failures.name, RESULT],
    ...POLLS.map((key): [string, string] => [DETAILS[key].name, key]),
  ]);
  const found = new Map<string, { time: Time; attributes: Record<string, AttributeValue | undefined> }>();
  for (const { spec, points, time } of delta) {
    const figure = figures.get(spec.name);
    if (figure === undefined) continue;
    for (const { attributes, value } of points) {
      const { [RESULT]: result, ...own } = attributes;
      const id = JSON.stringify(own);
      const row = found.get(id) ?? { time, attributes: own };
      row.attributes[String(result ?? figure)] = value as number;
      found.set(id, row);
    }
  }
  const moved = ({ attributes }: Pick<Row, "attributes">) =>
    [...RESULTS, "polls"].some((key) => attributes[key]);
  return [...found.values()]
    .filter(moved)
    .map(({ time, attributes }) => ({ time, name: "interface", attributes }));
}

/** In addition to those of queues, in formats with a line for everything. */
export function detailColumns({ failures, polls }: Flags): Column[] {
  const keys = [...(failures ? RESULTS : []), ...(polls ? POLLS : [])];
  return keys.map((key) => ({ title: key, width: 10, cell: (row) => Number(row.attributes[key] ?? 0) }));
}

/** Below an interface's tables. */
export function interfaceLine({ attributes }: Row): string {
  const failures = RESULTS.filter((key) => attributes[key]).map((key) => `${key} ${attributes[key]}`);
  const { polls, polled, exhausted } = attributes;
  return [
    ...(failures.length ? [`frames not accepted: ${failures.join(", ")}`] : []),
    ...(polls
      ? [`${polls} polls processed ${polled ?? 0} packets, ${exhausted ?? 0} exhausted their budget`]
      : []),
  ].join("; ");
}
