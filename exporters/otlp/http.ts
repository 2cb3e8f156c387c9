// OTLP over HTTP with protobuf bodies, on kept connections.
import * as http from "node:http";
import * as https from "node:https";
import { WirespanError } from "../../core/errors.ts";
import { type OtlpHttpConfig, SIGNALS, type Signal } from "../config.ts";
import { readJsonPartialSuccess, readPartialSuccess, readStatusMessage } from "./response.ts";
import { readTls } from "./tls.ts";
import type { Outcome, Transport } from "./transport.ts";

const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** More of a response is not read. */
const RESPONSE_BYTES = 64 * 1024;

/** Throws WirespanError for an endpoint, header or file that cannot be used. */
export async function createHttpTransport(name: string, config: OtlpHttpConfig): Promise<Transport> {
  const { ca, cert, key } = await readTls(name, config.tls);
  const urls = new Map(SIGNALS.map((signal) => [signal, urlOf(name, config, signal)]));
  const headers = {
    ...checkedHeaders(name, config.headers),
    "content-type": config.encoding === "json" ? "application/json" : "application/x-protobuf",
    "user-agent": "wirespan",
    ...(config.compression === "gzip" && { "content-encoding": "gzip" }),
  };
  const agents = {
    "http:": new http.Agent({ keepAlive: true }),
    "https:": new https.Agent({
      keepAlive: true,
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
    }),
  };
  return {
    send(signal, payload) {
      const url = urls.get(signal)!;
      const secure = url.protocol === "https:";
      const request = (secure ? https : http).request(url, {
        method: "POST",
        agent: agents[secure ? "https:" : "http:"],
        headers: { ...headers, "content-length": payload.length },
        signal: AbortSignal.timeout(config.timeoutMs),
      });
      return exchange(request, payload);
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function exchange(request: http.ClientRequest, payload: Buffer): Promise<Outcome> {
  return new Promise((resolve) => {
    const broken = (error: Error): void => {
      const message = error.name === "AbortError" ? "no response in time" : error.message;
      resolve({ status: "retry", message: message || String(error) });
    };
    request.on("error", broken);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        if (size < RESPONSE_BYTES) chunks.push(chunk);
        size += chunk.length;
      });
      response.on("error", broken);
      response.on("end", () => resolve(outcomeOf(response, Buffer.concat(chunks))));
    });
    request.end(payload);
  });
}

function outcomeOf(response: http.IncomingMessage, body: Buffer): Outcome {
  const code = response.statusCode ?? 0;
  if (code >= 200 && code < 300) {
    const json = response.headers["content-type"]?.includes("json");
    try {
      return { status: "ok", ...(json ? readJsonPartialSuccess(body) : readPartialSuccess(body)) };
    } catch {
      // A proxy's answer: success all the same.
      return { status: "ok", rejected: 0, message: "" };
    }
  }
  const message = `HTTP ${code}: ${errorText(response, body)}`;
  if (!RETRYABLE.has(code)) return { status: "rejected", message };
  return { status: "retry", message, afterMs: retryAfter(response.headers) };
}

function errorText(response: http.IncomingMessage, body: Buffer): string {
  if (response.headers["content-type"]?.includes("protobuf")) {
    try {
      return readStatusMessage(body);
    } catch {
      return "";
    }
  }
  return body.toString().slice(0, 300);
}

/** Milliseconds of a Retry-After header: seconds or a date, which the backend's own clock is compared with. */
function retryAfter({ "retry-after": value, date }: http.IncomingHttpHeaders): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const now = Date.parse(date ?? "") || Date.now();
  const pause = Number.isNaN(seconds) ? Date.parse(value) - now : seconds * 1000;
  return Number.isNaN(pause) ? undefined : Math.max(0, pause);
}

/** Where requests of a signal go. Throws CONFIG_INVALID. */
export function urlOf(name: string, config: OtlpHttpConfig, signal: Signal): URL {
  const whole = config.perSignalEndpoints?.[signal];
  const url = URL.parse(whole ?? `${config.endpoint.replace(/\/+$/, "")}/v1/${signal}`);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new WirespanError(
      "CONFIG_INVALID",
      `exporters.${name}.endpoint: "${whole ?? config.endpoint}" is not a URL such as http://127.0.0.1:4318`,
    );
  }
  return url;
}

/** The headers, if they are some. Throws CONFIG_INVALID. */
export function checkedHeaders(
  name: string,
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  for (const [key, value] of Object.entries(headers)) {
    try {
      http.validateHeaderName(key);
      http.validateHeaderValue(key, value);
    } catch (cause) {
      throw new WirespanError("CONFIG_INVALID", `exporters.${name}.headers: "${key}" is no HTTP header`, {
        cause,
      });
    }
  }
  return headers;
}
