// Currently open connections, filtered and sorted. Tests: store/living.test.ts.
import type { LivingHead, LivingRow } from "../../exporters/local/frame.ts";
import type { Living, OpenConnection } from "../answers.ts";
import type { Filter, NumberField, Subject } from "./filter.ts";
import type { Resources } from "./resources.ts";
import { textOf } from "./scan.ts";

/** Maximum rows of a response. */
const MOST = 500;

/** How the list can be sorted: largest first. */
export const LIVING_ORDERS = [
  "age",
  "sent",
  "received",
  "sendQueue",
  "receiveQueue",
  "rtt",
  "retransmits",
] as const;
export type LivingOrder = (typeof LIVING_ORDERS)[number];

/** `resourceOf`: the file's number of a resource of the agent. */
export function livingList(
  { total, rows }: LivingHead,
  filter: Filter,
  order: LivingOrder,
  resourceOf: (id: number) => number,
  resources: Resources,
): Living {
  const found = rows
    .map((row) => ({ row, subject: subjectOf(row, resourceOf(row.resource), resources) }))
    .filter(({ subject }) => filter.matches(subject))
    .sort((a, b) => (b.row[order] ?? -1) - (a.row[order] ?? -1));
  return {
    total,
    listed: rows.length,
    matching: found.length,
    rows: found.slice(0, MOST).map(({ row, subject }) => openConnection(row, subject)),
  };
}

function subjectOf(row: LivingRow, resource: number, resources: Resources): Subject {
  const { attributes, age, rtt, sent, received, retransmits } = row;
  const numbers: Partial<Record<NumberField, number | undefined>> = {
    life: age,
    rtt,
    sent,
    received,
    retransmits,
  };
  const text = (key: string) => {
    const value = attributes[key];
    return value === undefined ? undefined : String(value);
  };
  return {
    text: (field) => textOf(field, resource, resources, text, text),
    number: (field) => numbers[field],
  };
}

function openConnection(row: LivingRow, subject: Subject): OpenConnection {
  const { trace, state, age, sent, received, sendQueue, receiveQueue, rtt, retransmits, attributes } = row;
  const port = subject.text("port");
  return {
    ...{ trace, state, age, sent, received, sendQueue, receiveQueue, rtt, retransmits },
    connection: String(attributes["wirespan.connection.id"] ?? ""),
    service: subject.text("service") ?? "",
    process: subject.text("process"),
    pid: attributes["process.pid"] as number | undefined,
    direction: subject.text("direction"),
    peer: subject.text("peer"),
    port: port === undefined ? undefined : Number(port),
  };
}
