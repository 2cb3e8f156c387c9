// Collectors with the files of examples/collector.
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { freePorts } from "./ports.ts";
import { Service } from "./service.ts";

const FILES = join(import.meta.dirname, "../../examples/collector");

interface CollectorConfig {
  receivers: { otlp: { protocols: Record<string, { endpoint: string }> } };
  processors: Record<string, Record<string, unknown>>;
  exporters: Record<string, Record<string, unknown>>;
  extensions?: unknown;
  service: Record<string, unknown>;
}

/** A Collector with the file of that name; `change` replaces what cannot run here. */
export async function startExampleCollector(
  name: "balancing" | "datadog" | "gateway",
  change: (config: CollectorConfig) => void,
) {
  const [grpc, http, health] = await freePorts(3);
  const service = await Service.start(`collector-${name}`, async (folder) => {
    const config = parse(readFileSync(join(FILES, `${name}.yaml`), "utf8")) as CollectorConfig;
    const { protocols } = config.receivers.otlp;
    if (protocols.grpc) protocols.grpc.endpoint = `127.0.0.1:${grpc}`;
    if (protocols.http) protocols.http.endpoint = `127.0.0.1:${http}`;
    change(config);
    config.extensions = { health_check: { endpoint: `127.0.0.1:${health}` } };
    config.service.extensions = ["health_check"];
    config.service.telemetry = { metrics: { level: "none" }, logs: { level: "warn" } };
    const file = join(folder, "config.yaml");
    await writeFile(file, stringify(config));
    return { args: ["--config", file], ready: `http://127.0.0.1:${health}/` };
  });
  return { service, grpc: `http://127.0.0.1:${grpc}` };
}
