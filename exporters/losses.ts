// Reports all losses of exporters when the agent exits.
import type { Log } from "../core/plugin/log.ts";
import { type Exporter, type Kind, LOSS_CAUSES } from "./exporter.ts";

const KINDS: readonly Kind[] = ["span", "point", "event"];

/**
 * Logs what each backend did not receive, by kind and cause; returns whether anything was lost. A console is not a
 * backend.
 */
export function reportLosses(exporters: readonly Exporter[], log: Log): boolean {
  let any = false;
  for (const exporter of exporters.filter(({ type }) => type !== "console")) {
    const lost = KINDS.flatMap((kind) => {
      const { lost } = exporter.counts(kind);
      return LOSS_CAUSES.filter((cause) => lost[cause] > 0).map((cause) => ({
        kind,
        cause,
        count: lost[cause],
      }));
    });
    if (lost.length === 0) continue;
    any = true;
    log.error({ exporter: exporter.name, lost }, "telemetry was lost since the start");
  }
  return any;
}
