// The SDK as the oracle of our own writer: the same telemetry through both, decoded, equal field for field.
// What differs in representation, and nothing else, is said in `asTheSdkHasIt`:
// - The SDK has one kind of number: a double attribute whose value is whole leaves as an int.
// - It writes the empty status of a span without error, counts of what was dropped, empty negative buckets.
// - It has no zero threshold.
import assert from "node:assert/strict";
import type {
  AnyAttributes,
  AttributeSpecs,
  Event,
  EventSpec,
  Metric,
  MetricSpec,
  Resource,
  Scope,
  Span,
  SpanSpec,
} from "../../core/plugin/signals.ts";
import { createExporters } from "../../test/support/create-exporters.ts";
import { size } from "../../test/support/long.ts";
import type { Attributed, AttributeKind, DecodedMetric } from "../../test/support/otlp-decode.ts";
import { OtlpSink, type Received } from "../../test/support/otlp-sink.ts";
import { instant } from "../../test/support/telemetry.ts";
import type { MetricPreferences, OtlpGrpcConfig, OtlpHttpConfig } from "../config.ts";
import type { Fanout } from "../fanout.ts";

const SPANS = size(20_000, 100_000);
const ROUND = 5000;

/** The same numbers in each run, so that a difference can be reproduced. */
function randomOf(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return {
    next,
    below: (n: number) => Math.floor(next() * n),
    one: <T>(...values: readonly T[]): T => values[Math.floor(next() * values.length)]!,
  };
}

const random = randomOf(20_261_122);
const { below, one } = random;

const spec = (type: "string" | "int" | "double" | "boolean" | "string[]") =>
  ({ type, requirement: "recommended", description: "" }) as const;
const attributes = {
  "network.peer.address": spec("string"),
  "network.peer.port": spec("int"),
  "wirespan.tcp.bytes_sent": spec("int"),
  "wirespan.tcp.rtt.min": spec("double"),
  "wirespan.connection.mapped": spec("boolean"),
  "wirespan.names": spec("string[]"),
  "error.type": spec("string"),
} satisfies AttributeSpecs;
const spanSpecs: readonly SpanSpec[] = ["tcp connection", "tcp connect", "tcp äccept"].map((name) => ({
  signal: "span",
  name,
  description: "",
  attributes,
}));
const eventSpecs: readonly EventSpec[] = (["DEBUG", "INFO", "WARN", "ERROR"] as const).map((severity) => ({
  signal: "event",
  name: `wirespan.${severity}`,
  severity,
  description: "",
  attributes,
}));
const metricSpecs: readonly MetricSpec[] = (
  ["counter", "updowncounter", "gauge", "histogram"] as const
).flatMap((instrument) =>
  ["s", "By", "{thing}"].map((unit) => ({
    signal: "metric",
    instrument,
    name: `wirespan.${instrument}.${unit}`,
    unit,
    description: `${instrument}s in ${unit}`,
    attributes,
  })),
);
const scopes: readonly Scope[] = ["tcplife", "softirqs"].map((name) => ({
  name: `wirespan.${name}`,
  version: "1",
}));
const resources: readonly Resource[] = ["curl", "nginx", "поиск"].map((name, i) => ({
  attributes: { "service.name": name, "process.pid": i, "process.command_args": ["a", name], up: true },
}));

function anyText(): string {
  const length = one(0, 3, 12, 60, 127, 128, 300);
  return Array.from({ length }, () => one("a", "z", "0", ".", "ü", "漢", "🦋")).join("");
}

const anyInt = (): number =>
  one(0, 1, -1, 127, 128, 65_535, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, below(1e9), -below(1e9));
const anyDouble = (): number => one(0, 1, -2.5, 1e-9, 1e300, random.next(), random.next() * 1000);
const anyTime = () => ({ sec: 1_790_000_000 + below(1000), nsec: below(1e9) });
const anyBytes = (length: number) => Uint8Array.from({ length }, () => below(255) + 1);
const anyContext = () => ({ traceId: anyBytes(16), spanId: anyBytes(8) });

function anyAttributes(): AnyAttributes {
  const all = {
    "network.peer.address": anyText,
    "network.peer.port": anyInt,
    "wirespan.tcp.bytes_sent": anyInt,
    "wirespan.tcp.rtt.min": anyDouble,
    "wirespan.connection.mapped": () => below(2) === 1,
    "wirespan.names": () => Array.from({ length: below(3) }, anyText),
    "error.type": () => one(undefined, "timed_out"),
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, value]) => (below(4) > 0 ? [[key, value()]] : [])),
  );
}

