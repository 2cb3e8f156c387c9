// OTLP over gRPC: ready bytes as unary calls over node:http2, without generated code.
import type { ClientHttp2Session, OutgoingHttpHeaders } from "node:http2";
import { WirespanError } from "../../../core/plugin/errors.ts";
import type { Log } from "../../../core/plugin/log.ts";
import { type OtlpGrpcConfig, SIGNALS, type Signal } from "../../config.ts";
import { Plainness } from "./compression.ts";
import { Credentials } from "./credentials.ts";
import {
  connectionTrouble,
  notGrpc,
  silent,
  statusHint,
  type Where,
  wantsTls,
  whoAnswers,
} from "./diagnosis.ts";
import { grpcTarget } from "./endpoint.ts";
import { Call, messageOf, type Reply } from "./grpc-call.ts";
import { isAboutCompression, outcomeOfStatus, statusName, statusOfHttp } from "./grpc-status.ts";
import { NoGreeting, received, Session } from "./http2-session.ts";
import { excerpt, plain } from "./one-line.ts";
import { proxyFor } from "./proxy.ts";
import { readAnswer } from "./response.ts";
import { greetHttp1, type Speaker } from "./sniff.ts";
import type { Way } from "./socket.ts";
import type { Outcome, Transport } from "./transport.ts";

