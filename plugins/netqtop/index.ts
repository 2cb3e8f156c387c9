// netqtop: what every queue of every interface carries.
import { CONNECTION, WORKLOAD } from "../../core/attributes.ts";
import { WirespanError } from "../../core/errors.ts";
import { bytes } from "../../core/histogram.ts";
import { plugin } from "../../core/plugin.ts";
import type { AttributeSpecs } from "../../core/signals.ts";
import { Queues } from "./queues.ts";
import { SIZES } from "./sizes.ts";
import { trace } from "./trace.ts";
import { bpf } from "./wire.gen.ts";

const QUEUE = {
  "network.interface.name": {
    type: "string",
    requirement: "required",
    description: "The interface, as it is called now.",
  },
  "wirespan.interface.index": {
    type: "int",
    requirement: "required",
    description: "Its number within its network namespace, which stays when it is renamed.",
  },
  "wirespan.netns.inode": CONNECTION["wirespan.netns.inode"],
  "network.io.direction": {
    type: "string",
    requirement: "required",
    enum: ["transmit", "receive"],
    description: "The direction, from this host's view.",
  },
  "wirespan.netdev.queue.id": {
    type: "int",
    requirement: "required",
    description: "The queue, from 0; 0 where a driver does not say by which it received.",
  },
  "otel.metric.overflow": WORKLOAD["otel.metric.overflow"],
} as const satisfies AttributeSpecs;

const SIZE = {
  "wirespan.netdev.frame.size": {
    type: "string",
    requirement: "required",
    enum: SIZES,
    usual: 2,
    description: "The frame's range of sizes, bytes, the upper end excluded.",
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

export default plugin({
  name: "netqtop",
  summary: "Frames, packets and bytes of every queue of every network interface, and how large they are.",

  config: {
    interfaces: {
      doc: "Names of the interfaces, at most 8, in every network namespace; none: all.",
      format: "strings",
      default: [],
    },
    loopback: { doc: "Loopback interfaces, too.", format: "boolean", default: false },
  },

  bpf,
  filters: ["netns"],
  probes: {
    "frames sent": { programs: ["on_transmit"] },
    "frames received": { programs: ["on_receive"] },
  },

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
      description: "Bytes of these frames, the link layer's header included both ways.",
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
  },

  constants({ interfaces, loopback }) {
    if (interfaces.length > MOST_NAMES) {
      throw new WirespanError(
        "CONFIG_INVALID",
        `netqtop: ${interfaces.length} interfaces, but ${MOST_NAMES} at most`,
      );
    }
    return { loopback: loopback ? 1 : 0, names: interfaces.length, name: interfaces.map(nameBytes) };
  },

  start({ emit }) {
    const queues = new Queues();
    return {
      evicted: (queue) => queues.take(queue),
      queues(rows) {
        for (const queue of queues.sums(rows.perCpu())) {
          const series = {
            "network.interface.name": queue.interface,
            "wirespan.interface.index": queue.ifindex,
            "wirespan.netns.inode": queue.netns,
            "network.io.direction": queue.way,
            "wirespan.netdev.queue.id": queue.queue,
          } as const;
          emit.packets.observe(queue.packets, series);
          emit.io.observe(queue.sum, series);
          emit.size.observe(bytes(queue), series);
          for (const [i, frames] of queue.classes.entries())
            if (frames) emit.frames.observe(frames, { ...series, "wirespan.netdev.frame.size": SIZES[i]! });
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
