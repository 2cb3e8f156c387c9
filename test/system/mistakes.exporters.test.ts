// Common mistakes about endpoints, TLS, tokens and proxies: each has one message that says what, where and how to fix
// it, and an exit code.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Certificates, hasOpenssl } from "../support/certificates.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { skip } from "../support/skip.ts";

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
    const all = { PATH: process.env.PATH, ...env };
    execFile(process.execPath, words, { env: all }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

let folder = "";
const open: (() => unknown)[] = [];

/** The port of a server that is closed with the test. */
async function serve(server: Server | http.Server | http2.Http2Server): Promise<number> {
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

const answering = (code: number, headers: Record<string, string> = {}, body = ""): Promise<number> =>
  serve(
    http.createServer((request, response) => {
      request.resume().on("end", () => response.writeHead(code, headers).end(body));
    }),
  );

const grpcAnswering = (headers: http2.OutgoingHttpHeaders): Promise<number> => {
  const server = http2.createServer();
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { endStream: true });
  });
  return serve(server);
};

async function sink(protocol: "grpc" | "http"): Promise<number> {
  const started = await OtlpSink.start(protocol);
  open.push(() => started.stop());
  return Number(new URL(started.endpoint).port);
}

const pem = (name: string): Buffer => readFileSync(join(folder, name));

/** An HTTPS server with a certificate of that name. */
const secured = (name: string, more: https.ServerOptions = {}): Promise<number> =>
  serve(
    https.createServer({ cert: pem(`${name}.pem`), key: pem(`${name}.key`), ...more }, (_, r) => r.end()),
  );

