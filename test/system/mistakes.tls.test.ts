// Mistakes with TLS and certificates of exporters.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeMistakes, folder, pem, said, secured, sink } from "../support/mistakes.ts";

describeMistakes("TLS", {
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
});
