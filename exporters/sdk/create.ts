// Exporters that use OpenTelemetry's SDK. Only this module loads the SDK.
import type { Log } from "../../core/plugin/log.ts";
import type { OtlpGrpcConfig, OtlpHttpConfig } from "../config.ts";
import type { Exporter } from "../exporter.ts";
import { OtlpExporter } from "../otlp/deliver/otlp-exporter.ts";
import { createSdkExporterFactory } from "./exporter-factory.ts";
import { listenToSdk } from "./partial-success.ts";
import { SdkSource } from "./source.ts";
import { halvesOf } from "./split.ts";
import { type SdkPayload, SdkTransport } from "./transport.ts";

/**
 * Exporters by name, and what provides them all: one NodeSDK, because its providers are global. Throws as
 * createExporter does.
 */
export async function createSdkExporters(
  configs: Readonly<Record<string, OtlpGrpcConfig | OtlpHttpConfig>>,
  log: Log,
): Promise<{ sink: SdkSource; exporters: readonly Exporter[] }> {
  const partial = listenToSdk(log);
  const source = new SdkSource();
  const exporters: Exporter[] = [];
  for (const [name, config] of Object.entries(configs)) {
    const transport = new SdkTransport(
      config.type,
      await createSdkExporterFactory(name, config, log),
      partial,
      () => source.leave(),
    );
    const exporter = new OtlpExporter<SdkPayload>(name, config, {
      source,
      transport,
      split: halvesOf,
      log,
    });
    source.add(exporter, config.signals, config);
    exporters.push(exporter);
  }
  return { sink: source, exporters };
}