function anySpan(): Span {
  const start = anyTime();
  return {
    ...anyContext(),
    spec: one(...spanSpecs),
    scope: one(...scopes),
    resource: one(...resources),
    parentSpanId: one(undefined, anyBytes(8)),
    parentIsRemote: below(2) === 1,
    traceState: one(undefined, "ot=th:0", "ot=th:fd70a3d70a3d7"),
    kind: one("internal", "client", "server"),
    start,
    end: { sec: start.sec + below(90), nsec: 999_999_999 },
    attributes: anyAttributes(),
    ...(below(4) === 0 && { links: Array.from({ length: below(4) }, anyContext) }),
    ...(below(4) === 0 && { error: anyText() }),
  };
}

function anyEvent(): Event {
  return {
    spec: one(...eventSpecs),
    scope: one(...scopes),
    resource: one(...resources),
    time: anyTime(),
    attributes: anyAttributes(),
    context: one(undefined, anyContext()),
    ...(below(2) === 0 && { body: anyText() }),
  };
}

/** Cumulative values that grow like the kernel's. */
function anyMetrics(collection: number): Metric[] {
  const time = instant(1_790_000_000 + collection * 10, 1);
  const start = instant(1_790_000_000);
  return metricSpecs.flatMap((spec) =>
    resources.map((resource, r) => ({
      spec,
      resource,
      scope: scopes[r % 2]!,
      time,
      points: Array.from({ length: 20 }, (_, series) => {
        const value = collection * 1000 + series * (spec.unit === "s" ? 0.37 : 1);
        const counts = Array.from({ length: 40 }, (_, i) =>
          (i * series * collection) % 7 === 0 ? 0 : collection * i,
        );
        const count = counts.reduce((sum, n) => sum + n, 3);
        const buckets = {
          count,
          sum: value,
          scale: 3,
          zeroCount: 3,
          offset: -120 + series,
          counts,
          min: 0.5,
          max: 9,
        };
        const isHistogram = spec.instrument === "histogram";
        return { attributes: { "network.peer.port": series }, start, value: isHistogram ? buckets : value };
      }),
    })),
  );
}

interface Path extends AsyncDisposable {
  readonly sink: OtlpSink;
  readonly fanout: Fanout;
}

async function open(path: "lean" | "sdk", protocol: "grpc" | "http", form: MetricPreferences): Promise<Path> {
  const sink = await OtlpSink.start(protocol);
  const config = {
    type: protocol === "grpc" ? "otlp_grpc" : "otlp_http",
    path,
    endpoint: sink.endpoint,
    headers: {},
    tls: {},
    compression: "none",
    timeoutMs: 30_000,
    queueBytes: 256 * 1024 ** 2,
    signals: ["traces", "metrics", "logs"],
    ...form,
  } as OtlpGrpcConfig | OtlpHttpConfig;
  const log = { error: assert.fail, warn() {}, info() {}, debug() {} };
  const fanout = await createExporters({ [path]: config }, log);
  return {
    sink,
    fanout,
    async [Symbol.asyncDispose]() {
      await fanout.shutdown(1000);
      await sink.stop();
    },
  };
}

type Plain = Readonly<Record<string, unknown>>;

/** Everything that arrived, as rows: its resource and scope, and itself. Empties the sink. */
function rowsOf(sink: OtlpSink): Plain[] {
  const rows = sink.received.splice(0).flatMap(rowsOfRequest);
  return rows.sort((a, b) => (String(a.key) < String(b.key) ? -1 : 1));
}

function rowsOfRequest(request: Received): Plain[] {
  const { signal, decoded } = request;
  const groups =
    signal === "traces"
      ? decoded.resourceSpans.map((r) => ({
          ...r,
          scopes: r.scopeSpans.map((s) => ({ ...s, items: s.spans })),
        }))
      : signal === "logs"
        ? decoded.resourceLogs.map((r) => ({
            ...r,
            scopes: r.scopeLogs.map((s) => ({ ...s, items: s.logRecords })),
          }))
        : decoded.resourceMetrics.map((r) => ({
            ...r,
            scopes: r.scopeMetrics.map((s) => ({ ...s, items: s.metrics.flatMap(pointsOf) })),
          }));
  return groups.flatMap((r) =>
    r.scopes.flatMap((s) =>
      (s.items as readonly Plain[]).map((item) => {
        const under = {
          resource: r.resource,
          resourceUrl: r.schemaUrl,
          scope: s.scope,
          scopeUrl: s.schemaUrl,
        };
        const id = item.spanId ?? "";
        const key = `${signal} ${r.resource.attributes["service.name"]} ${item.name ?? ""} ${id} ${item.timeUnixNano ?? ""} ${text(item.attributes)}`;
        return { ...under, ...item, key };
      }),
    ),
  );
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_key, v) => (typeof v === "bigint" ? String(v) : v)) ?? "";

