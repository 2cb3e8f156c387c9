// softirqs: time in each softirq vector, and the wait between raise and run.
import { seconds } from "../../core/histogram.ts";
import { plugin } from "../../core/plugin.ts";
import { services } from "../../core/services.ts";
import type { AttributeSpecs } from "../../core/signals.ts";
import { trace } from "./trace.ts";
import { bpf } from "./wire.gen.ts";

const VECTOR = {
  "wirespan.softirq.vector": {
    type: "string",
    requirement: "required",
    description:
      "The vector as the kernel names it, in lower case: hi, timer, net_tx, net_rx, block, irq_poll, tasklet, sched, hrtimer, rcu.",
  },
} as const satisfies AttributeSpecs;

export default plugin({
  name: "softirqs",
  summary: "Time in each softirq, how often it ran, and how long it had to wait for a CPU.",

  config: {},

  bpf,
  probes: {
    runs: { programs: ["on_entry"] },
    "ends of runs": { programs: ["on_exit"] },
    raises: { programs: ["on_raise"], without: "the wait between raise and run" },
  },
  uses: { kernel: services.kernel },

  signals: {
    duration: {
      signal: "metric",
      instrument: "histogram",
      name: "wirespan.softirq.duration",
      unit: "s",
      description: "Time of one run of a softirq vector, interrupts that came meanwhile included.",
      attributes: VECTOR,
    },
    time: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.softirq.time",
      unit: "s",
      description: "Time spent in a softirq vector, on all CPUs.",
      attributes: VECTOR,
    },
    runs: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.softirq.runs",
      unit: "{run}",
      description: "Runs of a softirq vector begun: what /proc/softirqs counts.",
      attributes: VECTOR,
    },
    latency: {
      signal: "metric",
      instrument: "histogram",
      name: "wirespan.softirq.latency",
      unit: "s",
      description: "Wait between the first raise of a softirq vector and its run.",
      attributes: VECTOR,
    },
  },

  start({ emit, use }) {
    const names = use.kernel.enumNames("NET_RX_SOFTIRQ");
    const nameOf = (vector: number) =>
      names
        .get(vector)
        ?.replace(/_SOFTIRQ$/, "")
        .toLowerCase() ?? String(vector);
    return {
      vectors(rows) {
        for (const [{ value }, { runs, time, wait }] of rows) {
          if (!runs) continue;
          const vector = { "wirespan.softirq.vector": nameOf(value) };
          emit.runs.observe(runs, vector);
          emit.time.observe(time.sumNs / 1e9, vector);
          emit.duration.observe(seconds(time), vector);
          if (wait.count) emit.latency.observe(seconds(wait), vector);
        }
      },
    };
  },

  trace,
});
