import assert from "node:assert/strict";
import { csvHeader, csvRow, FittedTable, tableRow } from "./table.ts";
import type { Column, Row } from "./view.ts";

const columns: readonly Column[] = [
  { title: "PID", width: 7, cell: ({ attributes }) => attributes.pid as number },
  { title: "COMM", width: 10, cell: ({ attributes }) => attributes.comm as string },
  { title: "MS", width: 6, align: "right", cell: ({ attributes }) => attributes.ms as number },
];
const row = (pid: number, comm: string, ms: number, more: Partial<Row> = {}): Row => ({
  time: { sec: 0, nsec: 0 },
  name: "row",
  attributes: { pid, comm, ms },
  ...more,
});
const red = (line: string) => `<${line}>`;

describe("a table on a terminal", () => {
  it("has its declared widths if they fit, and its titles' if they do not", () => {
    assert.equal(new FittedTable(columns, 80, red).header(), "PID     COMM           MS\n");
    assert.equal(new FittedTable(columns, 20, red).header(), "PID COMM MS\n");
  });

  it("grows with its content, and repeats the header then", () => {
    const table = new FittedTable(columns, 20, red);
    assert.equal(table.rows([row(4, "curl", 1)]), "4   curl  1\n");
    assert.equal(table.rows([row(40_000, "日本語", 12)]), "PID   COMM   MS\n40000 日本語 12\n");
    assert.equal(table.rows([row(4, "curl", 1)]), "4     curl    1\n");
  });

  it("colours what failed, the whole line and nothing beyond it", () => {
    const table = new FittedTable(columns, 80, red);
    assert.equal(table.rows([row(4, "a", 1, { error: "" })]), "<4       a               1>\n");
    const failed = { ...row(4, "a", 1), attributes: { pid: 4, comm: "a", ms: 1, "error.type": "x" } };
    assert.equal(table.rows([failed]), "<4       a               1>\n");
  });
});

describe("text chosen by processes", () => {
  const hostile = row(1, '\u001b[2J\u0007\u009b"a,b"\n\u202e', 0);

  it("cannot control the terminal, in a table and in CSV", () => {
    for (const text of [
      tableRow(columns, hostile),
      csvRow(columns, hostile),
      new FittedTable(columns, 80, red).rows([hostile]),
    ]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not occur
      assert.doesNotMatch(text.slice(0, -1), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  });

  it("is one field of one record in CSV", () => {
    assert.equal(csvHeader(columns), "PID,COMM,MS\n");
    assert.equal(csvRow(columns, hostile), '1,"\\x1b[2J\\x07\\x9b""a,b""\\x0a\\u202e",0\n');
  });
});
