// Explains an error in one sentence: what happened, what was expected, and how to fix it.
import type { Target } from "./endpoint.ts";
import { oneLine } from "./one-line.ts";
import { ProxyError } from "./socket.ts";

export interface Peer {
  readonly exporter: string;
  readonly target: Target;
  readonly protocol: "grpc" | "http";
}

type NodeError = Error & NodeJS.ErrnoException & { readonly reason?: string; readonly host?: string };

const setting = ({ exporter }: Peer, key: string): string => `exporters.${exporter}.${key}`;

const hostPort = ({ target }: Peer): string =>
  target.path ?? `${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}`;

const PORTS = { grpc: "4317", http: "4318" } as const;
const NAMES = { grpc: "OTLP/gRPC", http: "OTLP/HTTP" } as const;

/** Why there is no connection, or why one broke. */
export function connectionTrouble(error: unknown, peer: Peer): string {
  const wrong = innermost(error as NodeError);
  const { target, protocol } = peer;
  const at = hostPort(peer);
  if (wrong instanceof ProxyError) return proxyTrouble(wrong, peer);
  switch (wrong.code) {
    case "PROXY":
      return `${oneLine(wrong.message)}; start it, or bypass it with NO_PROXY=${target.host}`;
    case "ECONNREFUSED":
      return `nothing is listening at ${at}; expected an ${NAMES[protocol]} receiver, usually at port ${PORTS[protocol]}: start it, or correct ${setting(peer, "endpoint")}`;
    case "ENOTFOUND":
      return `host ${target.host} not found; correct ${setting(peer, "endpoint")}, or this host's name resolution`;
    case "EAI_AGAIN":
      return `no name server answered for ${target.host}; fix this host's name resolution, or use an address in ${setting(peer, "endpoint")}`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `no route to ${at} from this host (${wrong.code}); fix the route, or correct ${setting(peer, "endpoint")}`;
    case "ENOENT":
    case "EACCES":
      return `cannot open the socket ${at} (${wrong.code}); correct ${setting(peer, "endpoint")}`;
    default:
      return tlsTrouble(wrong, peer) ?? other(wrong, peer);
  }
}

/** Happy eyeballs wrap one error per address in another. */
function innermost(error: NodeError): NodeError {
  const { errors } = error as { errors?: readonly NodeError[] };
  return errors?.[0] ?? error;
}

function other(wrong: NodeError, peer: Peer): string {
  const at = hostPort(peer);
  if (wrong.code === "ECONNRESET" || /socket hang up|ECONNRESET/.test(wrong.message)) {
    return `${at} closed the connection (ECONNRESET)`;
  }
  return oneLine(wrong.message || String(wrong));
}

function proxyTrouble({ status, message }: ProxyError, { target }: Peer): string {
  const said = oneLine(message);
  if (status === 407) {
    return `${said}; it requires a user and password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT (HTTP_PROXY for an http:// endpoint)`;
  }
  return `${said}; allow ${target.host}:${target.port} there, or bypass the proxy with NO_PROXY=${target.host}`;
}

const UNTRUSTED: ReadonlySet<string | undefined> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
]);

function tlsTrouble(wrong: NodeError, peer: Peer): string | undefined {
  const { code = "", message } = wrong;
  const at = hostPort(peer);
  if (UNTRUSTED.has(code)) {
    return `the certificate of ${at} is signed by an authority that this host does not trust (${code}); set ${setting(peer, "tls.ca")} to the authority's PEM file, or add it to this host's trust store`;
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    const when = code === "CERT_HAS_EXPIRED" ? "has expired" : "is not valid yet";
    return `the certificate of ${at} ${when}; renew it, or correct this host's clock`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const names = oneLine(wrong.reason ?? message, 150);
    return `the certificate of ${at} is for other names (${names}); use one of them in ${setting(peer, "endpoint")}`;
  }
  if (
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|RECORD_LAYER|UNEXPECTED_MESSAGE/.test(
      `${code} ${message}`,
    )
  ) {
    return notTls(peer);
  }
  if (
    /CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|CERTIFICATE_UNKNOWN/i.test(
      `${code} ${message.replaceAll(" ", "_")}`,
    )
  ) {
    return `${at} rejects this agent's certificate, or requires one (${short(wrong)}); check ${setting(peer, "tls.cert")} and tls.key`;
  }
  if (/NO_APPLICATION_PROTOCOL/i.test(`${code} ${message.replaceAll(" ", "_")}`)) {
    return `${at} does not offer HTTP/2, which gRPC requires; set type: otlp_http (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf), or use the port of its ${NAMES.grpc} receiver`;
  }
  return /^ERR_SSL|^ERR_OSSL|EPROTO/.test(code)
    ? `the TLS handshake with ${at} failed (${short(wrong)}); check ${setting(peer, "tls")}`
    : undefined;
}

