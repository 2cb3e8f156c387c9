// Columns that several of bcc's tools share, and their parts.
import { TCP_STATES } from "../semconv.ts";
import type { Time } from "../signals.ts";
import type { Column, Row } from "./view.ts";

/** An attribute unchanged; `-` if the row has none. */
export const text =
  (key: string) =>
  (row: Row): string =>
    String(row.attributes[key] ?? "-");

/** An attribute in seconds, as milliseconds. */
export const milliseconds =
  (key: string, digits: number) =>
  (row: Row): string => {
    const value = row.attributes[key];
    return value === undefined ? "-" : (Number(value) * 1000).toFixed(digits);
  };

/** An attribute in bytes, as units of 1024. */
export const kilobytes =
  (key: string) =>
  (row: Row): string =>
    (Number(row.attributes[key] ?? 0) / 1024).toFixed(1);

/** A column of numbers, aligned right. */
export const number = (title: string, width: number, cell: Column["cell"]): Column => ({
  title,
  width,
  align: "right",
  cell,
});

/** `address:port` of two attributes. */
export const endpoint =
  (name: string) =>
  ({ attributes }: Row): string =>
    `${attributes[`${name}.address`] ?? "-"}:${attributes[`${name}.port`] ?? "-"}`;

/** An endpoint's address and its port, under these titles; the port is omitted without a title. */
export const end = (side: "local" | "peer", width: number, address: string, port?: unknown): Column[] => [
  { title: address, width, cell: text(`network.${side}.address`) },
  ...(port ? [{ title: String(port), width: 5, cell: text(`network.${side}.port`) }] : []),
];

/** The width of an address column that holds IPv6 if `wide`. */
export const addressWidth = (wide: unknown, narrow = 16): number => (wide ? 26 : narrow);

/** HH:MM:SS, local time. */
export const timeOfDay = ({ sec }: Time): string => new Date(sec * 1000).toTimeString().slice(0, 8);

/** `2026-01-31 23:59:59`, in UTC. */
export const date = ({ sec }: Time): string =>
  new Date(sec * 1000).toISOString().slice(0, 19).replace("T", " ");

/** Nanoseconds since the epoch, as text: a number does not hold them. */
export const nanoseconds = ({ sec, nsec }: Time): string => `${sec}${String(nsec).padStart(9, "0")}`;

/** Seconds since the first row, as bcc's `-t`. */
export function elapsed(): Column {
  let first: Time | undefined;
  return {
    title: "TIME(s)",
    width: 9,
    cell({ time }) {
      first ??= time;
      return (time.sec - first.sec + (time.nsec - first.nsec) / 1e9).toFixed(6);
    },
  };
}

/** The local time of day, as bcc's `-T`. */
export const TIME: Column = { title: "TIME", width: 8, cell: ({ time }) => timeOfDay(time) };

/** The process and its thread's name. */
export const OWNER: readonly Column[] = [
  { title: "PID", width: 7, cell: text("process.pid") },
  { title: "COMM", width: 15, cell: text("thread.name") },
];

/** The network namespace's inode. */
export const NETNS: Column = { title: "NETNS", width: 10, cell: text("wirespan.netns.inode") };

/** 4 or 6; IPv4 over an IPv6 socket is 4. */
export const FAMILY: Column = {
  title: "IP",
  width: 2,
  cell: (row) => (row.attributes["network.type"] === "ipv6" ? "6" : "4"),
};

/** The outcome of an attempt to connect. */
export const RESULT: Column = {
  title: "RESULT",
  width: 21,
  cell(row) {
    const error = row.attributes["error.type"];
    if (error === undefined) return "established";
    return row.attributes["wirespan.tcp.close.reason"] === "killed" ? "killed" : String(error);
  },
};

/** The kernel's names of those states whose OpenTelemetry names differ. */
const STATE_NAMES: Readonly<Partial<Record<(typeof TCP_STATES)[number], string>>> = {
  syn_received: "SYN_RECV",
  closed: "CLOSE",
  fin_wait_1: "FIN_WAIT1",
  fin_wait_2: "FIN_WAIT2",
};

/** The kernel's names of TCP states, as bcc prints them, by OpenTelemetry's. */
const TCP_STATE_NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  TCP_STATES.map((state) => [state, STATE_NAMES[state] ?? state.toUpperCase()]),
);

/** An attribute that is a TCP state, as bcc prints it. */
export const tcpState =
  (key: string) =>
  ({ attributes }: Row): string =>
    TCP_STATE_NAMES[String(attributes[key])] ?? "-";
