// Certificates, authorities and tokens that are renewed in place while the exporter runs.
import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Certificates, hasOpenssl } from "../../../test/support/certificates.ts";
import { Exporting, until } from "../../../test/support/exporting.ts";
import { OtlpSink, type SinkTls } from "../../../test/support/otlp-sink.ts";
import { skip } from "../../../test/support/skip.ts";

describe("credentials of an exporter", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);
  const tls = { ca: "", cert: "", key: "" };

  before(function () {
    if (!hasOpenssl()) skip(this, "needs openssl");
    folder = mkdtempSync(join(tmpdir(), "wirespan-renewal-"));
    const made = new Certificates(folder);
    for (const which of ["old", "new"]) {
      made.authority(which);
      made.leaf(`server-${which}`, which);
      made.leaf(`client-${which}`, which);
    }
    Object.assign(tls, { ca: file("now/ca.pem"), cert: file("now/client.pem"), key: file("now/client.key") });
  });

  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  /** As in Kubernetes: a folder of the new files, and a symbolic link that is swapped. */
  function install(which: "old" | "new"): void {
    const next = file(`${which}-${Math.random()}`);
    mkdirSync(next);
    copyFileSync(file(`${which}.pem`), join(next, "ca.pem"));
    copyFileSync(file(`client-${which}.pem`), join(next, "client.pem"));
    copyFileSync(file(`client-${which}.key`), join(next, "client.key"));
    symlinkSync(next, file("swap"));
    renameSync(file("swap"), file("now"));
  }

  const server = (which: "old" | "new"): SinkTls => ({
    ca: readFileSync(file(`${which}.pem`)),
    cert: readFileSync(file(`server-${which}.pem`)),
    key: readFileSync(file(`server-${which}.key`)),
  });

  for (const type of ["otlp_grpc", "otlp_http"] as const) {
    for (const path of ["lean", "sdk"] as const) {
      const way = `${type}, ${path}`;

      it(`are the new certificate and authority once the files are replaced (${way})`, async () => {
        install("old");
        await using sink = await OtlpSink.start(type === "otlp_grpc" ? "grpc" : "http", server("old"));
        const endpoint = sink.endpoint.replace("127.0.0.1", "localhost");
        await using made = await Exporting.to(endpoint, { type, path, tls, signals: ["traces"] });
        await made.spans(5);
        assert.deepEqual(made.came(), { acknowledged: 5 }, JSON.stringify(made.lines));
        await sink.stop();
        install("new");
        await sink.start(server("new"));
        await made.spans(5, 10_000);
        assert.deepEqual(made.came(), { acknowledged: 10 }, JSON.stringify(made.lines));
      });

      it(`are the current token of a file (${way})`, async () => {
        writeFileSync(file("token"), "Bearer first\n");
        await using sink = await OtlpSink.start(type === "otlp_grpc" ? "grpc" : "http");
        const headerFiles = { authorization: file("token") };
        await using made = await Exporting.to(sink.endpoint, {
          type,
          path,
          headerFiles,
          signals: ["traces"],
        });
        await made.spans(1);
        writeFileSync(file("token"), "Bearer second\n");
        assert.deepEqual(await made.fanout.refresh(), ["exporters.backend.headers: changed files reloaded"]);
        await made.spans(1);
        assert.deepEqual(
          sink.received.map(({ headers }) => headers.authorization),
          ["Bearer first", "Bearer second"],
        );
        rmSync(file("token"));
        assert.deepEqual(await made.fanout.refresh(), []);
        await made.spans(1);
        assert.equal(
          sink.received.at(-1)!.headers.authorization,
          "Bearer second",
          "the last one that there was",
        );
        assert.deepEqual(made.came(), { acknowledged: 3 });
      });
    }

    it(`are reloaded at once if the previous token is rejected (${type})`, async () => {
      writeFileSync(file("token"), "first");
      await using sink = await OtlpSink.start(type === "otlp_grpc" ? "grpc" : "http");
      const headerFiles = { "x-token": file("token") };
      await using made = await Exporting.to(sink.endpoint, { type, headerFiles, signals: ["traces"] });
      await made.spans(1);
      sink.answer = () => {
        writeFileSync(file("token"), "the second");
        sink.answer = { kind: "ok" };
        return { kind: "fail", code: type === "otlp_grpc" ? 16 : 401, message: "expired" };
      };
      await made.spans(5);
      assert.deepEqual(made.came(), { acknowledged: 6 });
      assert.equal(sink.received.at(-1)!.headers["x-token"], "the second");
    });
  }

  it("stay the same during an incomplete renewal, and one line reports it if that lasts", async () => {
    install("old");
    await using sink = await OtlpSink.start("grpc", server("old"));
    const endpoint = sink.endpoint.replace("127.0.0.1", "localhost");
    await using made = await Exporting.to(endpoint, { tls, signals: ["traces"] });
    await made.spans(1);
    copyFileSync(file("client-new.key"), file("now/client.key"));
    await made.fanout.refresh();
    assert.equal(made.lines.length, 0);
    for (let i = 0; i < 3; i++) await made.fanout.refresh();
    assert.equal(made.lines.length, 1);
    assert.match(
      made.lines[0]!.message,
      /the key in .*client\.key does not match the certificate.*the previous files stay in use$/,
    );
    await sink.stop();
    await sink.start();
    await made.spans(1);
    assert.deepEqual(made.came(), { acknowledged: 2 });
    await until(() => made.exporter.queue.bytes === 0);
  });
});
