// All exporters of a configuration, without an agent.

import type { Log } from "../../core/plugin/log.ts";
import type { ExporterConfig } from "../../exporters/config.ts";
import { createExporter, fanoutOf, type MadeExporter, sharedBy } from "../../exporters/create.ts";
import type { Fanout } from "../../exporters/fanout.ts";

/** Creates every exporter of `configs`, whose keys become their names. Throws as createExporter does. */
export async function createExporters(
  configs: Readonly<Record<string, ExporterConfig>>,
  log: Log,
): Promise<Fanout> {
  const shared = sharedBy(configs, log);
  const made: MadeExporter[] = [];
  for (const [name, config] of Object.entries(configs)) made.push(await createExporter(name, config, shared));
  return fanoutOf(made);
}
