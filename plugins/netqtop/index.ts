// netqtop: traffic of each queue of each interface.
import { WirespanError } from "../../core/plugin/errors.ts";
import { bytes } from "../../core/plugin/histogram.ts";
import { rateLimited } from "../../core/plugin/log.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { services } from "../../core/plugin/services.ts";
import { detailHandlers } from "./details.ts";
import { skeleton } from "./netqtop.skel.ts";
import { accountOf, Queues } from "./queues.ts";
import { SIZES, signals } from "./signals.ts";
import { Stacked } from "./stacked.ts";
import { trace } from "./trace.ts";

const MOST_NAMES = 8;

const UNKNOWN =
  "netqtop: no received frames of interfaces on top of others (VLAN, macvlan, bond ...) for some network namespaces: entering them requires CAP_SYS_ADMIN and CAP_SYS_PTRACE";

export default plugin({
  name: "netqtop",
  summary: "Network interfaces by queue: frames, packets, bytes, and frame sizes.",

  config: {
    interfaces: {
      doc: "Interfaces to observe, by name, at most 8, in every network namespace; empty: all.",
      format: "strings",
      default: [],
    },
    loopback: { doc: "Include loopback interfaces.", format: "boolean", default: false },
    transmitFailures: {
      doc: "Count frames that a driver does not accept. One more program runs for each frame sent; it returns at once if the driver accepted the frame.",
      format: "boolean",
      default: false,
    },
    polls: {
      doc: "Count the NAPI polls of each interface's driver and their packets. One program runs for each poll, not for each packet.",
      format: "boolean",
      default: false,
    },
    queueWait: {
      doc: "Measure how long each frame waits in the queueing discipline. Two more programs run for each frame that waits.",
      format: "boolean",
      default: false,
    },
  },

  skeleton,
  filters: ["netns"],
  probes: {
    "frames sent": { programs: ["on_transmit"] },
    "frames received": { programs: ["on_receive"] },
    "results of drivers": {
      programs: ["on_handed_over"],
      setting: "transmitFailures",
      lostWithout: "frames that a driver does not accept",
    },
    polls: { programs: ["on_poll"], setting: "polls", lostWithout: "NAPI polls of drivers" },
    "frames that begin to wait": {
      programs: ["on_enqueue"],
      setting: "queueWait",
      lostWithout: "how long frames wait",
    },
    "frames that have waited": {
      programs: ["on_dequeue"],
      setting: "queueWait",
      lostWithout: "how long frames wait",
    },
  },
  uses: { interfaces: services.interfaces, log: services.log, namespaces: services.namespaces },

  signals,

  series: ({ transmitFailures, polls, queueWait }) => ({
    ...(transmitFailures ? {} : { failures: 0 }),
    ...(polls ? {} : { polls: 0, polled: 0, exhausted: 0 }),
    ...(queueWait ? {} : { wait: 0 }),
  }),

  constants({ interfaces, loopback }) {
    if (interfaces.length > MOST_NAMES) {
      throw new WirespanError(
        "CONFIG_INVALID",
        `plugins.netqtop.interfaces: ${interfaces.length} names, at most ${MOST_NAMES} are supported`,
      );
    }
    return { loopback, names: interfaces.length, name: interfaces.map(nameBytes) };
  },

  sizes: ({ transmitFailures, polls, queueWait }) => ({
    ...(transmitFailures || polls ? {} : { links: 1 }),
    ...(queueWait ? {} : { waits: 1, waiting: 1 }),
  }),

  start({ config, emit, use: { interfaces, log, namespaces } }) {
    const queues = new Queues();
    const names = config.interfaces.map((name) => name.slice(0, 15));
    const stacked = new Stacked(
      () => interfaces.read(),
      (name) => names.length === 0 || names.includes(name),
      (error) => rateLimited(log, "stacked", 600_000).warn({ error }, UNKNOWN),
    );
    return {
      ...detailHandlers(emit, namespaces),
      evicted: (queue) => queues.take(queue),
      queues(rows) {
        for (const queue of queues.sums(rows.perCpu())) {
          const series = {
            "network.interface.name": queue.interface,
            "wirespan.interface.index": queue.ifindex,
            ...namespaces.attributes(queue.netnsCookie, queue.netns),
            "network.io.direction": queue.way,
            "wirespan.netdev.queue.id": queue.queue,
          } as const;
          emit.packets.observe(queue.packets, series);
          emit.io.observe(accountOf(queue), series);
          emit.size.observe(bytes(queue), series);
          for (const [i, frames] of queue.classes.entries())
            if (frames) emit.frames.observe(frames, { ...series, "wirespan.netdev.frame.size": SIZES[i]! });
        }
        for (const received of stacked.received(queues.handsOn)) {
          if (!received.frames) continue;
          const series = {
            "network.interface.name": received.interface,
            "wirespan.interface.index": received.ifindex,
            ...namespaces.attributes(received.netnsCookie, received.netns),
            "network.io.direction": "receive",
            "wirespan.netdev.queue.id": 0,
          } as const;
          emit.frames.observe(received.frames, series);
          emit.io.observe(received.bytes, series);
        }
        const { frames, packets: rest, bytes: io } = queues.rest;
        if (frames) {
          emit.packets.overflow(rest);
          emit.io.overflow(io);
          emit.frames.overflow(frames);
        }
      },
    };
  },

  trace,
});

/** As in struct net_device. */
function nameBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(Buffer.from(name).subarray(0, 15));
  return bytes;
}
