// Parses the endpoints of the configuration.
import { isIP } from "node:net";
import { WirespanError } from "../../../core/plugin/errors.ts";
import type { OtlpHttpConfig, Signal } from "../../config.ts";

export interface Target {
  /** Without user and password. */
  readonly url: URL;
  readonly secure: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** A Unix socket, instead of host and port. */
  readonly path?: string;
  /** From the URL's user and password. */
  readonly authorization?: string;
  /** For messages: without user, password and query. */
  readonly shown: string;
}

/** The name to verify the certificate against and to send as SNI; undefined for an address. */
export function serverName(host: string): string | undefined {
  return isIP(host) === 0 ? host : undefined;
}

/** A gRPC endpoint. Throws CONFIG_INVALID. */
export function grpcTarget(exporter: string, endpoint: string, insecure: boolean): Target {
  if (endpoint.startsWith("unix:")) {
    const path = endpoint.replace(/^unix:(\/\/)?/, "");
    const url = new URL("http://localhost");
    return { url, secure: false, host: "localhost", port: 0, path, shown: endpoint };
  }
  const bare = !/^[a-z]+:\/\//i.test(endpoint);
  const url = URL.parse(bare ? `${insecure ? "http" : "https"}://${endpoint}` : endpoint);
  if (url === null || url.hostname === "" || !/^https?:$/.test(url.protocol)) {
    throw invalid(exporter, `"${shownOf(endpoint)}" is not a gRPC endpoint such as http://127.0.0.1:4317`);
  }
  if (url.search !== "") {
    throw invalid(
      exporter,
      `a gRPC endpoint cannot have a query, but "${shownOf(endpoint)}" has one; put tokens under exporters.${exporter}.headers`,
    );
  }
  return targetOf(exporter, url);
}

/** Where requests of a signal go over HTTP. Throws CONFIG_INVALID. */
export function httpTarget(exporter: string, config: OtlpHttpConfig, signal: Signal): Target {
  const whole = config.perSignalEndpoints?.[signal];
  const written = whole ?? config.endpoint;
  const url = URL.parse(written);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    const why = written.startsWith("unix:")
      ? `a Unix socket (${written}) requires type: otlp_grpc; otlp_http requires a URL such as http://127.0.0.1:4318`
      : `"${shownOf(written)}" is not a URL such as http://127.0.0.1:4318`;
    throw invalid(exporter, why);
  }
  if (whole === undefined) url.pathname = `${url.pathname.replace(/\/+$/, "")}/v1/${signal}`;
  url.hash = "";
  return targetOf(exporter, url);
}

function targetOf(exporter: string, url: URL): Target {
  const authorization = authorizationOf(url);
  if (authorization === undefined && url.username + url.password !== "") {
    throw invalid(exporter, "user and password are not percent-encoded as a URL requires");
  }
  url.username = "";
  url.password = "";
  const secure = url.protocol === "https:";
  return {
    url,
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || (secure ? 443 : 80),
    ...(authorization !== undefined && { authorization }),
    shown: `${url.origin}${url.pathname === "/" ? "" : url.pathname}${url.search && "?…"}`,
  };
}

/** The Authorization header for a URL's user and password; undefined if there are none, or if they are malformed. */
export function authorizationOf({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  try {
    const both = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(both).toString("base64")}`;
  } catch {
    return undefined;
  }
}

function shownOf(endpoint: string): string {
  return endpoint.replace(/\/\/[^/\s@]*@/, "//").replace(/\?.*$/, "?…");
}

function invalid(exporter: string, why: string): WirespanError {
  return new WirespanError("CONFIG_INVALID", `exporters.${exporter}.endpoint: ${why}`);
}
