import assert from "node:assert/strict";
import { inOneLine } from "./service-manager.ts";
import type { Status } from "./status.ts";

const none = { queue_full: 0, rejected: 0, unconfirmed: 0, shutdown_timeout: 0, encode: 0 };
const counts = (lost: Partial<typeof none> = {}) => {
  return { given: 0, acknowledged: 0, queued: 0, lost: { ...none, ...lost } };
};

const status: Status = {
  version: "0",
  pid: 1,
  uptimeSeconds: 1,
  plugins: [
    { name: "tcplife", state: "running" },
    { name: "tcpaccept", state: "degraded" },
  ],
  limits: [],
  exporters: [],
  connections: { opened: 3, ended: 3, living: 0, lost: { unseen: 0, no_memory: 0 } },
  unseen: 0,
  accounts: {},
};

describe("the status line for the service manager", () => {
  it("lists the plugins, and which are degraded or failed", () => {
    assert.equal(inOneLine(status), "2 plugins, degraded: tcpaccept; nothing lost");
    const plugins = [
      { name: "a", state: "running" },
      { name: "b", state: "failed", error: "no\nhook" },
      { name: "c", state: "failed" },
    ] as const;
    assert.equal(inOneLine({ ...status, plugins }), "1 plugin, failed: b c; nothing lost");
  });

  it("sums losses by kind over exporters, causes and programs", () => {
    const exporter = { type: "otlp_grpc", queue: { bytes: 0, limit: 0 } };
    const lossy: Status = {
      ...status,
      exporters: [
        {
          ...exporter,
          name: "one",
          balance: { span: counts({ queue_full: 2, rejected: 3 }), point: counts(), event: counts() },
        },
        {
          ...exporter,
          name: "other",
          balance: { span: counts({ encode: 1 }), point: counts({ rejected: 4 }), event: counts() },
        },
      ],
      connections: { ...status.connections, lost: { unseen: 5, no_memory: 7 } },
      accounts: { connections: { lost_spans: 8, events: 100 }, tcptop: { lost_rows: 9 } },
      unseen: 1,
    };
    assert.equal(
      inOneLine(lossy),
      "2 plugins, degraded: tcpaccept; lost: 6 spans, 4 points, 12 connection ends, 17 in the kernel; " +
        "this kernel did not show 1 event to tracing programs",
    );
  });
});
