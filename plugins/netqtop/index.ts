// netqtop: what every queue of every interface carries.
import { WirespanError } from "../../core/plugin/errors.ts";
import { bytes } from "../../core/plugin/histogram.ts";
import { limited } from "../../core/plugin/log.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { services } from "../../core/plugin/services.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";
import { QUEUE } from "./attributes.ts";
import { DETAILS, detailHandlers } from "./details.ts";
import { skeleton } from "./netqtop.skel.ts";
import { accountOf, Queues } from "./queues.ts";
import { SIZES } from "./sizes.ts";
import { Stacked } from "./stacked.ts";
import { trace } from "./trace.ts";

const SIZE = {
  "wirespan.netdev.frame.size": {
    type: "string",
    requirement: "conditional",
    enum: SIZES,
    usual: 2,
    description:
      "The frame's size range in bytes, upper bound excluded; absent from what an interface on top of another receives.",
  },
} as const satisfies AttributeSpecs;

/** The series that takes what is no queue's; of its attributes the overflow mark alone leaves. */
const OVERFLOW = {
  "otel.metric.overflow": true,
  "network.interface.name": "",
  "wirespan.interface.index": 0,
  "network.io.direction": "transmit",
  "wirespan.netdev.queue.id": 0,
} as const;

const MOST_NAMES = 8;

const UNKNOWN =
  "netqtop: what interfaces on top of others (VLAN, macvlan, bond ...) receive is not known in some network namespaces: entering them requires CAP_SYS_ADMIN and CAP_SYS_PTRACE";

export default plugin({
  name: "netqtop",
  summary: "Frames, packets and bytes of every queue of every network interface, and how large they are.",

  config: {
    interfaces: {
      doc: "Names of the interfaces, at most 8, in every network namespace; empty: all.",
      format: "strings",
      default: [],
    },
    loopback: { doc: "Include loopback interfaces.", format: "boolean", default: false },
    transmitFailures: {
      doc: "Count frames that a driver does not take. One more program runs for each frame sent; it returns at once if the driver took the frame.",
      format: "boolean",
      default: false,
    },
    polls: {
      doc: "Count the polls of each interface's driver and what they took: one program runs for each poll, not for each packet.",
      format: "boolean",
      default: false,
    },
    queueWait: {
      doc: "Measure how long each frame waits in the queueing discipline: two more programs run for each frame that waits.",
      format: "boolean",
      default: false,
    },
  },

  skeleton,
  filters: ["netns"],
  probes: {
    "frames sent": { programs: ["on_transmit"] },
    "frames received": { programs: ["on_receive"] },
    "what drivers answer": {
      programs: ["on_handed_over"],
      setting: "transmitFailures",
      lostWithout: "frames that a driver does not take",
    },
    polls: { programs: ["on_poll"], setting: "polls", lostWithout: "polls of drivers" },
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

  signals: {
    packets: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.netdev.queue.packets",
      unit: "{packet}",
      description:
        "Packets on the wire: a frame that is segmented later (GSO), or was put together (GRO), is many.",
      attributes: QUEUE,
    },
    frames: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.netdev.queue.frames",
      unit: "{frame}",
      description: "Frames handed over between stack and driver: what the interface's own statistics count.",
      attributes: { ...QUEUE, ...SIZE },
    },
    io: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.netdev.queue.io",
      unit: "By",
      description:
        "Bytes of these frames as the interface's own statistics count them: including the link-layer header, except for what bridges receive, and for vxlan and geneve.",
      attributes: QUEUE,
    },
    size: {
      signal: "metric",
      instrument: "histogram",
      name: "wirespan.netdev.queue.packet.size",
      unit: "By",
      description: "Sizes of the frames.",
      attributes: QUEUE,
    },
    ...DETAILS,
  },

  series: ({ transmitFailures, polls, queueWait }) => ({
    ...(transmitFailures ? {} : { failures: 0 }),
    ...(polls ? {} : { polls: 0, polled: 0, exhausted: 0 }),
    ...(queueWait ? {} : { wait: 0 }),
  }),

  constants({ interfaces, loopback }) {
    if (interfaces.length > MOST_NAMES) {
      throw new WirespanError(
        "CONFIG_INVALID",
        `netqtop: ${interfaces.length} interfaces, but ${MOST_NAMES} at most`,
      );
    }
    return { loopback: loopback ? 1 : 0, names: interfaces.length, name: interfaces.map(nameBytes) };
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
      (error) => limited(log, "stacked", 600_000).warn({ error }, UNKNOWN),
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
          emit.packets.observe(rest, OVERFLOW);
          emit.io.observe(io, OVERFLOW);
          emit.frames.observe(frames, { ...OVERFLOW, "wirespan.netdev.frame.size": "0-64" });
        }
      },
    };
  },

  trace,
});

/** As struct net_device holds it. */
function nameBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(Buffer.from(name).subarray(0, 15));
  return bytes;
}