const METHODS: Readonly<Record<Signal, string>> = {
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

/** Throws WirespanError for an endpoint, header, proxy or file that cannot be used. */
export async function createGrpcTransport(
  name: string,
  config: OtlpGrpcConfig,
  log: Log,
): Promise<Transport> {
  const credentials = await Credentials.read(name, config, checkedMetadata, log);
  const plainness = new Plainness(name, config.compression, log);
  const lines = new Map<string, Line>();
  const bySignal = new Map<Signal, Line>();
  for (const signal of SIGNALS) {
    const endpoint = config.perSignalEndpoints?.[signal] ?? config.endpoint;
    const line = lines.get(endpoint) ?? new Line(name, endpoint, config, credentials);
    lines.set(endpoint, line);
    bySignal.set(signal, line);
  }
  const refresh = async (atOnce: boolean): Promise<readonly string[]> => {
    const renewed = await credentials.refresh(atOnce);
    if (renewed.includes("tls")) for (const line of lines.values()) line.renew();
    return renewed;
  };
  return {
    type: "otlp_grpc",
    endpointOf: (signal) => bySignal.get(signal)!.shown,
    get compression() {
      return plainness.compression;
    },
    async send(signal, payload, count) {
      await refresh(false);
      const line = bySignal.get(signal)!;
      const outcome = await plainness.send(payload, (bytes, gzipped) =>
        line.send(signal, bytes, gzipped, count),
      );
      return outcome.status === "rejected" &&
        outcome.suspect === "credentials" &&
        (await refresh(true)).length > 0
        ? { status: "retry", message: outcome.message }
        : outcome;
    },
    refresh: () => refresh(true),
    close() {
      for (const line of lines.values()) line.close();
    },
  };
}

/** A call's time is over. */
class Late extends Error {}

/** What speaks at an endpoint in place of gRPC is asked so often at most. */
const ASK_AGAIN_MS = 30_000;

/** One endpoint, and the session kept to it. */
class Line {
  readonly #way: Way;
  readonly #where: Where;
  readonly #session: Session;
  readonly #timeoutMs: number;
  readonly #credentials: Credentials;
  #asked: { readonly speaker: Promise<Speaker>; readonly at: number } | undefined;

  constructor(name: string, endpoint: string, config: OtlpGrpcConfig, credentials: Credentials) {
    const target = grpcTarget(name, endpoint, config.tls.insecure === true);
    const context = () => credentials.tls.context();
    this.#way = { target, proxy: proxyFor(target, process.env), context, protocols: ["h2"] };
    this.#where = { exporter: name, target, protocol: "grpc" };
    this.#session = new Session(this.#way);
    this.#timeoutMs = config.timeoutMs;
    this.#credentials = credentials;
  }

  get shown(): string {
    return this.#where.target.shown;
  }

  async send(signal: Signal, payload: Buffer, gzipped: boolean, count: number): Promise<Outcome> {
    const end = performance.now() + this.#timeoutMs;
    let session: ClientHttp2Session;
    try {
      session = await this.#session.get(this.#timeoutMs);
    } catch (error) {
      return this.#unconnected(error as Error);
    }
    this.#asked = undefined;
    const left = Math.max(1, end - performance.now());
    const before = received(session);
    let call: Call;
    try {
      call = new Call(session, this.#headers(signal, gzipped, left), payload, gzipped);
    } catch (error) {
      this.#session.drop(session);
      return { status: "retry", message: plain((error as Error).message) };
    }
    // A peer that is alive answers a ping, if nothing else; one that is not would hold the connection for minutes.
    const ping = setTimeout(() => !session.destroyed && session.ping(() => {}), left / 2);
    const timer = setTimeout(() => call.cancel(new Late()), left);
    const reply = await call.reply;
    clearTimeout(ping);
    clearTimeout(timer);
    if (reply.broken instanceof Late && received(session) === before) this.#session.drop(session);
    return this.#outcomeOf(reply, signal, count);
  }

  /** New connections are made with what is new of the credentials. */
  renew(): void {
    this.#session.renew();
  }

  close(): void {
    this.#session.close();
  }

  #headers(signal: Signal, gzipped: boolean, left: number): OutgoingHttpHeaders {
    const { url, authorization } = this.#way.target;
    return {
      ":method": "POST",
      ":scheme": this.#way.target.secure ? "https" : "http",
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
    const where = this.#where;
    const trouble = connectionTrouble(error instanceof NoGreeting ? (error.cause ?? error) : error, where);
    const isGreeting = error instanceof NoGreeting || isAboutHttp2(error);
    if (!isGreeting) return { status: "retry", message: trouble };
    if (error instanceof NoGreeting && error.silent && this.#way.target.secure) {
      return { status: "retry", message: silent(where) };
    }
    const speaker = await this.#speaker();
    if (speaker === "http1") return { status: "retry", message: notGrpc(where), notGrpc: true };
    if (speaker === "tls") return { status: "retry", message: wantsTls(where) };
    return {
      status: "retry",
      message: error instanceof NoGreeting && error.silent ? silent(where) : trouble,
    };
  }

  #speaker(): Promise<Speaker> {
    if (this.#asked === undefined || performance.now() - this.#asked.at > ASK_AGAIN_MS) {
      this.#asked = { speaker: greetHttp1(this.#way, "/v1/traces"), at: performance.now() };
    }
    return this.#asked.speaker;
  }

  #outcomeOf(reply: Reply, signal: Signal, count: number): Outcome {
    const { status } = reply;
    if (status === undefined) return this.#withoutStatus(reply);
    if (!/^\d{1,9}$/.test(status)) {
      return {
        status: "unconfirmed",
        message: `"${plain(status, 40)}" is not a gRPC status${whoAnswers(this.#where)}`,
      };
    }
    if (Number(status) === 0) return confirmed(reply, count, this.#where);
    const outcome = outcomeOfStatus(Number(status), reply.message, reply.details);
    if (outcome.status !== "rejected") return outcome;
    switch (statusName(Number(status))) {
      case "UNAUTHENTICATED":
      case "PERMISSION_DENIED":
        return {
          ...outcome,
          message: outcome.message + statusHint(401, this.#where),
          suspect: "credentials",
        };
      case "UNIMPLEMENTED":
        if (isAboutCompression(reply.message)) return { ...outcome, suspect: "compression" };
        return {
          ...outcome,
          message: `${outcome.message}; an OTLP/gRPC receiver of ${signal} was expected: correct exporters.${this.#where.exporter}.endpoint, or leave ${signal} out of its signals`,
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
      return { status: "retry", message: `DEADLINE_EXCEEDED: no answer within ${this.#timeoutMs} ms` };
    }
    if (broken !== undefined)
      return { status: "retry", message: `UNAVAILABLE: ${connectionTrouble(broken, this.#where)}` };
    if (headers === undefined)
      return { status: "retry", message: "UNAVAILABLE: the backend reset the stream (NO_ERROR)" };
    const instead = body.length > 0 ? excerpt(body) : "nothing";
    return {
      status: "unconfirmed",
      message: `an answer of OTLP/gRPC was expected, and ${instead} came${whoAnswers(this.#where)}`,
    };
  }

  #httpOutcome(code: number, body: Buffer, type: string): Outcome {
    const said = body.length > 0 ? `: ${excerpt(body)}` : "";
    const text = `HTTP ${code}${said}`;
    if (code === 413) return { status: "too_large", message: text };
    const outcome = outcomeOfStatus(statusOfHttp(code), text, undefined);
    const message = `${text}${statusHint(code, this.#where)}`;
    if (outcome.status === "retry") return { ...outcome, message };
    const isOther = !type.startsWith("application/grpc") && [400, 404, 405, 415].includes(code);
    if (isOther) return { status: "retry", message: notGrpc(this.#where, text), notGrpc: true };
    return { status: "rejected", message, ...([401, 403].includes(code) && { suspect: "credentials" }) };
  }
}

function confirmed(reply: Reply, count: number, where: Where): Outcome {
  const message = messageOf(reply);
  const answer = message && readAnswer(message.bytes, count, message.whole);
  if (answer !== undefined)
    return { status: "ok", rejected: answer.rejected, message: plain(answer.message) };
  return {
    status: "unconfirmed",
    message: `an answer of OTLP/gRPC was expected, and ${excerpt(reply.body)} came${whoAnswers(where)}`,
  };
}

function isAboutHttp2({ message, code }: NodeJS.ErrnoException): boolean {
  return /NO_APPLICATION_PROTOCOL/i.test(`${code} ${message.replaceAll(" ", "_")}`);
}

/** Names that gRPC or HTTP/2 keeps for itself. */
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
      ? "its name is not of letters, digits and _ . -"
      : RESERVED.test(name)
        ? "gRPC sets it itself"
        : !(name.endsWith("-bin") ? /^[A-Za-z0-9+/]*=*$/ : /^[\x20-\x7e]*$/).test(value)
          ? `its value is not ${name.endsWith("-bin") ? "base64" : "of printable ASCII"}`
          : undefined;
    if (why === undefined) return [name, value] as const;
    throw new WirespanError(
      "CONFIG_INVALID",
      `exporters.${exporter}.headers: "${plain(written, 60)}" is no gRPC metadata: ${why}`,
    );
  });
  return Object.fromEntries(entries);
}
