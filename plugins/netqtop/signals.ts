// What netqtop reports.
import { IO_DIRECTION, NETNS } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

/** Ranges of frame sizes: bcc's five, and larger ones. Bytes, upper bound excluded. */
export const SIZES = ["0-64", "64-512", "512-2048", "2048-16384", "16384-65536", "65536-"] as const;

const INTERFACE = {
  "network.interface.name": {
    type: "string",
    requirement: "required",
    description: "The interface's current name.",
  },
  "wirespan.interface.index": {
    type: "int",
    requirement: "required",
    description: "The interface's index in its network namespace, which does not change if it is renamed.",
  },
  ...NETNS,
} as const satisfies AttributeSpecs;

const QUEUE = {
  ...INTERFACE,
  ...IO_DIRECTION,
  "wirespan.netdev.queue.id": {
    type: "int",
    requirement: "required",
    description: "The queue, from 0; 0 if the driver does not report which queue received the frame.",
  },
} as const satisfies AttributeSpecs;

const SIZE = {
  "wirespan.netdev.frame.size": {
    type: "string",
    requirement: "conditional",
    enum: SIZES,
    expectedValues: 2,
    description:
      "The frame's size range in bytes, upper bound excluded; absent for frames received by an interface on top of another.",
  },
} as const satisfies AttributeSpecs;

export const RESULTS = ["busy", "dropped", "congested", "error"] as const;

const RESULT = {
  "wirespan.netdev.transmit.result": {
    type: "string",
    requirement: "required",
    enum: RESULTS,
    expectedValues: 1,
    description:
      "The driver's result: busy (the frame stays queued), dropped, congested (accepted, with a congestion notification), or an error.",
  },
} as const satisfies AttributeSpecs;

/** Only with the settings that enable them. */
export const DETAILS = {
  failures: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.transmit.failures",
    unit: "{frame}",
    description: "Frames passed to a driver that did not accept them (setting `transmitFailures`).",
    attributes: { ...INTERFACE, ...RESULT },
  },
  wait: {
    signal: "metric",
    instrument: "histogram",
    name: "wirespan.netdev.queue.wait",
    unit: "s",
    description: "Time that frames waited in a transmit queue's queueing discipline (setting `queueWait`).",
    attributes: QUEUE,
  },
  polls: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.napi.polls",
    unit: "{poll}",
    description: "NAPI polls of the interface's driver (setting `polls`).",
    attributes: INTERFACE,
  },
  polled: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.napi.packets",
    unit: "{packet}",
    description: "Packets that these polls processed (setting `polls`).",
    attributes: INTERFACE,
  },
  exhausted: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.napi.exhausted",
    unit: "{poll}",
    description:
      "Polls that exhausted their budget, which means that more packets were waiting (setting `polls`).",
    attributes: INTERFACE,
  },
} as const satisfies Signals;

export const signals = {
  packets: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.queue.packets",
    unit: "{packet}",
    description:
      "Packets on the wire: a frame that is segmented later (GSO) or was merged (GRO) counts as many.",
    attributes: QUEUE,
  },
  frames: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.queue.frames",
    unit: "{frame}",
    description: "Frames passed between stack and driver, as the interface's own statistics count them.",
    attributes: { ...QUEUE, ...SIZE },
  },
  io: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.netdev.queue.io",
    unit: "By",
    description:
      "Bytes of these frames as the interface's own statistics count them: with the link-layer header, except for frames that bridges receive, and for vxlan and geneve.",
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
} as const satisfies Signals;
