// tcpconnect: every attempt to connect, and its outcome.
import { formatAddress } from "../../core/plugin/address.ts";
import { type ConnRecord, ConnRecordCursor, connectError } from "../../core/plugin/connection.ts";
import { CONNECT_PROBES, FAILED_AT_ONCE_SETTING } from "../../core/plugin/hooks/connect.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { networkType } from "../../core/plugin/series.ts";
import { services } from "../../core/plugin/services.ts";
import { values } from "../../core/plugin/values.ts";
import { readAnswer } from "./message.ts";
import { DnsNames } from "./names.ts";
import { DNS, FLOW, signals } from "./signals.ts";
import { type AttemptKey, skeleton } from "./tcpconnect.skel.ts";
import { trace } from "./trace.ts";

const NO_NAMES = "names from DNS (dns)";

export default plugin({
  name: "tcpconnect",
  summary: "Every attempt to connect: the process, the destination, and the outcome.",

  config: {
    failedAtOnce: FAILED_AT_ONCE_SETTING,
    flows: {
      doc: "Also count attempts by source address, destination address and destination port.",
      format: "boolean",
      default: false,
    },
    sourcePorts: { doc: "With flows: also by source port.", format: "boolean", default: false },
    dns: {
      doc: "Add the name whose DNS lookup returned the address. Answers over UDP are read as they arrive, which adds a little work for every packet and every datagram received.",
      format: "boolean",
      default: false,
    },
  },

  skeleton,
  spans: { connect: DNS },
  probes: {
    ...CONNECT_PROBES,
    "DNS answers": { programs: ["on_packet"], setting: "dns", lostWithout: NO_NAMES },
    "receivers of DNS answers": {
      programs: [{ program: "on_datagram", args: 2 }],
      setting: "dns",
      lostWithout: NO_NAMES,
    },
  },
  uses: { series: services.series },
  signals,

  opted({ flows, sourcePorts }) {
    const { "network.local.port": _, ...others } = FLOW;
    return flows ? Object.keys(sourcePorts ? FLOW : others) : [];
  },
  constants: ({ flows, sourcePorts }) => ({ count_flows: flows, count_source_ports: sourcePorts }),
  // Without DNS answers, one page is enough.
  sizes: ({ dns }) => (dns ? { waiting: 4096 } : { dns: 4096 }),

  start({ config: { flows, sourcePorts, dns }, emit, use: { series } }) {
    const names = new DnsNames();

    function flowOf({ ends }: AttemptKey) {
      const family = networkType(ends.family) ?? "ipv6";
      return {
        "network.local.address": formatAddress(ends.local, family),
        "network.peer.address": formatAddress(ends.peer, family),
        "network.peer.port": ends.peerPort,
        ...(sourcePorts && { "network.local.port": ends.localPort }),
      };
    }

    function find({ conn }: ConnRecord) {
      const { ends, netnsCookie, owner, openedAt } = conn;
      const process = { netnsCookie, pid: owner.pid, startedAt: owner.startedAt };
      const address = formatAddress(ends.peer, networkType(ends.family) ?? "ipv6");
      return names.find(process, address, openedAt);
    }

    const named = values(ConnRecordCursor, DNS, {
      "dns.question.name": { by: (record) => find(record)?.name },
      "wirespan.dns.answer.age": { by: (record) => find(record)?.age },
    });

    return {
      ...(dns && { enrich: { connect: named } }),
      dns({ serial, happenedAt, pid, startedAt, netnsCookie, size, message }) {
        if (pid) {
          names.taken(serial, { netnsCookie, pid, startedAt });
          return;
        }
        const answer = readAnswer(message.subarray(0, size));
        if (answer) names.answered(serial, happenedAt, answer);
      },
      attempts(rows) {
        for (const [key, { count }] of rows) {
          const { attributes, resource } = series(
            { workload: key.workload, family: key.ends.family },
            "outbound",
          );
          const error = connectError(key);
          emit.attempts.observe(
            count,
            { ...attributes, "error.type": error, ...(flows && flowOf(key)) },
            resource,
          );
        }
      },
      attempts_overflow(rows) {
        for (const [, { count }] of rows) if (count) emit.attempts.overflow(count);
      },
    };
  },

  trace,
});
