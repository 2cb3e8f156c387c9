import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Certificates, hasOpenssl } from "../../../test/support/certificates.ts";
import { createExporters } from "../../../test/support/create-exporters.ts";
import { OtlpSink } from "../../../test/support/otlp-sink.ts";
import { skip } from "../../../test/support/skip.ts";
import { connectionSpan } from "../../../test/support/telemetry.ts";
import type { TlsConfig } from "../../config.ts";

describe("OTLP over TLS", () => {
  let directory = "";
  const file = (name: string): string => join(directory, name);

  before(function () {
    if (!hasOpenssl()) skip(this, "needs openssl");
    directory = mkdtempSync(join(tmpdir(), "wirespan-tls-"));
    const made = new Certificates(directory);
    for (const ca of ["ca", "stranger-ca"]) made.authority(ca);
    for (const name of ["server", "client"]) made.leaf(name, "ca");
    made.leaf("stranger", "stranger-ca");
  });

  after(() => {
    if (directory !== "") rmSync(directory, { recursive: true });
  });

  async function exporting(sink: OtlpSink, tls: TlsConfig, endpoint: string, path: "lean" | "sdk" = "lean") {
    const reasons: unknown[] = [];
    const note = (fields: object): void => {
      reasons.push((fields as { reason?: unknown }).reason);
    };
    const log = { error: note, warn: note, info: () => {}, debug: () => {} };
    const common = {
      headers: {},
      compression: "gzip",
      timeoutMs: 2000,
      queueBytes: 1 << 20,
      signals: ["traces"],
    } as const;
    const type = sink.protocol === "grpc" ? "otlp_grpc" : "otlp_http";
    const fanout = await createExporters({ secure: { type, path, endpoint, tls, ...common } }, log);
    fanout.span(connectionSpan(1));
    await fanout.flush(1500);
    const { acknowledged } = fanout.exporters[0]!.counts("span");
    await fanout.shutdown(0);
    return { acknowledged, reasons };
  }

  for (const protocol of ["grpc", "http"] as const) {
    const serve = (): Promise<OtlpSink> => {
      const [ca, cert, key] = ["ca.pem", "server.pem", "server.key"].map((name) => readFileSync(file(name)));
      return OtlpSink.start(protocol, { ca: ca!, cert: cert!, key: key! });
    };

    for (const path of ["lean", "sdk"] as const) {
      const by = path === "sdk" ? ", by the SDK," : "";
      it(`delivers over ${protocol}${by} with a client certificate`, async () => {
        await using sink = await serve();
        const tls = { ca: file("ca.pem"), cert: file("client.pem"), key: file("client.key") };
        const { acknowledged, reasons } = await exporting(sink, tls, sink.endpoint, path);
        assert.equal(acknowledged, 1, `${reasons}`);
        assert.equal(sink.spans.length, 1);
      });

      it(`logs why over ${protocol}${by} if the backend's authority is unknown`, async () => {
        await using sink = await serve();
        const tls = { ca: file("stranger-ca.pem"), cert: file("client.pem"), key: file("client.key") };
        const { acknowledged, reasons } = await exporting(sink, tls, sink.endpoint, path);
        assert.equal(acknowledged, 0);
        assert.match(String(reasons[0]), /certificate|signature/i);
      });

      it(`delivers nothing over ${protocol}${by} with a foreign certificate, or none`, async () => {
        await using sink = await serve();
        const stranger = { ca: file("ca.pem"), cert: file("stranger.pem"), key: file("stranger.key") };
        for (const tls of [stranger, { ca: file("ca.pem") }]) {
          const { acknowledged, reasons } = await exporting(sink, tls, sink.endpoint, path);
          assert.equal(acknowledged, 0);
          assert.equal(typeof reasons[0], "string");
        }
        assert.equal(sink.attempts, 0);
      });
    }
  }

  it("treats a gRPC endpoint without a scheme as TLS", async () => {
    await using sink = await OtlpSink.start("grpc", {
      ca: readFileSync(file("ca.pem")),
      cert: readFileSync(file("server.pem")),
      key: readFileSync(file("server.key")),
    });
    const tls = { ca: file("ca.pem"), cert: file("client.pem"), key: file("client.key") };
    const endpoint = sink.endpoint.replace("https://127.0.0.1", "localhost");
    const { acknowledged, reasons } = await exporting(sink, tls, endpoint);
    assert.equal(acknowledged, 1, `${reasons}`);
  });

  it("treats a gRPC endpoint without a scheme as plaintext with `insecure`", async () => {
    await using sink = await OtlpSink.start("grpc");
    const { acknowledged, reasons } = await exporting(
      sink,
      { insecure: true },
      sink.endpoint.replace("http://", ""),
    );
    assert.equal(acknowledged, 1, `${reasons}`);
  });
});
