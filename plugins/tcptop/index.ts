// tcptop: who moves bytes over TCP.

import { plugin } from "../../core/plugin/plugin.ts";
import { CONNECTION } from "../../core/plugin/semconv.ts";
import { services } from "../../core/plugin/services.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";
import { Flows, ORDERS } from "./flows.ts";
import { ProcessRows } from "./process-rows.ts";
import { skeleton, type Task } from "./tcptop.skel.ts";
import { Top } from "./top.ts";
import { trace } from "./trace.ts";

const PROCESS = {
  "process.pid": {
    ...CONNECTION["process.pid"],
    requirement: "conditional",
    usual: "each",
    description: "The process whose connections they are; absent in the overflow series.",
  },
  "process.executable.name": CONNECTION["process.executable.name"],
  "network.io.direction": {
    type: "string",
    requirement: "required",
    enum: ["transmit", "receive"],
    description: "The direction, from this host's view.",
  },
  "otel.metric.overflow": {
    type: "boolean",
    requirement: "conditional",
    description: "True for the series of all processes without a series of their own.",
  },
} as const satisfies AttributeSpecs;

const FLOW = {
  ...CONNECTION,
  "wirespan.connection.id": { ...CONNECTION["wirespan.connection.id"], requirement: "conditional" },
  "wirespan.connection.direction": {
    ...CONNECTION["wirespan.connection.direction"],
    requirement: "conditional",
  },
  "wirespan.tcp.bytes_sent": {
    type: "int",
    requirement: "required",
    description: "Payload that the peer acknowledged since the last collection, bytes.",
  },
  "wirespan.tcp.bytes_received": {
    type: "int",
    requirement: "required",
    description: "Payload received in order since the last collection, bytes.",
  },
  "wirespan.tcp.top.others": {
    type: "int",
    requirement: "conditional",
    description: "How many connections the event sums up: all that have no event of their own.",
  },
} as const satisfies AttributeSpecs;

export default plugin({
  name: "tcptop",
  summary: "Who moves bytes over TCP: the processes, and the connections, that move most.",

  config: {
    processes: {
      doc: "How many processes, those that move most, have a series of their own; all others are summed in one.",
      format: "count",
      default: 50,
    },
    connections: {
      doc: "Connections that get an event at each collection: those that moved most, plus one event for all others; 0: none.",
      format: "count",
      default: 0,
    },
    sort: {
      doc: "What connections are compared by: all bytes, those sent or those received.",
      format: ORDERS,
      default: "all",
    },
  },

  skeleton,
  probes: { "ends of connections": { programs: ["on_close"] } },
  uses: { connections: services.connections, clock: services.clock },

  signals: {
    io: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.process.io",
      unit: "By",
      description:
        "Payload of a process's TCP connections, acknowledged by the peer or received in order, since it has had a series of its own.",
      attributes: PROCESS,
    },
    flow: {
      signal: "event",
      name: "wirespan.tcp.top",
      severity: "INFO",
      description: "What moved over a connection since the last collection.",
      attributes: FLOW,
    },
  },

  series: ({ processes }) => ({ io: 2 * processes + 2 }),
  constants: ({ connections }) => ({ by_connection: connections > 0 }),

  start({ config, emit, use: { connections, clock } }) {
    const top = new Top<Task>(config.processes);
    const rows = new ProcessRows(top);
    const flows = new Flows(config.connections, config.sort);

    function observeProcesses(): void {
      for (const { who, sent, received, startNs } of top.shares) {
        const process = { "process.pid": who.pid, "process.executable.name": connections.executable(who) };
        const resource = connections.resource(who);
        emit.io.observe(sent, { ...process, "network.io.direction": "transmit" }, resource, startNs);
        emit.io.observe(received, { ...process, "network.io.direction": "receive" }, resource, startNs);
      }
      const { sent, received } = top.rest;
      const others = { "otel.metric.overflow": true } as const;
      emit.io.observe(sent, { ...others, "network.io.direction": "transmit" });
      emit.io.observe(received, { ...others, "network.io.direction": "receive" });
    }

    return {
      sweep(swept) {
        for (const flow of swept) flows.add(flow, connections);
      },
      closed(table) {
        for (const [, flow] of table) {
          flows.add(flow, connections);
          table.remove();
        }
      },
      processes: (table) => rows.read(table),
      rests(table) {
        for (const [{ value }, { sentBytes, receivedBytes }] of table) {
          const all = { sent: sentBytes, received: receivedBytes };
          if (value === 0) rows.readRest(all);
          else flows.readRest(all);
        }
      },
      collected() {
        const nowNs = clock.bootNow();
        const time = clock.wall(nowNs);
        top.settle(nowNs);
        observeProcesses();
        for (const { attributes, resource } of flows.take()) {
          emit.flow({ time, attributes, ...(resource && { resource }) });
        }
      },
    };
  },

  trace,
});
