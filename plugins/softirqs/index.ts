// softirqs: time in each softirq vector, and the latency from raise to run.
import { seconds } from "../../core/plugin/histogram.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { services } from "../../core/plugin/services.ts";
import { cpuBits } from "./cpus.ts";
import { CPU, signals } from "./signals.ts";
import { skeleton } from "./softirqs.skel.ts";
import { trace } from "./trace.ts";

export default plugin({
  name: "softirqs",
  summary: "Softirqs by vector: time, number of runs, and latency from raise to run.",

  config: {
    perCpu: {
      doc: "One series for each CPU instead of their sum.",
      format: "boolean",
      default: false,
    },
    cpus: {
      doc: "CPUs to observe: numbers and ranges, such as 0, 2-5; empty: all.",
      format: "strings",
      default: [],
    },
  },

  skeleton,
  filters: [],
  probes: {
    runs: { programs: ["on_entry"] },
    "ends of runs": { programs: ["on_exit"] },
    raises: { programs: ["on_raise"], lostWithout: "the latency from raise to run" },
    polls: { programs: ["on_poll"], lostWithout: "NAPI polls and their packets" },
  },
  uses: { kernel: services.kernel },

  signals,

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
