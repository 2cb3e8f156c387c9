// The agent's internal telemetry: what was seen, exported and lost, and how full queues and tables are.
import { skeleton as tracker } from "../bpf/tracker/tracker.skel.ts";
import type { Config } from "../config/config.ts";
import { LOSSES } from "../core/engine/balance.ts";
import { UNREAD } from "../core/engine/correlation.ts";
import type { Engine } from "../core/engine/engine.ts";
import { createInstruments } from "../core/engine/instruments.ts";
import { stateOf } from "../core/engine/missing-hooks.ts";
import { countersOf, programsOf, ringsOf } from "../core/engine/readings.ts";
import type { Plugin } from "../core/plugin/plugin.ts";
import type { AttributeSpecs, Metric, Resource, Scope, Signals, Sink } from "../core/plugin/signals.ts";
import type { Skeleton } from "../core/plugin/skeleton.ts";
import { type Exporter, type Kind, LOSS_CAUSES } from "../exporters/exporter.ts";
import type { ExpectedSeries } from "./cardinality.ts";

const OWNER = {
  "wirespan.plugin.name": {
    type: "string",
    requirement: "required",
    description: "The plugin; `connections` is the core's own program.",
  },
} as const satisfies AttributeSpecs;

const COMPONENT = {
  "otel.component.name": {
    type: "string",
    requirement: "required",
    description: "The exporter's name in the configuration.",
  },
} as const satisfies AttributeSpecs;

const EXPORTED = {
  ...COMPONENT,
  "otel.component.type": {
    type: "string",
    requirement: "required",
    description:
      "`otlp_grpc_span_exporter` and so on: protocol, encoding and signal, as in OpenTelemetry's registry.",
  },
  "error.type": {
    type: "string",
    requirement: "conditional",
    enum: LOSS_CAUSES,
    description:
      "Why these were lost; `unconfirmed`: the backend's response did not say whether they were accepted; absent: they were acknowledged.",
  },
} as const satisfies AttributeSpecs;

const exported = (name: string, unit: string, what: string) =>
  ({
    signal: "metric",
    instrument: "counter",
    name,
    unit,
    description: `${what} that an exporter is done with.`,
    attributes: EXPORTED,
  }) as const;