async function unused(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A proxy that answers CONNECT with this status. */
function proxy(status: string): Promise<number> {
  const server = http.createServer((_, response) => response.writeHead(Number(status.slice(0, 3))).end());
  server.on("connect", (_, socket) => socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`));
  return serve(server);
}

interface Mistake {
  readonly settings: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly code: number;
  /** The whole message. */
  readonly says: string | RegExp;
}

/** What the row of a result says behind its name. */
const said = (endpoint: string, what: string): string => `  traces to ${endpoint}: ${what}`;

const mistakes: Readonly<Record<string, () => Promise<Mistake>>> = {
  "nothing listens": async () => {
    const at = `127.0.0.1:${await unused()}`;
    return {
      settings: `type: otlp_grpc, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}`,
        `not accepted: nothing is listening at ${at}; expected an OTLP/gRPC receiver, usually at port 4317: start it, or correct exporters.b.endpoint`,
      ),
    };
  },
  "a host that nobody knows": async () => ({
    settings: 'type: otlp_http, endpoint: "http://collector.invalid:4318"',
    code: 7,
    // A machine without a name server reports the second.
    says: /^ {2}traces to http:\/\/collector\.invalid:4318\/v1\/traces: not accepted: (host collector\.invalid not found; correct exporters\.b\.endpoint, or this host's name resolution|no name server answered for collector\.invalid; fix this host's name resolution, or use an address in exporters\.b\.endpoint)$/,
  }),
  "no scheme before a plain gRPC server": async () => {
    const at = `localhost:${await sink("grpc")}`;
    return {
      settings: `type: otlp_grpc, endpoint: "${at}"`,
      code: 7,
      says: said(
        `https://${at}`,
        `not accepted: ${at} does not use TLS, but TLS was expected; write http://${at} in exporters.b.endpoint (or set exporters.b.tls.insecure: true if it has no scheme)`,
      ),
    };
  },
  "no scheme before an HTTP endpoint": async () => ({
    settings: 'type: otlp_http, endpoint: "collector:4318"',
    code: 2,
    says: 'wirespan.yaml:1: exporters.b.endpoint: expected a URL such as http://localhost:4318, got "collector:4318"',
  }),
  "https to a plain HTTP server": async () => {
    const at = `127.0.0.1:${await sink("http")}`;
    return {
      settings: `type: otlp_http, endpoint: "https://${at}"`,
      code: 7,
      says: said(
        `https://${at}/v1/traces`,
        `not accepted: ${at} does not use TLS, but https:// requires it; write http:// in exporters.b.endpoint`,
      ),
    };
  },
  "http to a server that wants TLS": async () => {
    const at = `127.0.0.1:${await secured("server")}`;
    return {
      settings: `type: otlp_http, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}/v1/traces`,
        `not accepted: ${at} requires TLS, but http:// is plaintext; write https:// in exporters.b.endpoint`,
      ),
    };
  },
  "plain gRPC to a server that wants TLS": async () => {
    const at = `127.0.0.1:${await secured("server")}`;
    return {
      settings: `type: otlp_grpc, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}`,
        `not accepted: ${at} requires TLS, but http:// is plaintext; write https:// in exporters.b.endpoint`,
      ),
    };
  },
  "gRPC to an HTTP server": async () => {
    const at = `127.0.0.1:${await sink("http")}`;
    return {
      settings: `type: otlp_grpc, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}`,
        `not accepted: ${at} is an HTTP server, but OTLP/gRPC was expected; set type: otlp_http (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf), or use the port of its gRPC receiver, usually 4317`,
      ),
    };
  },
  "gRPC to an HTTPS server": async () => {
    const at = `localhost:${await secured("server")}`;
    return {
      settings: `type: otlp_grpc, endpoint: "https://${at}", tls: { ca: ${folder}/ca.pem }`,
      code: 7,
      says: said(
        `https://${at}`,
        `not accepted: ${at} is an HTTP server, but OTLP/gRPC was expected; set type: otlp_http (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf), or use the port of its gRPC receiver, usually 4317`,
      ),
    };
  },
  "HTTP to a gRPC server": async () => {
    const at = `127.0.0.1:${await sink("grpc")}`;
    return {
      settings: `type: otlp_http, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}/v1/traces`,
        `not accepted: ${at} is a gRPC server, but OTLP/HTTP was expected; set type: otlp_grpc (OTEL_EXPORTER_OTLP_PROTOCOL=grpc), or use the port of its HTTP receiver, usually 4318`,
      ),
    };
  },
  "a server that says nothing": async () => {
    const at = `127.0.0.1:${await serve(createServer((socket) => socket.resume()))}`;
    return {
      settings: `type: otlp_grpc, timeout: 1500ms, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}`,
        `not accepted: ${at} accepted the connection but sent nothing; expected an OTLP/gRPC receiver: check whether it is stuck, or correct exporters.b.endpoint`,
      ),
    };
  },
  "a path that is none": async () => {
    const at = `127.0.0.1:${await answering(404)}`;
    return {
      settings: `type: otlp_http, endpoint: "http://${at}/otpl"`,
      code: 7,
      says: said(
        `http://${at}/otpl/v1/traces`,
        "rejected: HTTP 404; expected an OTLP/HTTP receiver at the path /otpl/v1/traces: correct exporters.b.endpoint",
      ),
    };
  },
  "a signal's path in the base URL": async () => {
    const at = `127.0.0.1:${await answering(404)}`;
    return {
      settings: `type: otlp_http, endpoint: "http://${at}/v1/traces"`,
      code: 7,
      says: said(
        `http://${at}/v1/traces/v1/traces`,
        "rejected: HTTP 404; exporters.b.endpoint is the base URL, and /v1/traces is appended to it: remove that",
      ),
    };
  },
  "a login page": async () => {
    const page = "<!doctype html><html><title>Sign in</title><form></form></html>";
    const at = `127.0.0.1:${await answering(200, { "content-type": "text/html" }, page)}`;
    return {
      settings: `type: otlp_http, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}/v1/traces`,
        'not confirmed: expected an OTLP/HTTP response, got an HTML page "Sign in" (HTTP 200); correct exporters.b.endpoint, or check what answers there',
      ),
    };
  },
  "a redirection": async () => {
    const at = `127.0.0.1:${await answering(301, { location: "https://new.example/v1/traces?key=secret" })}`;
    return {
      settings: `type: otlp_http, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}/v1/traces`,
        "rejected: HTTP 301 to https://new.example/v1/traces?…; redirects are not followed: use the new location in exporters.b.endpoint",
      ),
    };
  },
  "no token over HTTP": async () => {
    const at = `127.0.0.1:${await answering(401, {}, "no token")}`;
    return {
      settings: `type: otlp_http, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}/v1/traces`,
        "rejected: HTTP 401: no token; check exporters.b.headers (a token, an API key) or the user and password in the endpoint",
      ),
    };
  },
  "no token over gRPC": async () => {
    const at = `127.0.0.1:${await grpcAnswering({ "grpc-status": "16", "grpc-message": "no%20token" })}`;
    return {
      settings: `type: otlp_grpc, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}`,
        "rejected: UNAUTHENTICATED: no token; check exporters.b.headers (a token, an API key) or the user and password in the endpoint",
      ),
    };
  },
  "a gRPC server of something else": async () => {
    const at = `127.0.0.1:${await grpcAnswering({ "grpc-status": "12", "grpc-message": "unknown service" })}`;
    return {
      settings: `type: otlp_grpc, endpoint: "http://${at}"`,
      code: 7,
      says: said(
        `http://${at}`,
        "rejected: UNIMPLEMENTED: unknown service; expected an OTLP/gRPC receiver of traces: correct exporters.b.endpoint, or remove traces from its signals",
      ),
    };
  },
  "an authority that is not trusted": async () => {
    const at = `localhost:${await secured("server")}`;
    return {
      settings: `type: otlp_http, endpoint: "https://${at}"`,
      code: 7,
      says: said(
        `https://${at}/v1/traces`,
        `not accepted: the certificate of ${at} is signed by an authority that this host does not trust (UNABLE_TO_VERIFY_LEAF_SIGNATURE); set exporters.b.tls.ca to the authority's PEM file, or add it to this host's trust store`,
      ),
    };
  },
  "a certificate of another name": async () => {
    const at = `localhost:${await secured("elsewhere")}`;
    return {
      settings: `type: otlp_http, endpoint: "https://${at}", tls: { ca: ${folder}/ca.pem }`,
      code: 7,
      says: said(
        `https://${at}/v1/traces`,
        `not accepted: the certificate of ${at} is for other names (Host: localhost. is not in the cert's altnames: DNS:collector.example); use one of them in exporters.b.endpoint`,
      ),
    };
  },
  "a certificate that has expired": async () => {
    const at = `localhost:${await secured("expired")}`;
    return {
      settings: `type: otlp_http, endpoint: "https://${at}", tls: { ca: ${folder}/ca.pem }`,
      code: 7,
      says: said(
        `https://${at}/v1/traces`,
        `not accepted: the certificate of ${at} has expired; renew it, or correct this host's clock`,
      ),
    };
  },
  "no client certificate where one is wanted": async () => {
    const at = `localhost:${await secured("server", { requestCert: true, ca: pem("ca.pem") })}`;
    return {
      settings: `type: otlp_http, endpoint: "https://${at}", tls: { ca: ${folder}/ca.pem }`,
      code: 7,
      says: said(
        `https://${at}/v1/traces`,
        `not accepted: ${at} rejects this agent's certificate, or requires one (tlsv13 alert certificate required); check exporters.b.tls.cert and tls.key`,
      ),
    };
  },
  "a certificate without its key": async () => ({
    settings: `type: otlp_grpc, tls: { cert: ${folder}/server.pem }`,
    code: 2,
    says: "wirespan: exporters.b.tls: a client certificate needs both cert and key",
  }),
  "the key of another certificate": async () => ({
    settings: `type: otlp_grpc, tls: { cert: ${folder}/server.pem, key: ${folder}/elsewhere.key }`,
    code: 2,
    says: `wirespan: exporters.b.tls: the key in ${folder}/elsewhere.key does not match the certificate in ${folder}/server.pem`,
  }),
  "a key behind a passphrase": async () => ({
    settings: `type: otlp_http, tls: { cert: ${folder}/server.pem, key: ${folder}/server.locked }`,
    code: 2,
    says: `wirespan: exporters.b.tls.key: ${folder}/server.locked is encrypted; use a key without a passphrase`,
  }),
  "an authority's file that is not there": async () => ({
    settings: `type: otlp_http, tls: { ca: ${folder}/none.pem }`,
    code: 2,
    says: `wirespan.yaml:1: exporters.b.tls.ca: expected the path of a readable file, got "${folder}/none.pem"`,
  }),
  "an authority's file that is no PEM": async () => {
    writeFileSync(join(folder, "text.pem"), "hello\n");
    return {
      settings: `type: otlp_http, tls: { ca: ${folder}/text.pem }`,
      code: 2,
      says: `wirespan: exporters.b.tls.ca: ${folder}/text.pem contains no PEM certificate`,
    };
  },
  "a proxy that does not answer": async () => {
    const at = `127.0.0.1:${await unused()}`;
    return {
      settings: 'type: otlp_http, endpoint: "https://collector.example"',
      env: { HTTPS_PROXY: `http://user:secret@${at}` },
      code: 7,
      says: said(
        "https://collector.example/v1/traces",
        `not accepted: the proxy http://${at} (HTTPS_PROXY) does not answer: connect ECONNREFUSED ${at}; start it, or bypass it with NO_PROXY=collector.example`,
      ),
    };
  },
  "a proxy that wants a password": async () => {
    const at = `127.0.0.1:${await proxy("407 Proxy Authentication Required")}`;
    return {
      settings: 'type: otlp_grpc, endpoint: "https://collector.example:4317"',
      env: { https_proxy: at },
      code: 7,
      says: said(
        "https://collector.example:4317",
        `not accepted: the proxy http://${at} answered CONNECT with 407 Proxy Authentication Required; it requires a user and password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT (HTTP_PROXY for an http:// endpoint)`,
      ),
    };
  },
  "a proxy that lets nobody through": async () => {
    const at = `127.0.0.1:${await proxy("403 Forbidden")}`;
    return {
      settings: 'type: otlp_grpc, endpoint: "http://collector.example:4317"',
      env: { HTTP_PROXY: `http://${at}` },
      code: 7,
      says: said(
        "http://collector.example:4317",
        `not accepted: the proxy http://${at} answered CONNECT with 403 Forbidden; allow collector.example:4317 there, or bypass the proxy with NO_PROXY=collector.example`,
      ),
    };
  },
  "a proxy that is not of HTTP": async () => ({
    settings: 'type: otlp_http, endpoint: "https://collector.example"',
    env: { HTTPS_PROXY: "socks5://user:secret@proxy:1080" },
    code: 2,
    says: 'wirespan: HTTPS_PROXY: "socks5://proxy:1080" is not an HTTP proxy such as http://proxy.example:3128; NO_PROXY=collector.example bypasses it',
  }),
  "a token's file that is not there": async () => ({
    settings: `type: otlp_http, headers: { authorization: "file:${folder}/token" }`,
    code: 2,
    says: `wirespan.yaml:1: exporters.b.headers: cannot read the file ${folder}/token: there is no such file`,
  }),
  "a token of two lines": async () => {
    writeFileSync(join(folder, "lines"), "Bearer s3cret\nmore\n");
    return {
      settings: `type: otlp_grpc, headers: { authorization: "file:${folder}/lines" }`,
      code: 2,
      says: 'wirespan: exporters.b.headers: "authorization" is not valid gRPC metadata: its value is not printable ASCII',
    };
  },
  "a token in the query of a gRPC endpoint": async () => ({
    settings: 'type: otlp_grpc, endpoint: "http://collector:4317/?token=s3cret"',
    code: 2,
    says: 'wirespan: exporters.b.endpoint: a gRPC endpoint cannot have a query, but "http://collector:4317/?…" has one; put tokens under exporters.b.headers',
  }),
  "no backend at all": async () => ({
    settings: "type: console",
    code: 2,
    says: "wirespan: No backend is configured: add one under exporters: in the file given with --config, or set OTEL_EXPORTER_OTLP_ENDPOINT.",
  }),
};

describe("mistakes about exporters", () => {
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
      const lines = `${ran.out}${ran.err}`.replaceAll(`${folder}/wirespan.yaml`, "wirespan.yaml").split("\n");
      const found = lines.some((line) => (typeof says === "string" ? line === says : says.test(line)));
      assert.ok(found, `expected: ${says}\ngot:\n${lines.join("\n")}`);
      assert.equal(ran.code, code, lines.join("\n"));
      // No line from OpenSSL or Node, and no secret.
      for (const line of lines) assert.doesNotMatch(line, /Warning|error:[0-9A-F]{8}|s3cret|user:secret/);
    });
  }
});
