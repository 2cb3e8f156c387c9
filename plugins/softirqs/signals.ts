// What softirqs reports.
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

/** Only with the setting `perCpu`. */
export const CPU = {
  "cpu.logical_number": {
    type: "int",
    requirement: "opt_in",
    description: "The CPU (setting `perCpu`).",
  },
} as const satisfies AttributeSpecs;

const VECTOR = {
  "wirespan.softirq.vector": {
    type: "string",
    requirement: "required",
    description:
      "The vector as the kernel names it, in lower case: hi, timer, net_tx, net_rx, block, irq_poll, tasklet, sched, hrtimer, rcu.",
  },
  ...CPU,
} as const satisfies AttributeSpecs;

export const signals = {
  duration: {
    signal: "metric",
    instrument: "histogram",
    name: "wirespan.softirq.duration",
    unit: "s",
    description: "Duration of one run of a softirq vector, including interrupts that occurred meanwhile.",
    attributes: VECTOR,
  },
  time: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.softirq.time",
    unit: "s",
    description: "Time spent in a softirq vector.",
    attributes: VECTOR,
  },
  runs: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.softirq.runs",
    unit: "{run}",
    description: "Runs of a softirq vector, as /proc/softirqs counts them.",
    attributes: VECTOR,
  },
  latency: {
    signal: "metric",
    instrument: "histogram",
    name: "wirespan.softirq.latency",
    unit: "s",
    description: "Time between the first raise of a softirq vector and its run.",
    attributes: VECTOR,
  },
  polls: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.softirq.napi.polls",
    unit: "{poll}",
    description: "NAPI polls of network devices, most of them in net_rx.",
    attributes: CPU,
  },
  packets: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.softirq.napi.packets",
    unit: "{packet}",
    description: "Packets that these polls processed.",
    attributes: CPU,
  },
  exhausted: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.softirq.napi.exhausted",
    unit: "{poll}",
    description: "Polls that exhausted their budget, which means that more packets were waiting.",
    attributes: CPU,
  },
} as const satisfies Signals;
