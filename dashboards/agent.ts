// The agents themselves: whether they see everything, and whether it arrives.
import { hosts, type Subject } from "./panels.ts";

const EXPORTER = ["host.name", "otel.component.name"] as const;
const PLUGIN = ["host.name", "wirespan.plugin.name"] as const;

/** Metrics of settled items, by kind of item. */
const EXPORTED = [
  ["spans", "otel.sdk.exporter.span.exported"],
  ["points", "otel.sdk.exporter.metric_data_point.exported"],
  ["events", "otel.sdk.exporter.log.exported"],
] as const;

export const agent: Subject = {
  uid: "wirespan-agent",
  title: "agent",
  description: "Whether the agents see everything, and whether what they report arrives.",
  of: "hosts",
  known: "wirespan.agent.plugin.state",
  rows: [
    {
      title: "Seeing",
      panels: [
        {
          title: "Plugins by state",
          description:
            "degraded or failed: `wirespan doctor` on that host says what is missing and how to provide it.",
          unit: "short",
          targets: [
            {
              expr: hosts.now("wirespan.agent.plugin.state", ["host.name", "wirespan.agent.plugin.state"]),
              by: ["host.name", "wirespan.agent.plugin.state"],
            },
          ],
        },
        {
          title: "Connections whose end is not reported",
          description:
            "In each interval. no_memory: the kernel had no memory for it; unseen: the kernel showed the end to no program, as some virtual machines do. Other counts are too low by this number.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: hosts.increase("wirespan.agent.connection.lost", ["host.name", "error.type"]),
              by: ["host.name", "error.type"],
            },
          ],
        },
        {
          title: "Records lost in the kernel",
          description:
            "In each interval, by plugin and counter. A ring was full: raise the plugin's ring.bytes. Metrics are not affected; spans and events are missing.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: hosts.increase("wirespan.agent.events", [...PLUGIN, "wirespan.agent.event.kind"], {
                "wirespan.agent.event.kind": '=~"lost_.*"',
              }),
              by: [...PLUGIN, "wirespan.agent.event.kind"],
            },
          ],
        },
        {
          title: "Events that no program saw",
          description:
            "In each interval: unseen events, and those that occurred in an interrupt while the same program ran. A few are normal on a virtual machine.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: hosts.increase("wirespan.agent.event.unseen", ["host.name"]),
              by: ["host.name"],
              as: "unseen",
            },
            { expr: hosts.increase("wirespan.bpf.program.misses", PLUGIN), by: PLUGIN, as: "interrupted" },
          ],
        },
        {
          title: "How full the rings are",
          description:
            "As a share of their size, when they are read. If one is often above half, raise the plugin's ring.bytes.",
          unit: "percentunit",
          targets: [
            {
              expr: `${hosts.now("wirespan.agent.ring.usage", PLUGIN)} / ${hosts.now("wirespan.agent.ring.limit", PLUGIN)}`,
              by: PLUGIN,
            },
          ],
        },
        {
          title: "CPU time of the programs",
          description:
            "In CPUs, by plugin. Requires self.bpfStats: true, which itself costs about 60 ns per call.",
          unit: "percentunit",
          targets: [{ expr: hosts.rate("wirespan.bpf.program.time", PLUGIN), by: PLUGIN }],
        },
      ],
    },
    {
      title: "Delivering",
      panels: [
        {
          title: "Acknowledged by backends",
          description: "Spans, points and events per second, by exporter.",
          unit: "ops",
          targets: EXPORTED.map(([as, metric]) => ({
            expr: hosts.rate(metric, EXPORTER, { "error.type": '=""' }),
            by: EXPORTER,
            as,
          })),
        },
        {
          title: "Lost on the way to backends",
          description:
            "Spans, points and events in each interval, by exporter and cause. queue_full: the backend is down or too slow; rejected: the agent's log says why. `wirespan exporters test` tests it.",
          unit: "short",
          bars: true,
          targets: EXPORTED.map(([as, metric]) => ({
            expr: hosts.increase(metric, [...EXPORTER, "error.type"], { "error.type": '!=""' }),
            by: [...EXPORTER, "error.type"],
            as,
          })),
        },
        {
          title: "How full the queues are",
          description:
            "As a share of queue.bytes. A queue fills while its backend does not answer; when it is full, the oldest requests are dropped.",
          unit: "percentunit",
          targets: [
            {
              expr: `${hosts.now("wirespan.agent.queue.usage", EXPORTER)} / ${hosts.now("wirespan.agent.queue.limit", EXPORTER)}`,
              by: EXPORTER,
            },
          ],
        },
      ],
    },
    {
      title: "Applications' traces",
      panels: [
        {
          title: "Trace contexts read",
          description:
            "Per second, by source. If it is 0 while requests flow, they carry no traceparent, or use TLS without the language's package (docs/correlation.md).",
          unit: "ops",
          targets: [
            {
              expr: hosts.rate("wirespan.correlate.contexts", [
                "host.name",
                "wirespan.context.source",
                "network.io.direction",
              ]),
              by: ["host.name", "wirespan.context.source", "network.io.direction"],
            },
          ],
        },
        {
          title: "Trace contexts not read",
          description: "In each interval, by cause; docs/correlation.md explains each.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: hosts.increase("wirespan.correlate.unread", ["host.name", "error.type"]),
              by: ["host.name", "error.type"],
            },
          ],
        },
        {
          title: "Spans in applications' traces",
          description:
            "In each interval: reported, and left out because of a limit (correlate.rate; eight per request).",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: hosts.increase("wirespan.correlate.spans", ["host.name"]),
              by: ["host.name"],
              as: "reported",
            },
            {
              expr: hosts.increase("wirespan.correlate.suppressed", ["host.name", "error.type"]),
              by: ["host.name", "error.type"],
              as: "left out",
            },
          ],
        },
      ],
    },
  ],
};
