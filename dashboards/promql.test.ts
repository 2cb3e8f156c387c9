import assert from "node:assert/strict";
import { nameOf, Queries } from "./promql.ts";

describe("expressions of the dashboards", () => {
  const queries = new Queries(['host_name=~"$host"'], "5m");

  it("use Prometheus's names of metrics: the unit and _total", () => {
    assert.equal(nameOf("wirespan.tcp.io"), "wirespan_tcp_io_bytes_total");
    assert.equal(nameOf("wirespan.softirq.time"), "wirespan_softirq_time_seconds_total");
    assert.equal(nameOf("wirespan.tcp.connection.duration"), "wirespan_tcp_connection_duration_seconds");
    assert.equal(nameOf("wirespan.tcp.accept_queue.usage"), "wirespan_tcp_accept_queue_usage");
    assert.equal(nameOf("wirespan.agent.queue.limit"), "wirespan_agent_queue_limit_bytes");
  });

  it("select by variables and attributes, and sum by attributes", () => {
    assert.equal(
      queries.increase("wirespan.tcp.connect.attempts", ["service.name", "error.type"], {
        "error.type": '!=""',
      }),
      'sum by (service_name, error_type) (increase(wirespan_tcp_connect_attempts_total{host_name=~"$host", error_type!=""}[5m]))',
    );
  });

  it("are rejected for undeclared metrics, and for quantiles of metrics that are not histograms", () => {
    assert.throws(() => queries.rate("wirespan.tcp.nothing", []), /no plugin declares the metric/);
    assert.throws(() => queries.rate("wirespan.tcp.io", ["server.port"]), /has no attribute server.port/);
    assert.throws(() => queries.rate("wirespan.tcp.io", [], { "server.port": '=""' }), /has no attribute/);
    assert.throws(() => queries.quantile(0.5, "wirespan.tcp.io", []), /is not a histogram/);
  });
});
