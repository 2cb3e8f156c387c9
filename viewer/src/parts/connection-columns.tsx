// Columns that the lists of ended and of open connections share.
import type { ListRow, OpenConnection } from "../../../store/answers.ts";
import { term } from "../../../store/query/term.ts";
import { bytes, count, duration } from "../format.ts";
import type { Column } from "./table.tsx";

type Either = ListRow | OpenConnection;

/** A term of the filter; undefined if there is no value. */
export const optional = (field: string, value: string | number | undefined) =>
  value === undefined ? undefined : term(field, value);

/** The two ends of a connection. */
export const ENDS: readonly Column<Either>[] = [
  {
    head: "service",
    cell: ({ service }) => <b>{service}</b>,
    term: ({ service }) => term("service", service),
  },
  {
    head: "process",
    cell: ({ process, pid }) => `${process ?? ""} ${pid ?? ""}`,
    term: ({ pid }) => optional("pid", pid),
  },
  {
    head: "way",
    cell: ({ direction }) => ({ outbound: "→", inbound: "←" })[direction ?? ""] ?? "?",
    term: ({ direction }) => optional("direction", direction),
  },
  { head: "peer", cell: ({ peer }) => <code>{peer}</code>, term: ({ peer }) => optional("peer", peer) },
  {
    head: "port",
    isNumber: true,
    cell: ({ port }) => <code>{port}</code>,
    term: ({ port }) => optional("port", port),
  },
];

/** What was sent and received. */
export const BYTES: readonly Column<Either>[] = [
  { head: "out", isNumber: true, order: "sent", cell: ({ sent }) => bytes(sent) },
  { head: "in", isNumber: true, order: "received", cell: ({ received }) => bytes(received) },
];

/** How good the network path is. */
export const QUALITY: readonly Column<Either>[] = [
  { head: "rtt", isNumber: true, order: "rtt", cell: ({ rtt }) => duration(rtt) },
  {
    head: "retransmitted",
    isNumber: true,
    order: "retransmits",
    cell: ({ retransmits }) => <span class={retransmits ? "bad" : "dim"}>{count(retransmits)}</span>,
  },
];
