// Common mistakes about exporters: each has one message that says what, where and how to fix it, and an exit code.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Certificates, hasOpenssl } from "./certificates.ts";
import { environment } from "./environment.ts";
import { OtlpSink } from "./otlp-sink.ts";
import { skip } from "./skip.ts";

const MAIN = join(import.meta.dirname, "../../cli/main.ts");

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The result of `wirespan exporters test` with a backend named `b` with these settings (YAML). */
function tryBackend(settings: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const config = join(folder, "wirespan.yaml");
  writeFileSync(config, `exporters: { b: { signals: [traces], ${settings} } }\n`);
  return new Promise((resolve) => {
    const words = [MAIN, "exporters", "test", "--config", config];
    const all = { ...environment, ...env };
    execFile(process.execPath, words, { env: all }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

/** Where the certificates are; empty until the tests run. */
export let folder = "";
const open: (() => unknown)[] = [];

/** The port of a server that is closed at the end of the test. */
export async function serve(server: Server | http.Server | http2.Http2Server): Promise<number> {
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** An HTTP server that gives this answer to everything. */
export const answering = (code: number, headers: Record<string, string> = {}, body = ""): Promise<number> =>
  serve(
    http.createServer((request, response) => {
      request.resume().on("end", () => response.writeHead(code, headers).end(body));
    }),
  );

/** A gRPC server that gives this answer to every call. */
export const grpcAnswering = (headers: http2.OutgoingHttpHeaders): Promise<number> => {
  const server = http2.createServer();
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { endStream: true });
  });
  return serve(server);
};

/** A working backend. */
export async function sink(protocol: "grpc" | "http"): Promise<number> {
  const started = await OtlpSink.start(protocol);
  open.push(() => started.stop());
  return Number(new URL(started.endpoint).port);
}

export const pem = (name: string): Buffer => readFileSync(join(folder, name));

/** An HTTPS server with a certificate of that name. */
export const secured = (name: string, more: https.ServerOptions = {}): Promise<number> =>
  serve(
    https.createServer({ cert: pem(`${name}.pem`), key: pem(`${name}.key`), ...more }, (_, r) => r.end()),
  );

/** A port on which nothing listens. */
export async function unused(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A proxy that answers CONNECT with this status. */
export function proxy(status: string): Promise<number> {
  const server = http.createServer((_, response) => response.writeHead(Number(status.slice(0, 3))).end());
  server.on("connect", (_, socket) => socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`));
  return serve(server);
}

export interface Mistake {
  readonly settings: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly code: number;
  /** The whole message. */
  readonly says: string | RegExp;
}

/** The text of a result's row after its name. */
export const said = (endpoint: string, what: string): string => `  traces to ${endpoint}: ${what}`;

/** Tests the message for each mistake. */
export function describeMistakes(
  about: string,
  mistakes: Readonly<Record<string, () => Promise<Mistake>>>,
): void {
  describe(`mistakes about ${about}`, () => {
    before(function () {
      if (!hasOpenssl()) skip(this, "needs openssl");
      folder = mkdtempSync(join(tmpdir(), "wirespan-mistakes-"));
      const made = new Certificates(folder);
      made.authority("ca");
      made.leaf("server", "ca");
      made.leaf("elsewhere", "ca", "DNS:collector.example");
      made.expired("expired", "ca");
      made.lock("server");
    });

    afterEach(async () => {
      for (const close of open.splice(0)) await close();
    });

    after(() => {
      if (folder !== "") rmSync(folder, { recursive: true });
    });

    for (const [what, make] of Object.entries(mistakes)) {
      it(what, async () => {
        const { settings, env, code, says } = await make();
        const ran = await tryBackend(settings, env);
        const lines = `${ran.out}${ran.err}`
          .replaceAll(`${folder}/wirespan.yaml`, "wirespan.yaml")
          .split("\n");
        const found = lines.some((line) => (typeof says === "string" ? line === says : says.test(line)));
        assert.ok(found, `expected: ${says}\ngot:\n${lines.join("\n")}`);
        assert.equal(ran.code, code, lines.join("\n"));
        // No line from OpenSSL or Node, and no secret.
        for (const line of lines) assert.doesNotMatch(line, /Warning|error:[0-9A-F]{8}|s3cret|user:secret/);
      });
    }
  });
}
