// CPU and queues: what networking costs a host's CPUs, and how its interfaces' queues are used.
import { NAPI_EXHAUSTED, SOFTIRQ_BUSY, SOFTIRQ_WAITS } from "../store/findings/limits.ts";
import { hosts, type Subject } from "./panels.ts";

const VECTOR = ["host.name", "wirespan.softirq.vector"] as const;
const DEVICE = ["host.name", "wirespan.netns.name", "network.interface.name"] as const;
const DIRECTED = [...DEVICE, "network.io.direction"] as const;
const PACKETS = "wirespan.netdev.queue.packets";

export const host: Subject = {
  uid: "wirespan-host",
  title: "CPU and queues",
  description: "What the network costs a host's CPUs, and how its interfaces' queues are used.",
  of: "hosts",
  known: "wirespan.softirq.time",
  rows: [
    {
      title: "Softirqs",
      panels: [
        {
          title: "CPU time in softirqs",
          description:
            "In CPUs, by vector. net_rx: receiving; net_tx: sending; timer and rcu belong to the kernel itself.",
          unit: "percentunit",
          targets: [{ expr: hosts.rate("wirespan.softirq.time", VECTOR), by: VECTOR }],
        },
        {
          title: "Busiest CPUs",
          description:
            "Share of a CPU's time in softirqs, for the ten busiest. Above the line, spread the interrupts: /proc/interrupts, RSS queues (ethtool -l), RPS (rps_cpus). By CPU only with plugins.softirqs.perCpu: true; otherwise the sum of a host.",
          unit: "percentunit",
          limit: SOFTIRQ_BUSY,
          targets: [
            {
              expr: `topk(10, ${hosts.rate("wirespan.softirq.time", ["host.name", "cpu.logical_number"])})`,
              by: ["host.name", "cpu.logical_number"],
            },
          ],
        },
        {
          title: "Softirq runs",
          description: "Per second, by vector, as /proc/softirqs counts them.",
          unit: "ops",
          targets: [{ expr: hosts.rate("wirespan.softirq.runs", VECTOR), by: VECTOR }],
        },
        {
          title: "How long softirqs wait",
          description:
            "99th percentile of the time from raise to run. If net_rx waits longer, something is occupying the CPUs: see which vector runs longest.",
          unit: "s",
          limit: SOFTIRQ_WAITS.seconds,
          targets: [{ expr: hosts.quantile(0.99, "wirespan.softirq.latency", VECTOR), by: VECTOR }],
        },
        {
          title: "How long softirqs run",
          description: "99th percentile of one run. A run of milliseconds delays everything else on its CPU.",
          unit: "s",
          targets: [{ expr: hosts.quantile(0.99, "wirespan.softirq.duration", VECTOR), by: VECTOR }],
        },
        {
          title: "Packets per NAPI poll",
          description: "Many packets in a poll are cheap; near 64 the polls cannot keep up.",
          unit: "short",
          targets: [
            {
              expr: hosts.share(
                ["host.name"],
                ["wirespan.softirq.napi.packets"],
                ["wirespan.softirq.napi.polls"],
              ),
              by: ["host.name"],
            },
          ],
        },
        {
          title: "NAPI polls that exhausted their budget",
          description:
            "Share of the polls after which more packets were waiting. Above the line, spread the queues or raise net.core.netdev_budget.",
          unit: "percentunit",
          limit: NAPI_EXHAUSTED.share,
          targets: [
            {
              expr: hosts.share(
                ["host.name"],
                ["wirespan.softirq.napi.exhausted"],
                ["wirespan.softirq.napi.polls"],
              ),
              by: ["host.name"],
            },
          ],
        },
      ],
    },
    {
      title: "Interfaces",
      panels: [
        {
          title: "Packets",
          description: "On the wire, per second.",
          unit: "pps",
          targets: [{ expr: hosts.rate(PACKETS, DIRECTED), by: DIRECTED }],
        },
        {
          title: "Bytes",
          description: "Per second, as the interface counts them. Compare it with the link's speed.",
          unit: "Bps",
          targets: [{ expr: hosts.rate("wirespan.netdev.queue.io", DIRECTED), by: DIRECTED }],
        },
        {
          title: "Share of the busiest queue",
          description:
            "As a share of an interface's packets. With more than one queue, near 100 % means that one CPU does all the work: check the hash (ethtool -x), and whether one connection carries most of it.",
          unit: "percentunit",
          targets: [
            {
              expr: `max by (host_name, wirespan_netns_name, network_interface_name, network_io_direction) (${hosts.rate(PACKETS, [...DIRECTED, "wirespan.netdev.queue.id"])}) / ${hosts.rate(PACKETS, DIRECTED)}`,
              by: DIRECTED,
            },
          ],
        },
        {
          title: "Frame size",
          description: "Median. Small frames cost as much CPU as large ones.",
          unit: "bytes",
          targets: [
            { expr: hosts.quantile(0.5, "wirespan.netdev.queue.packet.size", DIRECTED), by: DIRECTED },
          ],
        },
        {
          title: "Frames that drivers did not accept",
          description:
            "In each interval, by result. The driver's ring is full, or the device has a problem: ethtool -S. Requires plugins.netqtop.transmitFailures: true.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: hosts.increase("wirespan.netdev.transmit.failures", [
                ...DEVICE,
                "wirespan.netdev.transmit.result",
              ]),
              by: [...DEVICE, "wirespan.netdev.transmit.result"],
            },
          ],
        },
        {
          title: "Wait in the queueing discipline",
          description:
            "99th percentile of the time until a frame is passed to the driver. If it is milliseconds, the link or its shaper is the bottleneck. Requires plugins.netqtop.queueWait: true.",
          unit: "s",
          targets: [{ expr: hosts.quantile(0.99, "wirespan.netdev.queue.wait", DEVICE), by: DEVICE }],
        },
      ],
    },
  ],
};
