// Sends one span, one metric point and one event to a backend, and returns its responses.
import type { Log } from "../core/plugin/log.ts";
import type { EventSpec, Instant, MetricSpec, Resource, Scope, SpanSpec } from "../core/plugin/signals.ts";
import { type OtlpGrpcConfig, type OtlpHttpConfig, SIGNALS, type Signal } from "./config.ts";
import { createTransport } from "./create.ts";
import type { Outcome } from "./otlp/deliver/transport.ts";
import type { Batch } from "./otlp/encode/batch.ts";
import { Encoder } from "./otlp/encode/encoder.ts";

const NAME = "wirespan exporters test";

const SPAN: SpanSpec = {
  signal: "span",
  name: NAME,
  description: "Sent by `wirespan exporters test`.",
  attributes: {},
};

const METRIC: MetricSpec = {
  signal: "metric",
  instrument: "counter",
  name: "wirespan.agent.exporters.tests",
  unit: "{test}",
  description: "Sent by `wirespan exporters test`.",
  attributes: {},
};

const EVENT: EventSpec = {
  signal: "event",
  name: "wirespan.agent.exporters.test",
  severity: "INFO",
  description: "Sent by `wirespan exporters test`.",
  attributes: {},
};

export interface Probe {
  /** The protocol in use after detection. */
  readonly type: string;
  readonly answers: readonly {
    readonly signal: Signal;
    readonly endpoint: string;
    readonly outcome: Outcome;
  }[];
}

/** The sender, and the time. */
export interface Prober {
  readonly resource: Resource;
  readonly scope: Scope;
  readonly now: Instant;
}

/**
 * Sends the signals of `config` once, with wirespan's own writer regardless of `path`. Throws WirespanError for an
 * endpoint, header, proxy or file that cannot be used.
 */
export async function probe(
  name: string,
  config: OtlpGrpcConfig | OtlpHttpConfig,
  prober: Prober,
  log: Log,
): Promise<Probe> {
  const transport = await createTransport(name, config, log);
  const encoding = config.type === "otlp_http" ? (config.encoding ?? "protobuf") : "protobuf";
  try {
    const answers = await Promise.all(
      batches(config, prober).map(async (batch) => {
        const { signal, count } = batch;
        const payload = await batch.encoded({ encoding, compression: config.compression });
        const outcome = await transport.send(signal, payload, count);
        return { signal, endpoint: transport.endpointOf(signal), outcome };
      }),
    );
    return { type: transport.type, answers };
  } finally {
    transport.close();
  }
}

/** Throws as a start would: an endpoint, header, proxy or file that cannot be used. Sends nothing. */
export async function checkBackend(
  name: string,
  config: OtlpGrpcConfig | OtlpHttpConfig,
  log: Log,
): Promise<void> {
  const transport = await createTransport(name, config, log);
  transport.close();
}

function batches(config: OtlpGrpcConfig | OtlpHttpConfig, { resource, scope, now }: Prober): Batch[] {
  const made: Batch[] = [];
  const encoder = new Encoder();
  const unencodable = (_kind: string, _count: number, error: unknown): never => {
    throw error;
  };
  encoder.add({ accept: (batch) => made.push(batch), unencodable }, config.signals, config);
  const ids = { traceId: randomId(16), spanId: randomId(8) };
  encoder.span({
    spec: SPAN,
    scope,
    resource,
    kind: "internal",
    start: now,
    end: now,
    attributes: {},
    ...ids,
  });
  encoder.event({ spec: EVENT, scope, resource, time: now, attributes: {}, body: NAME, context: ids });
  encoder.metrics([
    { spec: METRIC, scope, resource, time: now, points: [{ attributes: {}, start: now, value: 1 }] },
  ]);
  encoder.cut();
  return made.sort((a, b) => SIGNALS.indexOf(a.signal) - SIGNALS.indexOf(b.signal));
}

const randomId = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
