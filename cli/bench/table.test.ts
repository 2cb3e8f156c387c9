import assert from "node:assert/strict";
import { parse } from "yaml";
import { benchConfig } from "./agent.ts";
import type { Measured } from "./measure.ts";
import { benchTable } from "./table.ts";

const window = (connections: number, systemUs: number) => ({ connections, seconds: 2, userUs: 0, systemUs });

const round = (on: number, agentUs: number) => ({
  off: window(10_000, 400_000),
  on: window(on, on * 45),
  ...{ startSeconds: 1.25, agentUs, idle: 0.0012, seen: 1, memory: 84e6 },
});

const measured: Measured = {
  cpu: { model: "EPYC", count: 2 },
  plugins: 13,
  seconds: 2,
  rounds: [round(9_600, 12), round(9_500, 14), round(9_700, 13)],
};

describe("the bench table", () => {
  it("has medians and spreads next to the baseline's, and the versions", () => {
    const table = benchTable(measured, { wirespan: "0.2.0", kernel: "6.18" });
    assert.match(table, /^wirespan 0\.2\.0, kernel 6\.18; 2 × EPYC; 13 plugins\n/);
    const rows = table.split("\n").filter((line) => line.startsWith("|"));
    const cells = rows.map((row) => row.split("|").map((cell) => cell.trim()));
    assert.deepEqual(cells[2], [
      "",
      "connections per second",
      "5000 (5000–5000)",
      "4800 (4750–4850)",
      "-200 (-250–-150)",
      "",
    ]);
    assert.deepEqual(cells[4]!.slice(2, 5), ["40.0 (40.0–40.0)", "45.0 (45.0–45.0)", "5.0 (5.0–5.0)"]);
    assert.equal(
      cells.find(([, name]) => name === "the agent's CPU for a connection, µs")![3],
      "13.0 (12.0–14.0)",
    );
    assert.equal(new Set(rows.map((row) => row.length)).size, 1);
  });
});

describe("the configuration of the agent that bench starts", () => {
  it("is the file's, without its exporters and without addresses that another agent holds", () => {
    const file = `version: 1
plugins: { tcplife: { enabled: false } }
exporters: { real: { type: otlp_grpc, endpoint: "https://backend", headers: { key: "\${env:KEY}" } } }
health: { address: 127.0.0.1:8099 }
control: { socket: /run/wirespan/control.sock }
`;
    assert.deepEqual(parse(benchConfig(file, "/tmp/x", "http://127.0.0.1:1")), {
      version: 1,
      plugins: { tcplife: { enabled: false } },
      exporters: { bench: { type: "otlp_http", endpoint: "http://127.0.0.1:1" } },
      health: { address: "" },
      control: { socket: "/tmp/x/control.sock" },
      viewer: false,
    });
    assert.deepEqual(Object.keys(parse(benchConfig("", "/tmp/x", "http://127.0.0.1:1")) as object).length, 5);
  });
});
