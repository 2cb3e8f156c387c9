// The settings of each type of exporter, and the plain data that an exporter gets from them.
import { accessSync, constants, statSync } from "node:fs";
import {
  type ConsoleFormat,
  type ExporterConfig,
  SIGNALS,
  type Signal,
  type Temporality,
} from "../exporters/config.ts";
import {
  ascending,
  BadValue,
  count,
  duration,
  list,
  map,
  oneOf,
  type Reader,
  readerOf,
  size,
  text,
} from "./formats.ts";
import { leaf, type Tree } from "./tree.ts";

export const EXPORTER_TYPES = ["otlp_grpc", "otlp_http", "console"] as const;
export type ExporterType = (typeof EXPORTER_TYPES)[number];

const common: Tree = {
  type: leaf(oneOf(...EXPORTER_TYPES), null, "Type of the exporter; required."),
  signals: leaf(list(oneOf(...SIGNALS)), SIGNALS, "Signals to export."),
};

const isUrl = (t: string): boolean => /^https?:\/\//i.test(t) && URL.canParse(t);
const httpUrl = text("a URL such as http://localhost:4318", isUrl);
const grpcTarget = text("http://HOST:PORT, https://HOST:PORT, HOST:PORT or unix:PATH", (t) => {
  if (t.startsWith("unix:")) return t.length > "unix:".length;
  if (t.includes("://")) return isUrl(t);
  return /^(\[[0-9a-fA-F:.]+\]|[^\s/:[\]]+):\d{1,5}$/.test(t) && URL.canParse(`http://${t}`);
});

