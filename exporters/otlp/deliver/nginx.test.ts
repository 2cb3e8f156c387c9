// OTLP through a real nginx, as often used in front of a Collector: nginx's own responses are not OTLP.
import assert from "node:assert/strict";
import { freePorts } from "../../../test/backend/ports.ts";
import { Exporting } from "../../../test/support/exporting.ts";
import { findNginx, Nginx } from "../../../test/support/nginx.ts";
import { OtlpSink } from "../../../test/support/otlp-sink.ts";
import { skip } from "../../../test/support/skip.ts";
import { numberOf } from "../../../test/support/telemetry.ts";
import { until } from "../../../test/support/until.ts";

for (const protocol of ["grpc", "http"] as const) {
  interface Rig extends AsyncDisposable {
    readonly sink: OtlpSink;
    readonly exporting: Exporting;
  }

  /** Exporter, nginx and backend in a row; `directives` are those of nginx's server. */
  async function rig(directives: string, config: { compression?: "gzip" | "none" } = {}): Promise<Rig> {
    const stack = new AsyncDisposableStack();
    const sink = stack.use(await OtlpSink.start(protocol));
    const [port] = await freePorts(1);
    const pass =
      protocol === "grpc"
        ? `grpc_pass ${sink.endpoint.replace("http", "grpc")};`
        : `proxy_pass ${sink.endpoint};`;
    const server = { http2: protocol === "grpc", directives: `${directives} location / { ${pass} }` };
    stack.use(await Nginx.proxy(port!, server));
    const exporting = await Exporting.to(`http://127.0.0.1:${port}`, {
      type: `otlp_${protocol}`,
      signals: ["traces"],
      timeoutMs: 10_000,
      ...config,
    });
    stack.use(exporting);
    return { sink, exporting, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  }

  /** Every span once, even if some arrived twice. */
  const arrived = ({ spans }: OtlpSink): readonly number[] =>
    [...new Set(spans.map(({ spanId }) => numberOf(spanId)))].sort((a, b) => a - b);
  const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

  describe(`OTLP over ${protocol} through nginx`, () => {
    before(function () {
      if (!findNginx()) skip(this, "no nginx on this machine");
    });

    it("arrives, and nothing is reported", async () => {
      await using made = await rig("client_max_body_size 16m;");
      await made.exporting.spans(1500);
      assert.deepEqual(made.exporting.came(), { acknowledged: 1500 });
      assert.deepEqual(arrived(made.sink), upTo(1500));
      assert.deepEqual(made.exporting.reasons, []);
    });

    for (const [compression, size] of [
      ["none", "16k"],
      ["gzip", "2k"],
    ] as const) {
      it(`is split until it fits client_max_body_size ${size}, compression ${compression}`, async () => {
        await using made = await rig(`client_max_body_size ${size};`, { compression });
        await made.exporting.spans(1500, 30_000);
        assert.deepEqual(made.exporting.came(), { acknowledged: 1500 });
        assert.deepEqual(arrived(made.sink), upTo(1500));
        assert.ok(made.sink.received.length > 3, `${made.sink.received.length} requests`);
      });
    }

    it("loses a single span that exceeds client_max_body_size, and logs it", async () => {
      await using made = await rig("client_max_body_size 100;", { compression: "none" });
      await made.exporting.spans(3, 20_000);
      assert.deepEqual(made.exporting.came(), { rejected: 3 });
      assert.match(made.exporting.reasons[0] ?? "", /HTTP 413: .*413 Request Entity Too Large/);
    });

    it("waits while the backend behind it is down (502)", async () => {
      await using made = await rig("client_max_body_size 16m;");
      await made.sink.stop();
      await made.exporting.spans(600, 100);
      await until("a line about it", () => made.exporting.reasons.length > 0);
      assert.match(made.exporting.reasons[0]!, /HTTP 502: .*502 Bad Gateway/);
      assert.deepEqual(made.exporting.came(), { queued: 600 });
      await made.sink.start();
      await made.exporting.spans(100, 20_000, 600);
      assert.deepEqual(made.exporting.came(), { acknowledged: 700 });
      assert.deepEqual(arrived(made.sink), upTo(700));
    });

    it("waits while the backend behind it is too slow (504)", async () => {
      await using made = await rig("grpc_read_timeout 300ms; proxy_read_timeout 300ms;");
      made.sink.answer = { kind: "hang" };
      await made.exporting.spans(600, 100);
      await until("a line about it", () => made.exporting.reasons.length > 0);
      assert.match(made.exporting.reasons[0]!, /HTTP 504: .*504 Gateway Time-out/);
      made.sink.answer = { kind: "ok" };
      await made.exporting.fanout.flush(20_000);
      assert.deepEqual(made.exporting.came(), { acknowledged: 600 });
      assert.deepEqual(arrived(made.sink), upTo(600));
    });
  });
}
