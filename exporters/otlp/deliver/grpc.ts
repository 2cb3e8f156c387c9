// OTLP over gRPC: encoded requests as unary calls over node:http2, without generated code.
import type { ClientHttp2Session, OutgoingHttpHeaders } from "node:http2";
import { WirespanError } from "../../../core/plugin/errors.ts";
import type { Log } from "../../../core/plugin/log.ts";
import { type OtlpGrpcConfig, SIGNALS, type Signal } from "../../config.ts";
import { ConnectedTransport, type Connection } from "./connected-transport.ts";
import { Credentials } from "./credentials.ts";
import {
  connectionTrouble,
  noResponse,
  notGrpc,
  type Peer,
  statusHint,
  wantsTls,
  wrongServerHint,
} from "./diagnosis.ts";
import { grpcTarget } from "./endpoint.ts";
import { Call, messageOf, type Reply } from "./grpc-call.ts";
import { isAboutCompression, outcomeOfStatus, statusName, statusOfHttp } from "./grpc-status.ts";
import { Http2Session, NoGreeting, received } from "./http2-session.ts";
import { excerpt, oneLine } from "./one-line.ts";
import { proxyFor } from "./proxy.ts";
import { readAnswer } from "./response.ts";
import { probeHttp1, SpeakerCheck } from "./sniff.ts";
import type { Route } from "./socket.ts";
import { Late, type Outcome, type Transport } from "./transport.ts";

