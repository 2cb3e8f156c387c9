// From an error to one sentence for people: what happened, what was expected, and how to mend it.
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
      return `${oneLine(wrong.message)}; start it, or leave ${target.host} out of it with NO_PROXY=${target.host}`;
    case "ECONNREFUSED":
      return `nothing listens at ${at}; an ${NAMES[protocol]} receiver was expected, whose usual port is ${PORTS[protocol]}: start it, or correct ${setting(peer, "endpoint")}`;
    case "ENOTFOUND":
      return `no host is called ${target.host}; correct ${setting(peer, "endpoint")}, or this host's name resolution`;
    case "EAI_AGAIN":
      return `no name server answers for ${target.host}; mend this host's name resolution, or use an address in ${setting(peer, "endpoint")}`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `there is no route to ${at} from this host (${wrong.code}); mend the route, or correct ${setting(peer, "endpoint")}`;
    case "ENOENT":
    case "EACCES":
      return `the socket ${at} cannot be opened (${wrong.code}); correct ${setting(peer, "endpoint")}`;
    default:
      return tlsTrouble(wrong, peer) ?? other(wrong, peer);
  }
}

/** Happy eyeballs put one error for each address into another. */
function innermost(error: NodeError): NodeError {
  const { errors } = error as { errors?: readonly NodeError[] };
  return errors?.[0] ?? error;
}

function other(wrong: NodeError, peer: Peer): string {
  const at = hostPort(peer);
  if (wrong.code === "ECONNRESET" || /socket hang up|ECONNRESET/.test(wrong.message)) {
    return `${at} broke the connection off (ECONNRESET)`;
  }
  return oneLine(wrong.message || String(wrong));
}

function proxyTrouble({ status, message }: ProxyError, { target }: Peer): string {
  const said = oneLine(message);
  if (status === 407) {
    return `${said}; it wants a user and a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT (HTTP_PROXY for an http:// endpoint)`;
  }
  return `${said}; let it pass ${target.host}:${target.port}, or leave that out of it with NO_PROXY=${target.host}`;
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
    return `the certificate of ${at} is of an authority that is not trusted here (${code}); name the authority's PEM file in ${setting(peer, "tls.ca")}, or add it to this host's trust store`;
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    const when = code === "CERT_HAS_EXPIRED" ? "has expired" : "is not valid yet";
    return `the certificate of ${at} ${when}; renew it there, or set this host's clock`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const names = oneLine(wrong.reason ?? message, 150);
    return `the certificate of ${at} is for other names (${names}); use one of those in ${setting(peer, "endpoint")}`;
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
    return `${at} does not take this agent's certificate, or wants one (${short(wrong)}); ${setting(peer, "tls.cert")} and tls.key name the client's`;
  }
  if (/NO_APPLICATION_PROTOCOL/i.test(`${code} ${message.replaceAll(" ", "_")}`)) {
    return `${at} offers no HTTP/2, which gRPC goes over; write type: otlp_http (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf), or the port of its ${NAMES.grpc} receiver`;
  }
  return /^ERR_SSL|^ERR_OSSL|EPROTO/.test(code)
    ? `the TLS greeting with ${at} failed (${short(wrong)}); see ${setting(peer, "tls")}`
    : undefined;
}

/** `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA` as `tlsv1 alert unknown ca`. */
function short({ code = "", message }: NodeError): string {
  const named = /^ERR_(?:OS)?SSL_(.*)/.exec(code)?.[1];
  return named?.toLowerCase().replaceAll("_", " ") ?? oneLine(message.split(":").at(-2) || code, 80);
}

/** TLS was begun with something that does not know it. */
function notTls(peer: Peer): string {
  const { target } = peer;
  const mend = `write http://${hostPort(peer)} in ${setting(peer, "endpoint")} (or set ${setting(peer, "tls.insecure")}: true, if it has no scheme)`;
  return peer.protocol === "http"
    ? `${hostPort(peer)} answers without TLS, and ${target.url.protocol}// was asked for; write http:// in ${setting(peer, "endpoint")}`
    : `${hostPort(peer)} answers without TLS, and TLS was expected; ${mend}`;
}

/** Plain text was begun with something that wants TLS. */
export function wantsTls(peer: Peer): string {
  return `${hostPort(peer)} wants TLS, and http:// is plain; write https:// in ${setting(peer, "endpoint")}`;
}

/** gRPC was expected, and an HTTP server answered. */
export function notGrpc(peer: Peer, shown = ""): string {
  const said = shown === "" ? "" : ` (${shown})`;
  return `${hostPort(peer)} is an HTTP server${said}, and ${NAMES.grpc} was expected; write type: otlp_http (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf), or the port of its gRPC receiver, usually ${PORTS.grpc}`;
}

/** HTTP/1.1 was expected, and a gRPC server answered. */
export function notHttp(peer: Peer): string {
  return `${hostPort(peer)} is a gRPC server, and ${NAMES.http} was expected; write type: otlp_grpc (OTEL_EXPORTER_OTLP_PROTOCOL=grpc), or the port of its HTTP receiver, usually ${PORTS.http}`;
}

/** It took the connection and said nothing. */
export function silent(peer: Peer): string {
  return `${hostPort(peer)} took the connection and said nothing; an ${NAMES[peer.protocol]} receiver was expected: see whether it is stuck, or correct ${setting(peer, "endpoint")}`;
}

/** What to do about an answer that is not of OTLP. */
export function whoAnswers(peer: Peer): string {
  return `; correct ${setting(peer, "endpoint")}, or see who answers there`;
}

/** What an HTTP status means for whoever wrote the configuration; empty if it says enough itself. */
export function statusHint(code: number, peer: Peer): string {
  const { target } = peer;
  const path = target.url.pathname;
  switch (code) {
    case 301:
    case 302:
    case 307:
    case 308:
      return `; redirects are not followed: write where it leads to in ${setting(peer, "endpoint")}`;
    case 401:
    case 403:
      return `; see ${setting(peer, "headers")} (a token, an API key) or the user and password in the endpoint`;
    case 404:
    case 405:
      return /(\/v1\/\w+)\/v1\/\w+$/.test(path)
        ? `; ${setting(peer, "endpoint")} is the base URL, to which ${path.match(/\/v1\/\w+$/)?.[0]} is added: leave it out there`
        : `; the path ${path} of an ${NAMES.http} receiver was expected there: correct ${setting(peer, "endpoint")}`;
    case 407:
      return "; the proxy wants a user and a password: HTTP_PROXY=http://USER:PASSWORD@HOST:PORT";
    default:
      return "";
  }
}
