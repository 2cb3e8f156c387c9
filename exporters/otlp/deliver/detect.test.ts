import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { Exporting } from "../../../test/support/exporting.ts";
import { OtlpSink } from "../../../test/support/otlp-sink.ts";
import { acceptedMetric, dropEvent } from "../../../test/support/telemetry.ts";

describe("OTLP to an endpoint without a configured protocol", () => {
  it("is HTTP if an HTTP server answers: nothing is lost, and one line reports it", async () => {
    await using sink = await OtlpSink.start("http");
    await using made = await Exporting.to(sink.endpoint, { detect: true });
    made.fanout.event(dropEvent(1));
    made.fanout.metrics([acceptedMetric(3)]);
    await made.spans(1300);
    await made.spans(10);
    assert.deepEqual(made.came(), { acknowledged: 1310 });
    assert.deepEqual(made.came("event"), { acknowledged: 1 });
    assert.deepEqual(made.came("point"), { acknowledged: 3 });
    assert.equal(sink.spans.length, 1310);
    assert.deepEqual(
      made.lines.map(({ message }) => message),
      [
        `${sink.endpoint} is an HTTP server, using http/protobuf; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`,
      ],
    );
    assert.equal(made.exporter.type, "otlp_http");
    assert.equal(made.exporter.componentType("span"), "otlp_http_span_exporter");
  });

  it("is HTTP if the server omits the version for an unknown request, as Python's does", async () => {
    const bodies: number[] = [];
    const server = createServer((socket: Socket) => {
      let text = "";
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        if (text.startsWith("PRI ")) {
          socket.end("<!DOCTYPE HTML><html>Invalid HTTP version (2.0)</html>");
        } else if (text.includes("\r\n\r\n")) {
          const [head = "", body = ""] = text.split("\r\n\r\n");
          const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
          if (body.length < length) return;
          if (length > 0) bodies.push(length);
          socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    {
      await using made = await Exporting.to(`http://127.0.0.1:${port}`, {
        detect: true,
        signals: ["traces"],
      });
      await made.spans(10);
      assert.deepEqual(made.came(), { acknowledged: 10 });
      assert.equal(bodies.length, 1);
    }
    await new Promise((resolve) => server.close(resolve));
  });

  it("is gRPC if a gRPC server answers, and waits for one that is not there yet", async () => {
    await using sink = await OtlpSink.start("grpc");
    const { endpoint } = sink;
    await sink.stop();
    await using made = await Exporting.to(endpoint, { detect: true, signals: ["traces"] });
    await made.spans(10, 300);
    await sink.start();
    await made.spans(10);
    assert.deepEqual(made.came(), { acknowledged: 20 });
    assert.equal(made.exporter.type, "otlp_grpc");
  });

  it("is used without detection if it is configured", async () => {
    await using sink = await OtlpSink.start("http");
    await using made = await Exporting.to(sink.endpoint, { signals: ["traces"] });
    await made.spans(10, 1500);
    assert.deepEqual(made.came(), { queued: 10 });
    assert.equal(made.lines.length, 1);
    assert.match(made.reasons[0]!, /is an HTTP server, but OTLP\/gRPC was expected; set type: otlp_http/);
  });
});
