// OTLP over HTTP/1.1 with protobuf or JSON bodies, on keep-alive connections.
import * as http from "node:http";
import { WirespanError } from "../../../core/plugin/errors.ts";
import type { Log } from "../../../core/plugin/log.ts";
import { type OtlpHttpConfig, SIGNALS, type Signal } from "../../config.ts";
import { ConnectedTransport, type Connection } from "./connected-transport.ts";
import { Credentials } from "./credentials.ts";
import { httpTarget, type Target } from "./endpoint.ts";
import { exchange, type Response } from "./http-exchange.ts";
import { HttpOutcomes } from "./http-outcome.ts";
import { proxyFor } from "./proxy.ts";
import { open, type Route } from "./socket.ts";
import { Late, type Outcome, type Transport } from "./transport.ts";

/** Throws WirespanError for an endpoint, header, proxy or file that cannot be used. */
export async function createHttpTransport(
  exporter: string,
  config: OtlpHttpConfig,
  log: Log,
): Promise<Transport> {
  const credentials = await Credentials.read(exporter, config, checkedHeaders, log);
  const connections = new Map(
    SIGNALS.map((signal) => [signal, new HttpConnection(exporter, signal, config, credentials)]),
  );
  const { compression } = config;
  return new ConnectedTransport({
    type: "otlp_http",
    exporter,
    connections,
    credentials,
    compression,
    log,
  });
}

/** The endpoint of one signal, and the connections kept to it. */
class HttpConnection implements Connection {
  readonly #route: Route;
  readonly #outcomes: HttpOutcomes;
  readonly #timeoutMs: number;
  readonly #credentials: Credentials;
  readonly #type: string;
  #agent: http.Agent;

  constructor(name: string, signal: Signal, config: OtlpHttpConfig, credentials: Credentials) {
    const target = httpTarget(name, config, signal);
    const context = () => credentials.tls.context();
    const proxy = proxyFor(target, process.env);
    this.#route = { target, proxy, context, protocols: ["http/1.1"] };
    this.#outcomes = new HttpOutcomes({ exporter: name, target, protocol: "http" }, this.#route);
    this.#timeoutMs = config.timeoutMs;
    this.#credentials = credentials;
    this.#type = config.encoding === "json" ? "application/json" : "application/x-protobuf";
    this.#agent = this.#makeAgent();
  }

  get shown(): string {
    return this.#route.target.shown;
  }

  async send(_: Signal, payload: Buffer, gzipped: boolean, count: number): Promise<Outcome> {
    const agent = this.#agent;
    let response: Response;
    try {
      const request = http.request({
        ...this.#address(),
        method: "POST",
        agent,
        headers: this.#headers(payload, gzipped),
      });
      response = await exchange(request, payload, this.#timeoutMs);
    } catch (error) {
      if (error instanceof Late)
        return { status: "retry", message: `no response within ${this.#timeoutMs} ms` };
      return this.#outcomes.ofError(error as Error);
    }
    return this.#outcomes.ofResponse(response, count);
  }

  /** New connections use the renewed credentials. */
  renew(): void {
    const old = this.#agent;
    this.#agent = this.#makeAgent();
    // Those in use end with their request.
    for (const sockets of Object.values(old.freeSockets))
      for (const socket of sockets ?? []) socket.destroy();
    old.maxFreeSockets = 0;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Only TLS is tunnelled: plaintext requests are sent to the proxy itself. */
  get #isForwarded(): boolean {
    return this.#route.proxy !== undefined && !this.#route.target.secure;
  }

  #makeAgent(): http.Agent {
    const agent = new http.Agent({ keepAlive: true, keepAliveMsecs: 30_000 });
    if (this.#isForwarded) return agent;
    const connect = (_: object, done: (error: Error | null, socket?: object) => void): undefined => {
      const signal = AbortSignal.timeout(this.#timeoutMs);
      open(this.#route, signal).then(
        (socket) => done(null, socket),
        (error: Error) => done(error),
      );
    };
    return Object.assign(agent, { createConnection: connect });
  }

  #address(): http.RequestOptions {
    const { target, proxy } = this.#route;
    const { url, host, port } = target;
    if (!this.#isForwarded || proxy === undefined) return { host, port, path: url.pathname + url.search };
    return { host: proxy.host, port: proxy.port, path: url.href };
  }

  #headers(payload: Buffer, gzipped: boolean): http.OutgoingHttpHeaders {
    const { target, proxy } = this.#route;
    const proxied = this.#isForwarded && proxy?.authorization;
    return {
      host: hostOf(target),
      "content-type": this.#type,
      "user-agent": "wirespan",
      ...(gzipped && { "content-encoding": "gzip" }),
      ...(target.authorization !== undefined && { authorization: target.authorization }),
      ...(proxied && { "proxy-authorization": proxied }),
      ...this.#credentials.headers,
      "content-length": payload.length,
    };
  }
}

const hostOf = ({ url }: Target): string => url.host;

/** Names that the connection needs, or that describe the body. */
const RESERVED = /^(host|content-length|content-type|content-encoding|transfer-encoding|connection)$/;

/** The headers with names in lower case, if HTTP can carry them. Throws CONFIG_INVALID. */
export function checkedHeaders(
  name: string,
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(headers).map(([key, value]) => {
    try {
      http.validateHeaderName(key);
      http.validateHeaderValue(key, value);
    } catch (cause) {
      throw new WirespanError(
        "CONFIG_INVALID",
        `exporters.${name}.headers: "${key}" is not a valid HTTP header`,
        {
          cause,
        },
      );
    }
    const lower = key.toLowerCase();
    if (RESERVED.test(lower)) {
      throw new WirespanError(
        "CONFIG_INVALID",
        `exporters.${name}.headers: "${key}" is set by wirespan itself`,
      );
    }
    return [lower, value] as const;
  });
  return Object.fromEntries(entries);
}
