import assert from "node:assert/strict";
import * as column from "./columns.ts";
import type { Row } from "./view.ts";

const row = (attributes: Row["attributes"], sec = 0, nsec = 0): Row => ({
  time: { sec, nsec },
  name: "row",
  attributes,
});

describe("columns that tools share", () => {
  it("show an attribute, and a dash if the row does not have it", () => {
    assert.deepEqual([row({ port: 80 }), row({ port: 0 }), row({})].map(column.text("port")), [
      "80",
      "0",
      "-",
    ]);
    assert.equal(column.milliseconds("rtt", 2)(row({ rtt: 0.0015 })), "1.50");
    assert.equal(column.milliseconds("rtt", 2)(row({})), "-");
    assert.equal(column.kilobytes("bytes")(row({ bytes: 1536 })), "1.5");
    assert.equal(column.endpoint("source")(row({ "source.address": "::1" })), "::1:-");
  });

  it("show times to the nanosecond: since the first row, and since the epoch", () => {
    const { cell } = column.elapsed();
    const rows = [
      row({}, 1_700_000_000, 999_999_000),
      row({}, 1_700_000_001, 1_000),
      row({}, 1_699_999_999, 0),
    ];
    assert.deepEqual(rows.map(cell), ["0.000000", "0.000002", "-1.999999"]);
    assert.equal(column.nanoseconds({ sec: 1_700_000_000, nsec: 7 }), "1700000000000000007");
    assert.equal(column.date({ sec: 1_700_000_000, nsec: 999_999_999 }), "2023-11-14 22:13:20");
    assert.match(column.timeOfDay({ sec: 1_700_000_000, nsec: 0 }), /^\d\d:13:20$/);
  });

  it("name states as the kernel does", () => {
    const state = column.tcpState("state");
    assert.deepEqual(
      ["established", "syn_received", "fin_wait_1", "closed", undefined].map((name) =>
        state(row({ state: name })),
      ),
      ["ESTABLISHED", "SYN_RECV", "FIN_WAIT1", "CLOSE", "-"],
    );
  });

  it("have an endpoint's port only under a title", () => {
    const titles = (port?: unknown) => column.end("local", 16, "LADDR", port).map(({ title }) => title);
    assert.deepEqual(
      [titles("LPORT"), titles(undefined), titles(false)],
      [["LADDR", "LPORT"], ["LADDR"], ["LADDR"]],
    );
  });
});
