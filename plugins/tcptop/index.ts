// tcptop: the processes and connections with the most TCP traffic.

import { plugin } from "../../core/plugin/plugin.ts";
import { services } from "../../core/plugin/services.ts";
import { Flows, ORDERS } from "./flows.ts";
import { ProcessRows } from "./process-rows.ts";
import { signals } from "./signals.ts";
import { skeleton, type Task } from "./tcptop.skel.ts";
import { Top } from "./top.ts";
import { trace } from "./trace.ts";

export default plugin({
  name: "tcptop",
  summary: "TCP traffic by process and by connection, largest first.",

  config: {
    processes: {
      doc: "How many processes have a series of their own: those with the most traffic. All others are summed in one.",
      format: "count",
      default: 50,
    },
    connections: {
      doc: "Connections reported as an event at each collection: those with the most traffic, plus one event for all others; 0: none.",
      format: "count",
      default: 0,
    },
    sort: {
      doc: "What connections are sorted by: all bytes, bytes sent or bytes received.",
      format: ORDERS,
      default: "all",
    },
  },

  skeleton,
  probes: { "ends of connections": { programs: ["on_close"] } },
  uses: { connections: services.connections, clock: services.clock },

  signals,

  series: ({ processes }) => ({ io: 2 * processes + 2 }),
  constants: ({ connections }) => ({ by_connection: connections > 0 }),

  start({ config, emit, use: { connections, clock } }) {
    const top = new Top<Task>(config.processes);
    const rows = new ProcessRows(top);
    const flows = new Flows(config.connections, config.sort);

    function observeProcesses(): void {
      for (const { who, sent, received, startNs } of top.shares) {
        if (connections.waits(who)) continue;
        const process = { "process.pid": who.pid, "process.executable.name": connections.executable(who) };
        const resource = connections.resource(who);
        emit.io.observe(sent, { ...process, "network.io.direction": "transmit" }, resource, startNs);
        emit.io.observe(received, { ...process, "network.io.direction": "receive" }, resource, startNs);
      }
      const { sent, received } = top.rest;
      emit.io.overflow(sent, "transmit");
      emit.io.overflow(received, "receive");
    }

    return {
      sweep(swept) {
        for (const flow of swept) {
          if (connections.waits(flow.conn.owner)) flows.addToRest(flow);
          else flows.add(flow, connections);
        }
      },
      closed(table) {
        for (const [, flow] of table) {
          if (connections.waits(flow.conn.owner)) continue;
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
