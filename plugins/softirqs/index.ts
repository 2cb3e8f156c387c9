// softirqs: time in each softirq vector, and the wait between raise and run.
import { seconds } from "../../core/plugin/histogram.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { services } from "../../core/plugin/services.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";
import { cpuBits } from "./cpus.ts";
import { skeleton } from "./softirqs.skel.ts";
import { trace } from "./trace.ts";

const CPU = {
  "cpu.logical_number": {
    type: "int",
    requirement: "opt_in",
    description: "The CPU; with `perCpu` only.",
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

export default plugin({
  name: "softirqs",
  summary: "Time in each softirq, how often it ran, and how long it had to wait for a CPU.",

  config: {
    perCpu: {
      doc: "One series for each CPU instead of their sum.",
      format: "boolean",
      default: false,
    },
    cpus: {
      doc: "Watch these CPUs only: numbers and ranges, such as 0, 2-5. Empty: all.",
      format: "strings",
      default: [],
    },
  },

  skeleton,
  filters: [],
  probes: {
    runs: { programs: ["on_entry"] },
    "ends of runs": { programs: ["on_exit"] },
    raises: { programs: ["on_raise"], lostWithout: "the wait between raise and run" },
    polls: { programs: ["on_poll"], lostWithout: "how many packets the polls of net_rx took" },
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
      description: "Time spent in a softirq vector.",
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
    polls: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.softirq.napi.polls",
      unit: "{poll}",
      description: "Polls of network devices, most of them in net_rx.",
      attributes: CPU,
    },
    packets: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.softirq.napi.packets",
      unit: "{packet}",
      description: "Packets that polls took.",
      attributes: CPU,
    },
    exhausted: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.softirq.napi.exhausted",
      unit: "{poll}",
      description: "Polls that used up their budget: more packets were waiting.",
      attributes: CPU,
    },
  },

  opted: ({ perCpu }) => (perCpu ? Object.keys(CPU) : []),
  constants: ({ cpus }) => ({ only_some_cpus: cpus.length > 0, watched_cpus: cpuBits(cpus) }),

  start({ config, emit, use }) {
    const names = use.kernel.enumNames("NET_RX_SOFTIRQ");
    const nameOf = (vector: number) =>
      names
        .get(vector)
        ?.replace(/_SOFTIRQ$/, "")
        .toLowerCase();
    const at = (cpu?: number) => (cpu === undefined ? {} : { "cpu.logical_number": cpu });
    return {
      vectors(rows) {
        for (const [{ value }, { runs, time, wait }, cpu] of config.perCpu ? rows.perCpu() : rows) {
          if (!runs) continue;
          const vector = { "wirespan.softirq.vector": nameOf(value) ?? String(value), ...at(cpu) };
          emit.runs.observe(runs, vector);
          emit.time.observe(time.sumNs / 1e9, vector);
          emit.duration.observe(seconds(time), vector);
          if (wait.count) emit.latency.observe(seconds(wait), vector);
        }
      },
      polls(rows) {
        for (const [, { polls, packets, exhausted }, cpu] of config.perCpu ? rows.perCpu() : rows) {
          if (!polls) continue;
          emit.polls.observe(polls, at(cpu));
          emit.packets.observe(packets, at(cpu));
          emit.exhausted.observe(exhausted, at(cpu));
        }
      },
    };
  },

  trace,
});
