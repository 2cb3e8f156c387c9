// Creates the exporters of a configuration.

import { standardOutput } from "../core/base/output.ts";
import { WirespanError } from "../core/plugin/errors.ts";
import type { Log } from "../core/plugin/log.ts";
import type { Sink } from "../core/plugin/signals.ts";
import type { ConsoleConfig, ExporterConfig, OtlpGrpcConfig, OtlpHttpConfig } from "./config.ts";
import type { Exporter, Kind } from "./exporter.ts";
import { Fanout } from "./fanout.ts";
import { OtlpExporter } from "./otlp/deliver/otlp-exporter.ts";
import type { Packed } from "./otlp/deliver/queue.ts";
import type { Transport } from "./otlp/deliver/transport.ts";
import type { Batch } from "./otlp/encode/batch.ts";
import { Encoder, type Receiver } from "./otlp/encode/encoder.ts";
import { halves } from "./otlp/encode/split.ts";

/** Creates the live view, which needs the plugins: they are not known here. */
export type MakeLive = (name: string, config: ConsoleConfig) => Promise<Exporter & Sink>;

/** An exporter, and the sink that feeds it, which several may share. */
export interface MadeExporter {
  readonly exporter: Exporter;
  readonly sink: Sink;
}

/** What the exporters of one agent share; each part is created when the first exporter requires it. */
export interface Shared {
  readonly log: Log;
  readonly makeLive: MakeLive | undefined;
  encoder(): Encoder;
  /** All exporters through the SDK, by name: its providers are global, so they are created together. */
  sdk(): Promise<ReadonlyMap<string, MadeExporter>>;
}

/** For the exporters of `configs`. */
export function sharedBy(
  configs: Readonly<Record<string, ExporterConfig>>,
  log: Log,
  makeLive?: MakeLive,
): Shared {
  let encoder: Encoder | undefined;
  let sdk: Promise<ReadonlyMap<string, MadeExporter>> | undefined;
  return {
    log,
    makeLive,
    encoder() {
      encoder ??= new Encoder();
      return encoder;
    },
    sdk() {
      sdk ??= createSdk(configs, log);
      return sdk;
    },
  };
}

async function createSdk(configs: Readonly<Record<string, ExporterConfig>>, log: Log) {
  // The SDK takes 0.2 s of CPU and 15 MB to load: only if it is used.
  const { createSdkExporters } = await import("./sdk/create.ts");
  const throughSdk: Record<string, OtlpGrpcConfig | OtlpHttpConfig> = {};
  for (const [name, config] of Object.entries(configs))
    if (config.type !== "console" && config.path === "sdk") throughSdk[name] = config;
  const { sink, exporters } = await createSdkExporters(throughSdk, log);
  return new Map(exporters.map((exporter) => [exporter.name, { exporter, sink }]));
}

/**
 * Creates an exporter. Throws WirespanError CONFIG_INVALID or CONFIG_UNREADABLE for an endpoint, header or file that
 * cannot be used; a backend that is down is not an error.
 */
export async function createExporter(
  name: string,
  config: ExporterConfig,
  shared: Shared,
): Promise<MadeExporter> {
  if (config.type === "console") {
    const exporter = await createConsole(name, config, shared.log, shared.makeLive);
    return { exporter, sink: exporter };
  }
  if (config.path === "sdk") return (await shared.sdk()).get(name)!;
  const encoder = shared.encoder();
  return { exporter: await createLean(name, config, encoder, shared.log), sink: encoder };
}

/** Feeds exporters, each sink once. */
export function fanoutOf(made: readonly MadeExporter[]): Fanout {
  return new Fanout(
    made.map(({ exporter }) => exporter),
    [...new Set(made.map(({ sink }) => sink))],
  );
}

async function createConsole(
  name: string,
  config: ConsoleConfig,
  log: Log,
  makeLive: MakeLive | undefined,
): Promise<Exporter & Sink> {
  const { format } = config;
  if (format === "live" && !standardOutput().isTTY) {
    throw new WirespanError(
      "CONFIG_INVALID",
      `exporters.${name}.format: live requires a terminal as standard output; use text or json`,
    );
  }
  if (makeLive && standardOutput().isTTY && (format === "live" || format === "auto"))
    return await makeLive(name, config);
  if (format === "auto") {
    const { StateExporter } = await import("./console/state-exporter.ts");
    return new StateExporter(name, log);
  }
  const { ConsoleExporter } = await import("./console/console-exporter.ts");
  return new ConsoleExporter(name, config, standardOutput());
}

async function createLean(
  name: string,
  config: OtlpGrpcConfig | OtlpHttpConfig,
  encoder: Encoder,
  log: Log,
): Promise<Exporter> {
  const transport = await createTransport(name, config, log);
  const exporter = new OtlpExporter<Buffer>(name, config, { source: encoder, transport, split: halves, log });
  const encoding = config.type === "otlp_http" ? (config.encoding ?? "protobuf") : "protobuf";
  const receiver: Receiver = {
    accept(batch: Batch) {
      const { signal, count, bytes } = batch;
      const packed = (payload: Buffer): Packed<Buffer> => {
        const release = (): void => batch.done();
        if (payload === bytes) return { payload, size: payload.length, release };
        release();
        return { payload, size: payload.length };
      };
      const target = () => ({ encoding, compression: transport.compression });
      exporter.accept({
        signal,
        count,
        bytes: bytes.length,
        pack: async () => packed(await batch.encoded(target())),
        packNow: () => packed(batch.encodedNow(target())),
      });
    },
    unencodable: (kind: Kind, count: number, error: unknown) => exporter.unencodable(kind, count, error),
    mostBytes: (signal) => exporter.mostBytes(signal),
  };
  encoder.add(receiver, config.signals, config);
  return exporter;
}

/**
 * Creates what carries requests to a backend; a protocol's modules are loaded only if it is used. Throws as
 * createExporter does.
 */
export async function createTransport(
  name: string,
  config: OtlpGrpcConfig | OtlpHttpConfig,
  log: Log,
): Promise<Transport<Buffer>> {
  if (config.type === "otlp_http") {
    const { createHttpTransport } = await import("./otlp/deliver/http.ts");
    return createHttpTransport(name, config, log);
  }
  if (config.detect) {
    const { createDetectingTransport } = await import("./otlp/deliver/detect.ts");
    return createDetectingTransport(name, config, log);
  }
  const { createGrpcTransport } = await import("./otlp/deliver/grpc.ts");
  return createGrpcTransport(name, config, log);
}
