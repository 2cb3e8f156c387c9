// Where TCP makes services wait: connects, accepts, round trips.
import { ACCEPT_SLOW, CONNECT_SLOW } from "../store/findings/limits.ts";
import { type Subject, services, type Target } from "./panels.ts";

const SERVICE = ["service.name"] as const;
const CONNECT = "wirespan.tcp.connect.duration";

/** The median and the 99th percentile of a histogram by service. */
function quantiles(metric: string, where = {}): Target[] {
  return [0.5, 0.99].map((q) => ({
    expr: services.quantile(q, metric, SERVICE, where),
    by: SERVICE,
    as: `p${q * 100}`,
  }));
}

export const latency: Subject = {
  uid: "wirespan-latency",
  title: "latency",
  description: "Where TCP makes services wait: connects, accepts, round trips.",
  of: "services",
  known: "wirespan.tcp.io",
  rows: [
    {
      title: "Before the first byte",
      panels: [
        {
          title: "Time to connect",
          description:
            "From the first SYN to the answer. Compare it with the round-trip time: if that is unchanged, SYNs are lost (next panel) or the server is slow.",
          unit: "s",
          limit: CONNECT_SLOW.seconds,
          targets: quantiles(CONNECT, { "error.type": '=""' }),
        },
        {
          title: "SYNs and SYN-ACKs retransmitted",
          description:
            "In each interval. Each costs the client a second or more. They were lost on the way, or rejected by a full queue: see the server's listeners.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: services.increase(
                "wirespan.tcp.retransmits",
                ["service.name", "wirespan.tcp.retransmit.type"],
                { "wirespan.tcp.retransmit.type": '=~"syn|synack"' },
              ),
              by: ["service.name", "wirespan.tcp.retransmit.type"],
            },
          ],
        },
        {
          title: "Time until accept()",
          description:
            "From the SYN until the server has the connection: a round trip plus the wait in the accept queue. If it is much more than the round-trip time, the server accepts too slowly: see its listeners.",
          unit: "s",
          limit: ACCEPT_SLOW.seconds,
          targets: quantiles("wirespan.tcp.accept.duration", { "error.type": '=""' }),
        },
        {
          title: "How long failures take",
          description:
            "Time until an attempt fails (99th percentile), by cause. Refusals are quick; timeouts block a caller for as long as its own timeout allows.",
          unit: "s",
          targets: [
            {
              expr: services.quantile(0.99, CONNECT, ["service.name", "error.type"], {
                "error.type": '!=""',
              }),
              by: ["service.name", "error.type"],
            },
          ],
        },
      ],
    },
    {
      title: "Connections",
      panels: [
        {
          title: "Round-trip time",
          description:
            "Smoothed, as TCP had measured it when connections ended. If it grows, the path is longer or a queue on it is full: compare services with peers in the same network.",
          unit: "s",
          targets: quantiles("wirespan.tcp.connection.rtt"),
        },
        {
          title: "Lifetime of connections",
          description:
            "From the SYN to the close. If many connections last only a few milliseconds, each pays for a handshake: let the client reuse them.",
          unit: "s",
          targets: quantiles("wirespan.tcp.connection.duration"),
        },
        {
          title: "Time in each state",
          description:
            "99th percentile. close_wait: the application is slow to close; syn_sent: connecting; last_ack, fin_wait_1: the peer does not acknowledge the FIN.",
          unit: "s",
          targets: [
            {
              expr: services.quantile(0.99, "wirespan.tcp.state.duration", [
                "service.name",
                "network.connection.state",
              ]),
              by: ["service.name", "network.connection.state"],
            },
          ],
        },
      ],
    },
  ],
};
