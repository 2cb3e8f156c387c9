// tcpconnect: every attempt to connect, and what came of it.
import { formatAddress } from "../../core/plugin/address.ts";
import { type ConnRecord, connectError } from "../../core/plugin/connection.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { CONNECTION, ERROR_TYPE, OPENER } from "../../core/plugin/semconv.ts";
import { services } from "../../core/plugin/services.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";
import { readAnswer } from "./message.ts";
import { DnsNames } from "./names.ts";
import { type AttemptKey, skeleton } from "./tcpconnect.skel.ts";
import { trace } from "./trace.ts";

/** Part of the counts with the settings `flows` and `sourcePorts` only. */
const FLOW = {
  "network.local.address": { ...CONNECTION["network.local.address"], requirement: "opt_in" },
  "network.local.port": { ...CONNECTION["network.local.port"], requirement: "opt_in" },
  "network.peer.address": { ...CONNECTION["network.peer.address"], requirement: "opt_in" },
  "network.peer.port": { ...CONNECTION["network.peer.port"], requirement: "opt_in" },
} as const satisfies AttributeSpecs;

const NO_NAMES = "the names that processes had asked DNS for (dns)";

/** What the setting `dns` adds to the span. */
const DNS = {
  "dns.question.name": {
    type: "string",
    requirement: "opt_in",
    description:
      "The name that the process had asked DNS for when it was given the address it connects to; absent if it had not asked, or if the answer has expired (setting `dns`).",
  },
  "wirespan.dns.answer.age": {
    type: "double",
    requirement: "opt_in",
    description: "Time from that answer to connect(), seconds (setting `dns`).",
  },
} as const satisfies AttributeSpecs;

export default plugin({
  name: "tcpconnect",
  summary: "Every attempt to connect: which process made it, to where, and its outcome.",

  config: {
    failedAtOnce: {
      doc: "Report also attempts that fail before the socket's state changes (no route, not permitted). This uses the tracepoint at the return of connect(), which slows every system call of the host a little.",
      format: "boolean",
      default: false,
    },
    flows: {
      doc: "Count attempts also by source address, destination address and destination port.",
      format: "boolean",
      default: false,
    },
    sourcePorts: {
      doc: "With flows: count them also by source port.",
      format: "boolean",
      default: false,
    },
    dns: {
      doc: "Add the name that the process had asked DNS for. Answers over UDP are read as they arrive, which adds a little work for every packet and every datagram received.",
      format: "boolean",
      default: false,
    },
  },

  skeleton,
  spans: { connect: { attributes: DNS } },
  probes: {
    "ends of handshakes": { programs: ["on_handshake"] },
    "attempts that fail at once": {
      programs: ["on_failed_at_once"],
      setting: "failedAtOnce",
      lostWithout: "attempts that fail before the socket's state changes: no route, not permitted",
    },
    "DNS answers": { programs: ["on_packet"], setting: "dns", lostWithout: NO_NAMES },
    "who takes DNS answers": {
      programs: [{ program: "on_datagram", args: 2 }],
      setting: "dns",
      lostWithout: NO_NAMES,
    },
  },
  uses: { identity: services.identity },

  signals: {
    attempts: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.connect.attempts",
      unit: "{attempt}",
      description: "Attempts to connect that came to an end, by outcome.",
      attributes: { ...OPENER, ...ERROR_TYPE, ...FLOW },
    },
  },

  opted({ flows, sourcePorts }) {
    const { "network.local.port": _, ...others } = FLOW;
    return flows ? Object.keys(sourcePorts ? FLOW : others) : [];
  },
  constants: ({ flows, sourcePorts }) => ({ count_flows: flows, count_source_ports: sourcePorts }),
  // Without answers to hold they take a page.
  sizes: ({ dns }) => (dns ? { waiting: 4096 } : { dns: 4096 }),

  start({ config: { flows, sourcePorts, dns }, emit, use: { identity } }) {
    const names = new DnsNames();

    function flowOf({ ends }: AttemptKey) {
      const family = ends.family === 4 ? "ipv4" : "ipv6";
      return {
        "network.local.address": formatAddress(ends.local, family),
        "network.peer.address": formatAddress(ends.peer, family),
        "network.peer.port": ends.peerPort,
        ...(sourcePorts && { "network.local.port": ends.localPort }),
      };
    }

    function named({ conn }: ConnRecord) {
      const { ends, netnsCookie, owner, openedAt } = conn;
      const address = formatAddress(ends.peer, ends.family === 4 ? "ipv4" : "ipv6");
      const found = names.find(
        { netnsCookie, pid: owner.pid, startedAt: owner.startedAt },
        address,
        openedAt,
      );
      return { "dns.question.name": found?.name, "wirespan.dns.answer.age": found?.age };
    }

    return {
      ...(dns && { enrich: named }),
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
          const { resource, series } = identity.workload(key.workload);
          const attributes = {
            ...series,
            "network.type": key.ends.family === 4 ? "ipv4" : "ipv6",
            "wirespan.connection.direction": "outbound",
            "error.type": connectError(key.closeReason, key.error),
            ...(flows && flowOf(key)),
          } as const;
          emit.attempts.observe(count, attributes, resource);
        }
      },
      overflow(rows) {
        for (const [, { count }] of rows)
          if (count) emit.attempts.observe(count, { "otel.metric.overflow": true });
      },
    };
  },

  trace,
});
