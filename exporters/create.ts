// From configuration to running exporters.
import type { Log } from "../core/log.ts";
import type { Sink } from "../core/signals.ts";
import type { ExporterConfig, OtlpGrpcConfig, OtlpHttpConfig } from "./config.ts";
import { ConsoleExporter } from "./console/exporter.ts";
import type { Exporter } from "./exporter.ts";
import { Fanout } from "./fanout.ts";
import { Encoder } from "./otlp/encoder.ts";
import { OtlpExporter } from "./otlp/exporter.ts";
import type { Transport } from "./otlp/transport.ts";

/**
 * Makes every exporter of `configs`, whose keys become their names. Throws WirespanError CONFIG_INVALID or
 * CONFIG_UNREADABLE for an endpoint, header or file that cannot be used; a backend that is down is no error.
 */
export async function createExporters(
  configs: Readonly<Record<string, ExporterConfig>>,
  log: Log,
): Promise<Fanout> {
  const exporters: Exporter[] = [];
  const sinks: Sink[] = [];
  let encoder: Encoder | undefined;
  for (const [name, config] of Object.entries(configs)) {
    if (config.type === "console") {
      const exporter = new ConsoleExporter(name, config, process.stdout);
      exporters.push(exporter);
      sinks.push(exporter);
      continue;
    }
    if (encoder === undefined) {
      encoder = new Encoder();
      sinks.push(encoder);
    }
    const exporter = new OtlpExporter(name, config, encoder, await createTransport(name, config), log);
    encoder.add(exporter);
    exporters.push(exporter);
  }
  return new Fanout(exporters, sinks);
}

/** grpc-js takes 35 ms and 17 MB to load: only where it is used. */
async function createTransport(name: string, config: OtlpGrpcConfig | OtlpHttpConfig): Promise<Transport> {
  if (config.type === "otlp_http") {
    const { createHttpTransport } = await import("./otlp/http.ts");
    return createHttpTransport(name, config);
  }
  const { createGrpcTransport } = await import("./otlp/grpc.ts");
  return createGrpcTransport(name, config);
}