export const INTERNAL_TELEMETRY = {
  events: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.agent.events",
    unit: "{event}",
    description:
      "What BPF programs counted in the kernel: records to send, and other events of theirs such as losses.",
    attributes: {
      ...OWNER,
      "wirespan.agent.event.kind": {
        type: "string",
        requirement: "required",
        description: "The counter's name in the program.",
      },
    },
  },
  lost: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.agent.connection.lost",
    unit: "{connection}",
    description: "Connections, one end each, whose end is not reported.",
    attributes: {
      "error.type": {
        type: "string",
        requirement: "required",
        enum: LOSSES,
        description:
          "unseen: the kernel did not show the end to any program; no_memory: the kernel had no memory to track the connection.",
      },
    },
  },
  unseen: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.agent.event.unseen",
    unit: "{event}",
    description: "Events that the kernel did not show to any program, as far as later events prove them.",
    attributes: {},
  },
  contexts: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.correlate.contexts",
    unit: "{context}",
    description: "Trace contexts of applications' requests that were read.",
    attributes: {
      "wirespan.context.source": {
        type: "string",
        requirement: "required",
        enum: ["header", "table", "thread", "uprobe"],
        description:
          "How it is known: a header that was read, the table that the application keeps, its thread's record, a header in what the application handed to OpenSSL.",
      },
      "network.io.direction": {
        type: "string",
        requirement: "required",
        enum: ["transmit", "receive"],
        description: "Whether this end sent the request or received it.",
      },
    },
  },
  unread: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.correlate.unread",
    unit: "{context}",
    description: "Trace contexts that were not read, or that are not relied on.",
    attributes: {
      "error.type": {
        type: "string",
        requirement: "required",
        enum: UNREAD,
        description:
          "ambiguous: the bytes cannot be assigned with certainty (requests that do not wait for the response to the last one, two contexts in one head); beyond_window: the head is longer than correlate.window, or the message is and has none, or another request behind it; contradicted: the table, or the thread, names another than the header; interrupted: a program was not run, because it ran on the same CPU; invalid: the W3C forbids it; no_memory: the kernel had none; overrun: a table's records were overwritten before they were read; refused_announcement: a table was announced that is malformed or not the sender's own; replaced: an event's bytes had a context, but too many newer ones had come before the bytes were acknowledged; sent_later: OpenSSL was given a request, and its bytes were sent after the call; thread_unreadable: a process whose threads publish contexts that cannot be found, or not without CAP_SYS_PTRACE; torn: a table was being written; unreadable: the application's memory could not be read; unseen: what was sent before was shown to no program, as sendfile's data is not before Linux 6.5.",
      },
    },
  },
  inTraces: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.correlate.spans",
    unit: "{span}",
    description: "Spans reported in applications' own traces.",
    attributes: {},
  },
  suppressed: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.correlate.suppressed",
    unit: "{span}",
    description: "Spans that applications' own traces lack.",
    attributes: {
      "error.type": {
        type: "string",
        requirement: "required",
        enum: ["limit", "rate", "ring"],
        description:
          "limit: one request has had eight; rate: more than correlate.rate a second; ring: the ring had no room.",
      },
    },
  },
  tables: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.correlate.tables",
    unit: "{table}",
    description: "Tables of contexts that applications have announced.",
    attributes: {},
  },
  spans: exported("otel.sdk.exporter.span.exported", "{span}", "Spans"),
  points: exported("otel.sdk.exporter.metric_data_point.exported", "{data_point}", "Metric points"),
  logs: exported("otel.sdk.exporter.log.exported", "{log_record}", "Events"),
  queue: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.agent.queue.usage",
    unit: "By",
    description: "Bytes that wait in an exporter's queue.",
    attributes: COMPONENT,
  },
  queueLimit: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.agent.queue.limit",
    unit: "By",
    description: "The bound on an exporter's queue.",
    attributes: COMPONENT,
  },
  ring: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.agent.ring.usage",
    unit: "By",
    description: "Bytes that wait in the rings of a plugin's programs.",
    attributes: OWNER,
  },
  ringLimit: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.agent.ring.limit",
    unit: "By",
    description: "The size of the rings of a plugin's programs.",
    attributes: OWNER,
  },
  state: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.agent.plugin.state",
    unit: "{plugin}",
    description: "Plugins by state: 1 for the state that a plugin is in.",
    attributes: {
      ...OWNER,
      "wirespan.agent.plugin.state": {
        type: "string",
        requirement: "required",
        enum: ["running", "degraded", "failed"],
        description:
          "Whether its programs are attached; degraded: one that its main purpose requires is missing.",
      },
    },
  },
  bpfMisses: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.bpf.program.misses",
    unit: "{event}",
    description:
      "Events for which a program was not run, because they came in an interrupt while it ran on the same CPU.",
    attributes: {
      ...OWNER,
      "wirespan.bpf.program.name": { type: "string", requirement: "required", description: "The program." },
    },
  },
  bpfTime: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.bpf.program.time",
    unit: "s",
    description:
      "CPU time of a BPF program (self.bpfStats). The work of plugins at a change of state is part of the core's on_state, which calls their programs.",
    attributes: {
      ...OWNER,
      "wirespan.bpf.program.name": { type: "string", requirement: "required", description: "The program." },
    },
  },
} as const satisfies Signals;

/** Number of the agent's own series, as long as nothing is lost. */
export function internalSeries(config: Config, plugins: readonly Plugin[]): readonly ExpectedSeries[] {
  const running = plugins.filter(({ name }) => config.plugins[name]?.enabled);
  const programs: readonly Skeleton[] = [tracker, ...running.map(({ skeleton }) => skeleton)];
  const rings = programs.filter(({ records }) => Object.values(records).some(({ kind }) => kind === "ring"));
  const exporters = Object.values(config.exporters);
  const queues = exporters.filter(({ type }) => type !== "console");
  const counts: Partial<Record<keyof typeof INTERNAL_TELEMETRY, number>> = {
    lost: LOSSES.length,
    unseen: 1,
    events: programs.reduce((sum, { counters }) => sum + counters.length, 0),
    spans: exporters.length,
    points: exporters.length,
    logs: exporters.length,
    queue: queues.length,
    queueLimit: queues.length,
    ring: rings.length,
    ringLimit: rings.length,
    state: running.length,
    ...(config.correlate.enabled && {
      ...{ contexts: 4, unread: UNREAD.length, inTraces: 1, suppressed: 3, tables: 1 },
    }),
    ...(config.self.bpfStats && {
      bpfTime: programs.reduce((sum, skeleton) => sum + Object.keys(skeleton.programs).length, 0),
    }),
  };
  return Object.entries(counts).map(([key, series]) => ({
    plugin: "agent",
    metric: INTERNAL_TELEMETRY[key as keyof typeof INTERNAL_TELEMETRY].name,
    series,
    bounded: "by the configuration",
    expected: series,
    each: {},
  }));
}