const METHODS: Readonly<Record<Signal, string>> = {
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

/** Milliseconds after which a cancelled stream is reset, if the peer reads. */
const RESET_MS = 1000;

/** Throws WirespanError for an endpoint, header, proxy or file that cannot be used. */
export async function createGrpcTransport(
  exporter: string,
  config: OtlpGrpcConfig,
  log: Log,
): Promise<Transport> {
  const credentials = await Credentials.read(exporter, config, checkedMetadata, log);
  const byEndpoint = new Map<string, GrpcConnection>();
  const connectionTo = (endpoint: string): GrpcConnection => {
    const known = byEndpoint.get(endpoint) ?? new GrpcConnection(exporter, endpoint, config, credentials);
    byEndpoint.set(endpoint, known);
    return known;
  };
  const connections = new Map(
    SIGNALS.map((signal) => [signal, connectionTo(config.perSignalEndpoints?.[signal] ?? config.endpoint)]),
  );
  const { compression } = config;
  return new ConnectedTransport({
    type: "otlp_grpc",
    exporter,
    connections,
    credentials,
    compression,
    log,
  });
}

/** One endpoint, and the session kept to it. */
class GrpcConnection implements Connection {
  readonly #route: Route;
  readonly #peer: Peer;
  readonly #session: Http2Session;
  readonly #timeoutMs: number;
  readonly #credentials: Credentials;
  readonly #speaker: SpeakerCheck;

  constructor(name: string, endpoint: string, config: OtlpGrpcConfig, credentials: Credentials) {
    const target = grpcTarget(name, endpoint, config.tls.insecure === true);
    const context = () => credentials.tls.context();
    this.#route = { target, proxy: proxyFor(target, process.env), context, protocols: ["h2"] };
    this.#peer = { exporter: name, target, protocol: "grpc" };
    this.#speaker = new SpeakerCheck(() => probeHttp1(this.#route, "/v1/traces"));
    this.#session = new Http2Session(this.#route);
    this.#timeoutMs = config.timeoutMs;
    this.#credentials = credentials;
  }

  get shown(): string {
    return this.#peer.target.shown;
  }

  async send(signal: Signal, payload: Buffer, gzipped: boolean, count: number): Promise<Outcome> {
    const end = performance.now() + this.#timeoutMs;
    let session: ClientHttp2Session;
    try {
      session = await this.#session.get(this.#timeoutMs);
    } catch (error) {
      return this.#unconnected(error as Error);
    }
    this.#speaker.forget();
    const left = Math.max(1, end - performance.now());
    const before = received(session);
    let call: Call;
    try {
      call = new Call(session, this.#headers(signal, gzipped, left), payload, gzipped);
    } catch (error) {
      this.#session.drop(session);
      return { status: "retry", message: oneLine((error as Error).message) };
    }
    // A live peer at least answers a ping; a dead one would block the connection for minutes.
    const ping = setTimeout(() => !session.destroyed && session.ping(() => {}), left / 2);
    let reset: Promise<boolean> | undefined;
    const timer = setTimeout(() => {
      reset = call.cancel(new Late(), RESET_MS);
    }, left);
    const reply = await call.reply;
    clearTimeout(ping);
    clearTimeout(timer);
    // A peer that has sent nothing is dead; one that does not read would keep unsent data in memory.
    if (reset && (received(session) === before || !(await reset))) this.#session.drop(session);
    return this.#outcomeOf(reply, signal, count);
  }

  /** New connections use the renewed credentials. */
  renew(): void {
    this.#session.renew();
  }

  close(): void {
    this.#session.close();
  }

  #headers(signal: Signal, gzipped: boolean, left: number): OutgoingHttpHeaders {
    const { url, authorization } = this.#route.target;
    return {
      ":method": "POST",
      ":scheme": this.#route.target.secure ? "https" : "http",
      ":authority": url.host,
      ":path": METHODS[signal],
      te: "trailers",
      "content-type": "application/grpc",
      "grpc-timeout": `${Math.ceil(left)}m`,
      "grpc-accept-encoding": "identity,gzip",
      "user-agent": "wirespan",
      ...(gzipped && { "grpc-encoding": "gzip" }),
      ...(authorization !== undefined && { authorization }),
      ...this.#credentials.headers,
    };
  }

  async #unconnected(error: Error): Promise<Outcome> {
    const peer = this.#peer;
    const trouble = connectionTrouble(error instanceof NoGreeting ? (error.cause ?? error) : error, peer);
    const isGreeting = error instanceof NoGreeting || isAboutHttp2(error);
    if (!isGreeting) return { status: "retry", message: trouble };
    if (error instanceof NoGreeting && error.silent && this.#route.target.secure) {
      return { status: "retry", message: noResponse(peer) };
    }
    const speaker = await this.#speaker.ask();
    if (speaker === "http1") return { status: "retry", message: notGrpc(peer), notGrpc: true };
    if (speaker === "tls") return { status: "retry", message: wantsTls(peer) };
    return {
      status: "retry",
      message: error instanceof NoGreeting && error.silent ? noResponse(peer) : trouble,
    };
  }

  #outcomeOf(reply: Reply, signal: Signal, count: number): Outcome {
    const { status } = reply;
    if (status === undefined) return this.#withoutStatus(reply);
    if (!/^\d{1,9}$/.test(status)) {
      return {
        status: "unconfirmed",
        message: `"${oneLine(status, 40)}" is not a gRPC status${wrongServerHint(this.#peer)}`,
      };
    }
    if (Number(status) === 0) return confirmed(reply, count, this.#peer);
    const outcome = outcomeOfStatus(Number(status), reply.message, reply.details);
    if (outcome.status !== "rejected") return outcome;
    switch (statusName(Number(status))) {
      case "UNAUTHENTICATED":
      case "PERMISSION_DENIED":
        return {
          ...outcome,
          message: outcome.message + statusHint(401, this.#peer),
          suspect: "credentials",
        };
      case "UNIMPLEMENTED":
        if (isAboutCompression(reply.message)) return { ...outcome, suspect: "compression" };
        return {
          ...outcome,
          message: `${outcome.message}; expected an OTLP/gRPC receiver of ${signal}: correct exporters.${this.#peer.exporter}.endpoint, or remove ${signal} from its signals`,
          suspect: "perhaps compression",
        };
      case "INTERNAL":
      case "INVALID_ARGUMENT":
      case "UNKNOWN":
        return {
          ...outcome,
          suspect: isAboutCompression(reply.message) ? "compression" : "perhaps compression",
        };
      default:
        return outcome;
    }
  }

  #withoutStatus({ headers, broken, body }: Reply): Outcome {
    const code = Number(headers?.[":status"] ?? 0);
    if (code !== 0 && code !== 200)
      return this.#httpOutcome(code, body, String(headers?.["content-type"] ?? ""));
    if (broken instanceof Late) {
      return { status: "retry", message: `DEADLINE_EXCEEDED: no response within ${this.#timeoutMs} ms` };
    }
    if (broken !== undefined)
      return { status: "retry", message: `UNAVAILABLE: ${connectionTrouble(broken, this.#peer)}` };
    if (headers === undefined)
      return { status: "retry", message: "UNAVAILABLE: the backend reset the stream (NO_ERROR)" };
    const instead = body.length > 0 ? excerpt(body) : "nothing";
    return {
      status: "unconfirmed",
      message: `expected an OTLP/gRPC response, got ${instead}${wrongServerHint(this.#peer)}`,
    };
  }

  #httpOutcome(code: number, body: Buffer, type: string): Outcome {
    const said = body.length > 0 ? `: ${excerpt(body)}` : "";
    const text = `HTTP ${code}${said}`;
    if (code === 413) return { status: "too_large", message: text };
    const outcome = outcomeOfStatus(statusOfHttp(code), text, undefined);
    const message = `${text}${statusHint(code, this.#peer)}`;
    if (outcome.status === "retry") return { ...outcome, message };
    const isOther = !type.startsWith("application/grpc") && [400, 404, 405, 415].includes(code);
    if (isOther) return { status: "retry", message: notGrpc(this.#peer, text), notGrpc: true };
    return { status: "rejected", message, ...([401, 403].includes(code) && { suspect: "credentials" }) };
  }
}

function confirmed(reply: Reply, count: number, peer: Peer): Outcome {
  const message = messageOf(reply);
  const answer = message && readAnswer(message.bytes, count, message.whole);
  if (answer !== undefined)
    return { status: "ok", rejected: answer.rejected, message: oneLine(answer.message) };
  return {
    status: "unconfirmed",
    message: `expected an OTLP/gRPC response, got ${excerpt(reply.body)}${wrongServerHint(peer)}`,
  };
}

function isAboutHttp2({ message, code }: NodeJS.ErrnoException): boolean {
  return /NO_APPLICATION_PROTOCOL/i.test(`${code} ${message.replaceAll(" ", "_")}`);
}

/** Names that gRPC or HTTP/2 reserves. */
const RESERVED =
  /^(:.*|grpc-.*|te|content-type|connection|host|transfer-encoding|keep-alive|proxy-connection|upgrade|content-length)$/;

/** The headers as gRPC metadata, names in lower case. Throws CONFIG_INVALID. */
export function checkedMetadata(
  exporter: string,
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(headers).map(([written, value]) => {
    const name = written.toLowerCase();
    const why = !/^[0-9a-z_.-]+$/.test(name)
      ? "its name may only contain letters, digits and _ . -"
      : RESERVED.test(name)
        ? "gRPC reserves it"
        : !(name.endsWith("-bin") ? /^[A-Za-z0-9+/]*=*$/ : /^[\x20-\x7e]*$/).test(value)
          ? `its value is not ${name.endsWith("-bin") ? "base64" : "printable ASCII"}`
          : undefined;
    if (why === undefined) return [name, value] as const;
    throw new WirespanError(
      "CONFIG_INVALID",
      `exporters.${exporter}.headers: "${oneLine(written, 60)}" is not valid gRPC metadata: ${why}`,
    );
  });
  return Object.fromEntries(entries);
}
