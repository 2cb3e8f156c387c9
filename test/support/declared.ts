// The declarations of everything that may be exported: by the core, the agent itself and every plugin.

import { FINDING } from "../../agent/finding-event.ts";
import { INTERNAL_TELEMETRY } from "../../agent/internal-telemetry.ts";
import { importPlugin, installedPlugins } from "../../core/engine/discover.ts";
import { spansWith } from "../../core/plugin/connection.ts";
import type { Signals } from "../../core/plugin/signals.ts";
import type { Declared } from "./conformance.ts";

export async function declared(): Promise<Declared[]> {
  const plugins = await Promise.all(installedPlugins().map((name) => importPlugin(name)));
  const connections: Signals = spansWith(plugins.map((plugin) => plugin.spans ?? {}));
  return [
    { scope: "wirespan.connections", signals: connections },
    { scope: "wirespan.agent", signals: INTERNAL_TELEMETRY },
    { scope: "wirespan.viewer", signals: FINDING },
    ...plugins.map(({ name, signals }) => ({ scope: `wirespan.${name}`, signals })),
  ];
}