/** `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA` as `tlsv1 alert unknown ca`. */
function short({ code = "", message }: NodeError): string {
  const named = /^ERR_(?:OS)?SSL_(.*)/.exec(code)?.[1];
  return named?.toLowerCase().replaceAll("_", " ") ?? oneLine(message.split(":").at(-2) || code, 80);
}

/** A TLS handshake was sent to a server without TLS. */
function notTls(peer: Peer): string {
  const { target } = peer;
  const mend = `write http://${hostPort(peer)} in ${setting(peer, "endpoint")} (or set ${setting(peer, "tls.insecure")}: true if it has no scheme)`;
  return peer.protocol === "http"
    ? `${hostPort(peer)} does not use TLS, but ${target.url.protocol}// requires it; write http:// in ${setting(peer, "endpoint")}`
    : `${hostPort(peer)} does not use TLS, but TLS was expected; ${mend}`;
}

/** Plain text was sent to a server that requires TLS. */
export function wantsTls(peer: Peer): string {
  return `${hostPort(peer)} requires TLS, but http:// is plaintext; write https:// in ${setting(peer, "endpoint")}`;
}

/** gRPC was expected, and an HTTP server answered. */
export function notGrpc(peer: Peer, shown = ""): string {
  const said = shown === "" ? "" : ` (${shown})`;
  return `${hostPort(peer)} is an HTTP server${said}, but ${NAMES.grpc} was expected; set type: otlp_http (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf), or use the port of its gRPC receiver, usually ${PORTS.grpc}`;
}

/** HTTP/1.1 was expected, and a gRPC server answered. */
export function notHttp(peer: Peer): string {
  return `${hostPort(peer)} is a gRPC server, but ${NAMES.http} was expected; set type: otlp_grpc (OTEL_EXPORTER_OTLP_PROTOCOL=grpc), or use the port of its HTTP receiver, usually ${PORTS.http}`;
}

/** It accepted the connection but sent nothing. */
export function noResponse(peer: Peer): string {
  return `${hostPort(peer)} accepted the connection but sent nothing; expected an ${NAMES[peer.protocol]} receiver: check whether it is stuck, or correct ${setting(peer, "endpoint")}`;
}

/** What to do about a response that is not OTLP. */
export function wrongServerHint(peer: Peer): string {
  return `; correct ${setting(peer, "endpoint")}, or check what answers there`;
}

/** What an HTTP status means for the configuration; empty if it needs no explanation. */
export function statusHint(code: number, peer: Peer): string {
  const { target } = peer;
  const path = target.url.pathname;
  switch (code) {
    case 301:
    case 302:
    case 307:
    case 308:
      return `; redirects are not followed: use the new location in ${setting(peer, "endpoint")}`;
    case 401:
    case 403:
      return `; check ${setting(peer, "headers")} (a token, an API key) or the user and password in the endpoint`;
    case 404:
    case 405:
      return /(\/v1\/\w+)\/v1\/\w+$/.test(path)
        ? `; ${setting(peer, "endpoint")} is the base URL, and ${path.match(/\/v1\/\w+$/)?.[0]} is appended to it: remove that`
        : `; expected an ${NAMES.http} receiver at the path ${path}: correct ${setting(peer, "endpoint")}`;
    case 407:
      return "; the proxy requires a user and password: HTTP_PROXY=http://USER:PASSWORD@HOST:PORT";
    default:
      return "";
  }
}
