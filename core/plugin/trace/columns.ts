// Columns that several of bcc's tools have.
import type { Column, Row } from "./view.ts";

/** An attribute as it is; `-` where the row has none. */
export const text =
  (key: string) =>
  (row: Row): string =>
    String(row.attributes[key] ?? "-");

/** An attribute that is seconds, as milliseconds. */
export const milliseconds =
  (key: string, digits: number) =>
  (row: Row): string => {
    const value = row.attributes[key];
    return value === undefined ? "-" : (Number(value) * 1000).toFixed(digits);
  };

/** Seconds since the epoch; Date.parse knows milliseconds only. */
const secondsOf = ({ time }: Row): number =>
  Date.parse(`${time.slice(0, 19)}Z`) / 1000 + Number(`0${time.slice(19, -1)}`);

/** Seconds since the first row, as bcc's `-t`. */
export function elapsed(): Column {
  let first: number | undefined;
  return {
    title: "TIME(s)",
    width: 9,
    cell(row) {
      first ??= secondsOf(row);
      return (secondsOf(row) - first).toFixed(6);
    },
  };
}

/** The local time of day, as bcc's `-T`. */
export const TIME: Column = {
  title: "TIME",
  width: 8,
  cell: (row) => new Date(row.time).toTimeString().slice(0, 8),
};

/** Whose it is. */
export const OWNER: readonly Column[] = [
  { title: "PID", width: 7, cell: text("process.pid") },
  { title: "COMM", width: 15, cell: text("thread.name") },
];

/** 4 or 6; IPv4 through an IPv6 socket is 4. */
export const FAMILY: Column = {
  title: "IP",
  width: 2,
  cell: (row) => (row.attributes["network.type"] === "ipv6" ? "6" : "4"),
};

/** What became of an attempt to connect. */
export const RESULT: Column = {
  title: "RESULT",
  width: 21,
  cell(row) {
    const error = row.attributes["error.type"];
    if (error === undefined) return "established";
    return row.attributes["wirespan.tcp.close.reason"] === "killed" ? "killed" : String(error);
  },
};
