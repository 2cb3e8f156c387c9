// What a series of netqtop is about.
import { NETNS, WORKLOAD } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";

export const INTERFACE = {
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
  ...NETNS,
  "otel.metric.overflow": WORKLOAD["otel.metric.overflow"],
} as const satisfies AttributeSpecs;

const { "otel.metric.overflow": overflow, ...whose } = INTERFACE;

export const QUEUE = {
  ...whose,
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
  "otel.metric.overflow": overflow,
} as const satisfies AttributeSpecs;
