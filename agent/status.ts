// What the agent reports about itself on request.

import { fits, type Shape } from "../core/base/shape.ts";
import { VERSION } from "../core/base/version.ts";
import type { ConnectionBalance } from "../core/engine/balance.ts";
import type { Engine } from "../core/engine/engine.ts";
import { degradation, stateOf } from "../core/engine/missing-hooks.ts";
import { countersOf } from "../core/engine/readings.ts";
import type { ExportCounts, Exporter, Kind } from "../exporters/exporter.ts";

export interface Status {
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  readonly plugins: readonly {
    readonly name: string;
    readonly state: "running" | "degraded" | "failed";
    /** Why it failed, or what it cannot observe. */
    readonly error?: string;
  }[];
  /** Limitations of the agent's environment, in words. */
  readonly limits: readonly string[];
  readonly exporters: readonly {
    readonly name: string;
    readonly type: string;
    readonly queue: { readonly bytes: number; readonly limit: number };
    readonly balance: Readonly<Record<Kind, ExportCounts>>;
  }[];
  /** The balance of connections, counted per end. */
  readonly connections: ConnectionBalance;
  /** Counts of trace contexts, by outcome; absent if none are read. */
  readonly correlation?: Readonly<Record<string, number>>;
  /** Files in which OpenSSL's functions are traced; absent unless `correlate.tlsUprobe` is true. */
  readonly tlsLibraries?: readonly string[];
  /** Events that this kernel did not show to any program, as far as later events prove them. */
  readonly unseen: number;
  /** The programs' own counters, by plugin; `connections` is the tracker. */
  readonly accounts: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export function statusOf(engine: Engine, exporters: readonly Exporter[]): Status {
  return {
    version: VERSION,
    pid: process.pid,
    uptimeSeconds: Math.round(process.uptime()),
    plugins: [
      ...engine.runners.map(({ plugin, hooks }) => {
        const error = degradation({ name: plugin.name, hooks });
        return { name: plugin.name, state: stateOf(hooks), ...(error !== undefined && { error }) };
      }),
      ...engine.failed.map(({ name, error }) => ({ name, state: "failed" as const, error: error.message })),
    ],
    limits: engine.limits,
    exporters: exporters.map((exporter) => ({
      name: exporter.name,
      type: exporter.type,
      queue: { bytes: exporter.queue.bytes, limit: exporter.queue.limit },
      balance: {
        span: exporter.counts("span"),
        point: exporter.counts("point"),
        event: exporter.counts("event"),
      },
    })),
    connections: engine.connections,
    ...(engine.correlation && { correlation: { ...engine.correlation.counts } }),
    ...(engine.correlation?.tlsLibraries && { tlsLibraries: engine.correlation.tlsLibraries.paths }),
    unseen: engine.unseen,
    accounts: countersOf(engine.readers),
  };
}

const BALANCE: Shape = { given: "number", acknowledged: "number", queued: "number", lost: { "*": "number" } };

const STATUS: Shape = {
  version: "string",
  pid: "number",
  uptimeSeconds: "number",
  plugins: [{ name: "string", state: "string" }],
  limits: ["string"],
  exporters: [
    {
      name: "string",
      type: "string",
      queue: { bytes: "number", limit: "number" },
      balance: { span: BALANCE, point: BALANCE, event: BALANCE },
    },
  ],
  connections: { opened: "number", ended: "number", living: "number", lost: { "*": "number" } },
  unseen: "number",
  accounts: { "*": { "*": "number" } },
};

/** Whether a response is a status, as far as its readers rely on it. */
export const isStatus = (value: unknown): value is Status => fits(value, STATUS);