function pointsOf(metric: DecodedMetric): Plain[] {
  const { gauge, sum, histogram, exponentialHistogram, ...rest } = metric;
  const [data, held] = Object.entries({ gauge, sum, histogram, exponentialHistogram }).find(
    ([, d]) => d,
  ) as unknown as [string, { dataPoints: readonly Plain[] }];
  const { dataPoints, ...about } = held;
  return dataPoints.map((point) => ({ ...rest, ...about, data, ...point }));
}

/** A row of ours with the differences of the SDK. */
function asTheSdkHasIt(row: Plain): Plain {
  const types = Object.fromEntries(
    Object.entries(row.types as Attributed["types"]).map(([key, type]): [string, AttributeKind] => {
      const value = (row as unknown as Attributed).attributes[key];
      return [
        key,
        type === "double" && Number.isInteger(value) && Math.abs(value as number) < 2 ** 63 ? "int" : type,
      ];
    }),
  );
  return {
    ...row,
    types,
    ...("endTimeUnixNano" in row && { status: row.status ?? { code: 0, message: "" } }),
    ...("zeroThreshold" in row && { zeroThreshold: 0, negative: { offset: 0, bucketCounts: [] } }),
  };
}

function assertSame(lean: OtlpSink, sdk: OtlpSink): number {
  const [ours, theirs] = [rowsOf(lean).map(asTheSdkHasIt), rowsOf(sdk)];
  assert.equal(ours.length, theirs.length);
  for (const [i, row] of ours.entries()) assert.deepStrictEqual(row, theirs[i]);
  return ours.length;
}

describe("OTLP through the SDK and through our own writer", function () {
  this.timeout(600_000);

  it(`is the same for ${SPANS} spans, field for field`, async () => {
    await using lean = await open("lean", "grpc", {});
    await using sdk = await open("sdk", "grpc", {});
    let compared = 0;
    for (let i = 0; i < SPANS; i++) {
      const span = anySpan();
      lean.fanout.span(span);
      sdk.fanout.span(span);
      if (i % ROUND !== ROUND - 1) continue;
      await Promise.all([lean.fanout.flush(60_000), sdk.fanout.flush(60_000)]);
      compared += assertSame(lean.sink, sdk.sink);
    }
    assert.equal(compared, SPANS);
    assert.deepEqual(lean.fanout.exporters[0]!.counts("span"), sdk.fanout.exporters[0]!.counts("span"));
  });

  it("is the same for 10000 events over HTTP", async () => {
    await using lean = await open("lean", "http", {});
    await using sdk = await open("sdk", "http", {});
    for (let i = 0; i < 10_000; i++) {
      const event = anyEvent();
      lean.fanout.event(event);
      sdk.fanout.event(event);
    }
    await Promise.all([lean.fanout.flush(60_000), sdk.fanout.flush(60_000)]);
    assert.equal(assertSame(lean.sink, sdk.sink), 10_000);
  });

  for (const temporality of ["cumulative", "delta", "lowmemory"] as const) {
    for (const histograms of ["exponential", "explicit"] as const) {
      it(`is the same for metrics, ${temporality} and ${histograms}`, async () => {
        const form = { temporality, histograms };
        await using lean = await open("lean", "grpc", form);
        await using sdk = await open("sdk", "grpc", form);
        for (let collection = 1; collection <= 3; collection++) {
          const metrics = anyMetrics(collection);
          lean.fanout.metrics(metrics);
          sdk.fanout.metrics(metrics);
          await Promise.all([lean.fanout.flush(60_000), sdk.fanout.flush(60_000)]);
          assert.equal(assertSame(lean.sink, sdk.sink), metricSpecs.length * resources.length * 20);
        }
      });
    }
  }
});
