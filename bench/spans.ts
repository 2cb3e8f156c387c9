// spans.ts WAY ENDPOINT: for each line on standard input it creates spans of 20 attributes and sends them in that way,
// and prints the CPU microseconds per span, and those for creating one. bench/go does the same in Go.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import type { Span } from "../core/plugin/signals.ts";
import { Encoder } from "../exporters/otlp/encode/encoder.ts";
import { createExporters } from "../test/support/create-exporters.ts";
import { connectionSpan, resource } from "../test/support/telemetry.ts";

/** Spans per input line. */
export const SPANS = 40_960;
/** As many as an agent may hold at a time, since each garbage collection traverses them. */
const LIVE = 2048;

/** Sends `SPANS` spans; resolves when they are finished. */
type Send = () => Promise<void>;

const silent = { error() {}, warn: console.warn, info() {}, debug() {} };
const sdk = createRequire(createRequire(import.meta.url).resolve("@opentelemetry/exporter-trace-otlp-grpc"));

function encode(): Send {
  const encoder = new Encoder();
  let bytes = 0;
  encoder.add({
    accept: (batch) => {
      bytes += batch.bytes.length;
    },
    unencodable: (_kind, _count, error) => {
      throw error;
    },
  });
  return async () => {
    for (let i = 0; i < SPANS; i++) encoder.span(connectionSpan(i));
    encoder.cut();
    if (bytes === 0) throw new Error("nothing written");
  };
}

async function send(endpoint: string): Promise<Send> {
  const fanout = await createExporters(
    {
      bench: {
        type: "otlp_grpc",
        endpoint,
        headers: {},
        tls: {},
        compression: "none",
        timeoutMs: 10_000,
        queueBytes: 256 * 1024 * 1024,
        signals: ["traces"],
      },
    },
    silent,
  );
  let due = 0;
  return async () => {
    for (let i = 0; i < SPANS; i++) {
      fanout.span(connectionSpan(i));
      if (i % LIVE === LIVE - 1) await new Promise(setImmediate);
    }
    await fanout.flush(60_000);
    due += SPANS;
    if (fanout.exporters[0]!.counts("span").acknowledged !== due) throw new Error("spans were lost");
  };
}

function sdkSerialize(): Send {
  const { ProtobufTraceSerializer } = sdk("@opentelemetry/otlp-transformer");
  const { resourceFromAttributes } = sdk("@opentelemetry/resources");
  const shared = resourceFromAttributes(resource.attributes);
  return async () => {
    for (let first = 0; first < SPANS; first += 512) {
      const batch = Array.from({ length: 512 }, (_, i) => readable(connectionSpan(first + i), shared));
      ProtobufTraceSerializer.serializeRequest(batch);
    }
  };
}

function readable(span: Span, shared: unknown): object {
  const context = {
    traceId: Buffer.from(span.traceId).toString("hex"),
    spanId: Buffer.from(span.spanId).toString("hex"),
    traceFlags: 1,
  };
  return {
    name: span.spec.name,
    kind: 0,
    spanContext: () => context,
    startTime: [span.start.sec, span.start.nsec],
    endTime: [span.end.sec, span.end.nsec],
    attributes: span.attributes,
    links: [],
    events: [],
    status: { code: 0 },
    duration: [1, 0],
    ended: true,
    resource: shared,
    instrumentationScope: span.scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Tracer, batch processor, OTLP exporter over gRPC. */
function sdkSend(endpoint: string): Send {
  const { TracerProvider, BatchSpanProcessor } = createRequire(import.meta.url)("@opentelemetry/sdk-trace");
  const { resourceFromAttributes } = sdk("@opentelemetry/resources");
  const { OTLPTraceExporter } = createRequire(import.meta.url)("@opentelemetry/exporter-trace-otlp-grpc");
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url: endpoint }),
    maxQueueSize: 2 * SPANS,
    maxExportBatchSize: 512,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes(resource.attributes),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer("wirespan.tcplife", "0.2.0");
  return async () => {
    for (let i = 0; i < SPANS; i++) {
      const { spec, start, end, attributes } = connectionSpan(i);
      tracer
        .startSpan(spec.name, { root: true, startTime: [start.sec, start.nsec], attributes })
        .end([end.sec, end.nsec]);
      if (i % LIVE === LIVE - 1) await provider.forceFlush();
    }
    await provider.forceFlush();
  };
}

const ways: Readonly<Record<string, (endpoint: string) => Send | Promise<Send>>> = {
  encode,
  send,
  sdkSerialize,
  sdkSend,
};

let kept: Span | undefined;

async function make(): Promise<void> {
  for (let i = 0; i < SPANS; i++) kept = connectionSpan(i);
  if (kept === undefined) throw new Error("nothing made");
}

async function cost(work: Send): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / SPANS;
}

if (import.meta.main) {
  const [way, endpoint] = process.argv.slice(2);
  const work = await ways[way!]!(endpoint!);
  for await (const _ of createInterface({ input: process.stdin })) {
    const making = await cost(make);
    console.log(await cost(work), making);
  }
  process.exit();
}