const KINDS: readonly (readonly [Kind, "spans" | "points" | "logs"])[] = [
  ["span", "spans"],
  ["point", "points"],
  ["event", "logs"],
];

export interface InternalTelemetryOptions {
  readonly engine: Engine;
  readonly exporters: readonly Exporter[];
  readonly resource: Resource;
  readonly scope: Scope;
  /** Nanoseconds since boot. */
  readonly startNs: number;
  readonly sink: Sink;
  readonly bpfStats: boolean;
}

/** The internal metrics of one collection. */
export function createInternalTelemetry(
  options: InternalTelemetryOptions,
): (nowNs: number) => readonly Metric[] {
  const { engine, exporters, resource, scope, startNs, sink, bpfStats } = options;
  const { emit, collect } = createInstruments(INTERNAL_TELEMETRY, {
    ...{ scope, sink, host: resource, clock: engine.clock, startNs },
    maxSeries: 2000,
  });

  function observeExporter(exporter: Exporter): void {
    const component = { "otel.component.name": exporter.name };
    for (const [kind, key] of KINDS) {
      const balance = exporter.counts(kind);
      const ofKind = { ...component, "otel.component.type": exporter.componentType(kind) };
      emit[key].observe(balance.acknowledged, ofKind);
      for (const cause of LOSS_CAUSES) {
        const count = balance.lost[cause];
        if (count) emit[key].observe(count, { ...ofKind, "error.type": cause });
      }
    }
    if (!exporter.queue.limit) return;
    emit.queue.observe(exporter.queue.bytes, component);
    emit.queueLimit.observe(exporter.queue.limit, component);
  }

  function observeCorrelation(): void {
    const { correlation, inTraces } = engine;
    if (!correlation) return;
    const { headersSent, headersReceived, tablesSent, threadsSent, callsSent } = correlation.counts;
    const { suppressed, lost, announced } = correlation.counts;
    const context = (
      source: "header" | "table" | "thread" | "uprobe",
      direction: "transmit" | "receive",
      count: number,
    ) =>
      emit.contexts.observe(count, { "wirespan.context.source": source, "network.io.direction": direction });
    context("header", "transmit", headersSent);
    context("header", "receive", headersReceived);
    context("table", "transmit", tablesSent);
    context("thread", "transmit", threadsSent);
    context("uprobe", "transmit", callsSent);
    for (const reason of UNREAD) emit.unread.observe(correlation.unread[reason], { "error.type": reason });
    emit.inTraces.observe(inTraces.emitted, {});
    emit.suppressed.observe(suppressed, { "error.type": "limit" });
    emit.suppressed.observe(inTraces.beyondRate, { "error.type": "rate" });
    emit.suppressed.observe(lost, { "error.type": "ring" });
    emit.tables.observe(announced, {});
  }

  return (time) => {
    for (const [owner, counters] of Object.entries(countersOf(engine.readers))) {
      for (const [kind, count] of Object.entries(counters)) {
        emit.events.observe(count, { "wirespan.plugin.name": owner, "wirespan.agent.event.kind": kind });
      }
    }
    for (const cause of LOSSES) emit.lost.observe(engine.connections.lost[cause], { "error.type": cause });
    emit.unseen.observe(engine.unseen, {});
    observeCorrelation();
    const rings = Object.entries(Object.groupBy(ringsOf(engine.readers), (ring) => ring.owner));
    for (const [owner, list] of rings) {
      const plugin = { "wirespan.plugin.name": owner };
      emit.ring.observe(
        list!.reduce((sum, ring) => sum + ring.usage, 0),
        plugin,
      );
      emit.ringLimit.observe(
        list!.reduce((sum, ring) => sum + ring.limit, 0),
        plugin,
      );
    }
    for (const { plugin, hooks } of engine.runners) {
      emit.state.observe(1, {
        "wirespan.plugin.name": plugin.name,
        "wirespan.agent.plugin.state": stateOf(hooks),
      });
    }
    for (const { name } of engine.failed) {
      emit.state.observe(1, { "wirespan.plugin.name": name, "wirespan.agent.plugin.state": "failed" });
    }
    const worthDescribing = engine.objects.filter(([, { object }]) => bpfStats || object.misses > 0);
    for (const { owner, name, misses, runTimeNs } of programsOf(worthDescribing)) {
      const program = { "wirespan.plugin.name": owner, "wirespan.bpf.program.name": name };
      if (misses) emit.bpfMisses.observe(misses, program);
      if (bpfStats) emit.bpfTime.observe(runTimeNs / 1e9, program);
    }
    for (const exporter of exporters) observeExporter(exporter);
    return collect(time);
  };
}
