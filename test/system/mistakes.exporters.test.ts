// Mistakes with endpoints, tokens, and what answers there.

import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import {
  answering,
  describeMistakes,
  folder,
  grpcAnswering,
  said,
  secured,
  serve,
  sink,
  unused,
} from "../support/mistakes.ts";

describeMistakes("exporters", {
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
  "no scheme before an HTTP endpoint": async () => ({
    settings: 'type: otlp_http, endpoint: "collector:4318"',
    code: 2,
    says: 'wirespan.yaml:1: exporters.b.endpoint: expected a URL such as http://localhost:4318, got "collector:4318"',
  }),
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
});