/** A file that must exist; `file:` before its path changes nothing. */
export const pemFile: Reader<string> = {
  ...text("the path of a readable file"),
  read(raw) {
    const path = String(raw).replace(/^file:/, "");
    try {
      accessSync(path, constants.R_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Missing, or not readable by this user.
    }
    throw new BadValue(path, pemFile.expected);
  },
};

const queueBytes = size(
  "a size of at least 1MiB, such as 32MiB: a single request must fit",
  (n) => n >= 1024 ** 2 && n <= 64 * 1024 ** 3,
);

function otlp(type: "otlp_grpc" | "otlp_http"): Tree {
  const target = type === "otlp_grpc" ? grpcTarget : httpUrl;
  const port = type === "otlp_grpc" ? 4317 : 4318;
  const endpoint = leaf(
    target,
    `http://localhost:${port}`,
    type === "otlp_grpc"
      ? "Address of the backend: http:// is plaintext, https:// is TLS; without a scheme, tls.insecure decides."
      : "Base URL; /v1/traces, /v1/metrics and /v1/logs are appended to its path. user:password@ is basic authentication.",
  );
  const ofSignal = (signal: Signal) => leaf(target, null, `Endpoint for ${signal} only, used as is.`);
  return {
    ...common,
    endpoint,
    perSignalEndpoints: { traces: ofSignal("traces"), metrics: ofSignal("metrics"), logs: ofSignal("logs") },
    headers: leaf(
      map,
      new Map(),
      "Headers of every request; the value file:PATH is that file's text, reloaded when it changes.",
      true,
    ),
    tls: {
      ca: leaf(
        pemFile,
        null,
        "PEM file of the authorities to trust instead of those of the system and of Node.",
      ),
      cert: leaf(pemFile, null, "PEM file of the client's certificate chain."),
      key: leaf(pemFile, null, "PEM file of the client's key."),
      insecure: leaf(readerOf("boolean"), false, "Plaintext for a gRPC endpoint without a scheme."),
    },
    compression: leaf(oneOf("gzip", "none"), "gzip", "How requests are compressed."),
    ...(type === "otlp_http" && {
      encoding: leaf(
        oneOf("protobuf", "json"),
        "protobuf",
        "Encoding of requests; json is for backends that accept nothing else.",
      ),
    }),
    path: leaf(
      oneOf("lean", "sdk"),
      "lean",
      "lean: wirespan's own writer. sdk: OpenTelemetry's SDK and its exporters, with the SDK's limits, at several times the CPU and 15 MB more.",
    ),
    temporality: leaf(
      oneOf("cumulative", "delta", "lowmemory"),
      "cumulative",
      "Aggregation temporality: since the start, or since the last collection (lowmemory: histograms only). Datadog requires delta, Prometheus cumulative.",
    ),
    histograms: leaf(
      oneOf("exponential", "explicit"),
      "exponential",
      "How histograms are sent: exponential, as the kernel makes them, or with explicit buckets for backends without exponential ones.",
    ),
    boundaries: leaf(
      ascending(list(duration())),
      null,
      "Upper bounds of the explicit buckets of durations (1ms, 10ms, 1s), each within 4.5 %; default: powers of two of a second, which are exact.",
    ),
    timeout: leaf(duration(1), 10_000, "Time limit of one request."),
    queue: {
      bytes: leaf(
        queueBytes,
        32 * 1024 ** 2,
        "Maximum bytes waiting for the backend; if they are exceeded, the oldest are dropped and counted.",
      ),
    },
  };
}

const trees = new Map<string | undefined, Tree>([
  ["otlp_grpc", otlp("otlp_grpc")],
  ["otlp_http", otlp("otlp_http")],
  [
    "console",
    {
      ...common,
      format: leaf(
        oneOf("text", "json", "live", "auto"),
        "text",
        "text or json: a line for each connection, failure and event. live: a view that fills the terminal. auto: live on a terminal, otherwise only the agent's own state in the log.",
      ),
      rate: leaf(
        count(0),
        20,
        "Maximum lines per second, failures and drops first; the number of omitted lines is printed. 0: no limit.",
      ),
    },
  ],
]);

/** The settings of one exporter; those of otlp_grpc if its type is not known. */
export function exporterTree(type: string | undefined): Tree {
  return trees.get(type) ?? trees.get("otlp_grpc")!;
}

/** An exporter's values as stored by the schema. */
export interface ExporterValues {
  readonly type: ExporterType;
  readonly signals: readonly Signal[];
  readonly endpoint: string;
  readonly perSignalEndpoints: Readonly<Record<Signal, string | null>>;
  readonly headers: ReadonlyMap<string, string>;
  readonly tls: { ca: string | null; cert: string | null; key: string | null; insecure: boolean };
  readonly compression: "gzip" | "none";
  readonly encoding?: "protobuf" | "json";
  readonly path: "lean" | "sdk";
  readonly temporality: Temporality;
  readonly histograms: "exponential" | "explicit";
  /** Milliseconds. */
  readonly boundaries: readonly number[] | null;
  readonly timeout: number;
  readonly queue: { readonly bytes: number };
  readonly format: ConsoleFormat;
  readonly rate: number;
}

/** The double that is nearest to the decimal number of seconds: 300us is 0.0003. */
const inSeconds = (ms: number): number => Number((ms / 1000).toPrecision(12));

/** `headerFiles`: the files that headers were read from, by header. */
export function exporterConfig(
  values: ExporterValues,
  headerFiles: ReadonlyMap<string, string> = new Map(),
): ExporterConfig {
  const { type, signals } = values;
  if (type === "console") return { type, signals, format: values.format, rate: values.rate };
  return {
    type,
    endpoint: values.endpoint,
    perSignalEndpoints: defined(values.perSignalEndpoints),
    headers: Object.fromEntries([...values.headers].filter(([header]) => !headerFiles.has(header))),
    ...(headerFiles.size > 0 && { headerFiles: Object.fromEntries(headerFiles) }),
    tls: defined(values.tls),
    compression: values.compression,
    ...(type === "otlp_http" && values.encoding && { encoding: values.encoding }),
    path: values.path,
    temporality: values.temporality,
    histograms: values.histograms,
    ...(values.boundaries && { boundaries: values.boundaries.map(inSeconds) }),
    timeoutMs: values.timeout,
    queueBytes: values.queue.bytes,
    signals,
  };
}

type Defined<T> = { readonly [K in keyof T]?: NonNullable<T[K]> };

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as Defined<T>;
}
