// CPU per span of 20 attributes: our encoder, our encoder and gRPC client, the SDK's serializer, and the
// whole path (batch processor, OTLP exporter over gRPC) of the SDKs for JavaScript and for Go, with an empty
// loop as the floor. The contenders take turns, so that what else the machine does hits all alike: read the
// ratios.

import { execFileSync, fork, spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Span } from "../core/signals.ts";
import { createExporters } from "../exporters/create.ts";
import { Encoder } from "../exporters/otlp/encoder.ts";
import { connectionSpan, resource } from "../test/telemetry.ts";

const ROUNDS = process.argv.includes("--quick") ? 3 : 7;
const SPANS = 40_960;

interface Contender {
  readonly name: string;
  /** Its spans were made before: the floor is not in its figure. */
  readonly made?: boolean;
  /** Makes and hands over `SPANS` spans; resolves when they are done with. */
  run(): Promise<void>;
  /** Where another process has done it: microseconds of CPU a span. */
  told?(): number;
}

const silent = { error() {}, warn: console.warn, info() {}, debug() {} };

/** The backend is another process: its work is not ours. */
async function startSink(): Promise<{ endpoint: string; stop(): void }> {
  const child = fork(new URL("./otlp-discard.ts", import.meta.url));
  const endpoint = await new Promise<string>((resolve) =>
    child.once("message", (port) => resolve(`http://127.0.0.1:${port}`)),
  );
  return { endpoint, stop: () => child.kill() };
}

function floor(): Contender {
  let kept: Span | undefined;
  return {
    name: "making the span objects (floor)",
    async run() {
      for (let i = 0; i < SPANS; i++) kept = connectionSpan(i);
      if (kept === undefined) throw new Error("nothing made");
    },
  };
}

function encodeOnly(made?: readonly Span[]): Contender {
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
  return {
    name: made ? "ours: to bytes, spans made beforehand" : "ours: to bytes",
    made: made !== undefined,
    async run() {
      for (let i = 0; i < SPANS; i++) encoder.span(made?.[i % made.length] ?? connectionSpan(i));
      encoder.cut();
      if (bytes === 0) throw new Error("nothing written");
    },
  };
}

async function encodeAndSend(endpoint: string, compression: "gzip" | "none"): Promise<Contender> {
  const fanout = await createExporters(
    {
      bench: {
        type: "otlp_grpc",
        endpoint,
        headers: {},
        tls: {},
        compression,
        timeoutMs: 10_000,
        queueBytes: 256 * 1024 * 1024,
        signals: ["traces"],
      },
    },
    silent,
  );
  let due = 0;
  return {
    name: `ours: over gRPC, compression ${compression}`,
    async run() {
      for (let i = 0; i < SPANS; i++) {
        fanout.span(connectionSpan(i));
        if (i % 2048 === 2047) await new Promise(setImmediate);
      }
      await fanout.flush(60_000);
      due += SPANS;
      if (fanout.exporters[0]!.balance("span").acknowledged !== due) throw new Error("spans were lost");
    },
  };
}

const sdk = createRequire(createRequire(import.meta.url).resolve("@opentelemetry/exporter-trace-otlp-grpc"));

function sdkSerializer(): Contender {
  const { ProtobufTraceSerializer } = sdk("@opentelemetry/otlp-transformer");
  const { resourceFromAttributes } = sdk("@opentelemetry/resources");
  const shared = resourceFromAttributes(resource.attributes);
  return {
    name: "SDK: serializer alone",
    async run() {
      for (let first = 0; first < SPANS; first += 512) {
        const batch = Array.from({ length: 512 }, (_, i) => readable(connectionSpan(first + i), shared));
        ProtobufTraceSerializer.serializeRequest(batch);
      }
    },
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

function sdkPath(endpoint: string): Contender {
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
  const tracer = provider.getTracer("wirespan.tcplife", "0.1.0");
  return {
    name: "SDK: tracer, batch processor, gRPC exporter",
    async run() {
      for (let i = 0; i < SPANS; i++) {
        const { spec, start, end, attributes } = connectionSpan(i);
        tracer
          .startSpan(spec.name, { root: true, startTime: [start.sec, start.nsec], attributes })
          .end([end.sec, end.nsec]);
        if (i % 2048 === 2047) await provider.forceFlush();
      }
      await provider.forceFlush();
    },
  };
}

/** Undefined where there is no Go. Its figure is net of making the attributes. */
function goSdk(endpoint: string): Contender | undefined {
  const program = join(import.meta.dirname, "build/otel-sdk");
  const { error } = spawnSync("go", ["version"]);
  if (error) return undefined;
  execFileSync("go", ["build", "-o", program, "."], {
    cwd: join(import.meta.dirname, "go"),
    stdio: ["ignore", "ignore", "inherit"],
  });
  const child = spawn(program, [endpoint, String(SPANS)], { stdio: ["pipe", "pipe", "inherit"] });
  child.unref();
  const said = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let last = 0;
  return {
    name: "Go SDK: tracer, batch processor, gRPC exporter",
    made: true,
    async run() {
      child.stdin.write("\n");
      const line = await said.next();
      if (line.done) throw new Error("the Go SDK's program ended");
      last = Number(line.value.split(" ")[0]);
    },
    told: () => last,
  };
}

async function measure(contender: Contender): Promise<number> {
  const before = process.cpuUsage();
  await contender.run();
  if (contender.told) return contender.told();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / SPANS;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

const sink = await startSink();
const contenders: readonly Contender[] = [
  floor(),
  encodeOnly(),
  // Not more than live at a time in an agent: every collection of garbage goes through them.
  encodeOnly(Array.from({ length: 2048 }, (_, i) => connectionSpan(i))),
  await encodeAndSend(sink.endpoint, "none"),
  await encodeAndSend(sink.endpoint, "gzip"),
  sdkSerializer(),
  sdkPath(sink.endpoint),
  ...[goSdk(sink.endpoint)].filter((contender) => contender !== undefined),
];
const figures = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
for (let round = -2; round < ROUNDS; round++) {
  for (const contender of contenders) {
    const figure = await measure(contender);
    if (round >= 0) figures.get(contender.name)!.push(figure);
  }
}
sink.stop();
if (process.argv.includes("--json")) {
  console.log(JSON.stringify(Object.fromEntries(figures)));
  process.exit();
}
const base = median(figures.get(contenders[0]!.name)!);
const whole = median(figures.get(contenders.at(-1)!.name)!) - base;
for (const { name, made } of contenders) {
  const all = figures.get(name)!;
  const net = median(all) - (made ? 0 : base);
  const [least, most] = [Math.min(...all), Math.max(...all)].map((value) => value.toFixed(2));
  const share = net > 0 ? `${(whole / net).toFixed(1)} times less than the SDK's path` : "";
  console.log(
    `${name.padEnd(46)} ${median(all).toFixed(2)} us/span CPU (${least}-${most}), net ${net.toFixed(2)}  ${share}`,
  );
}
process.exit();
