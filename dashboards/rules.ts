// Recording and alert rules for Prometheus and vmalert. Limits are those of the page's findings.
import {
  ACCEPT_ERRORS,
  ACCEPT_QUEUE_FILLS,
  ACCEPT_SLOW,
  CONNECT_SLOW,
  CONNECTS_FAILED,
  DROPS,
  NAPI_EXHAUSTED,
  PILE,
  RESETS,
  RTT_LONG,
  SEGMENTS_LOST,
  SOFTIRQ_BUSY,
  SOFTIRQ_WAITS,
  SYNS_LOST,
  TRANSMIT_FAILURES,
} from "../store/findings/limits.ts";
import { nameOf, Queries } from "./promql.ts";

export interface Recording {
  readonly record: string;
  readonly expr: string;
}

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: "critical" | "warning" | "info" };
  readonly annotations: { readonly summary: string; readonly description: string };
}

const rules = new Queries([], "5m");
/** For present values: stores keep those of ended series for this long. */
const present = new Queries([], "2m");

const SERVICE = ["host.name", "service.namespace", "service.name"] as const;
const LISTENER = [...SERVICE, "server.port"] as const;
const HOST = ["host.name"] as const;
const ERROR = [...SERVICE, "error.type"] as const;
const ATTEMPTS = "wirespan.tcp.connect.attempts";
const CLOSED = "wirespan.tcp.connection.closed";
const FAILED = { "error.type": '!=""' };
const ESTABLISHED = { "error.type": '=""' };
const SYN = { "wirespan.tcp.retransmit.type": '="syn"' };
const RESET = { "wirespan.tcp.close.reason": '=~"rst_.*"' };
const SENT = { "network.io.direction": '="transmit"' };
const EXPORTED = [
  "otel.sdk.exporter.span.exported",
  "otel.sdk.exporter.metric_data_point.exported",
  "otel.sdk.exporter.log.exported",
];

const CONNECT_P99 = "service:wirespan_tcp_connect_duration_seconds:p99_5m";
const ACCEPT_P99 = "service:wirespan_tcp_accept_duration_seconds:p99_5m";
const RTT_P50 = "service:wirespan_tcp_connection_rtt_seconds:p50_5m";
const SOFTIRQ_P99 = "host:wirespan_softirq_latency_seconds:p99_5m";
const FAILED_SHARE = "service:wirespan_tcp_connect_failed:ratio_5m";
const SYN_SHARE = "service:wirespan_tcp_syn_retransmits:ratio_5m";
const RESET_SHARE = "service:wirespan_tcp_connection_reset:ratio_5m";
const RETRANSMIT_SHARE = "service:wirespan_tcp_retransmit_bytes:ratio_5m";
const QUEUE_SHARE = "listener:wirespan_tcp_accept_queue:usage_ratio";
const NAPI_SHARE = "host:wirespan_softirq_napi_exhausted:ratio_5m";

export const RECORDINGS: readonly Recording[] = [
  { record: FAILED_SHARE, expr: rules.share(SERVICE, [ATTEMPTS, FAILED], [ATTEMPTS]) },
  { record: SYN_SHARE, expr: rules.share(SERVICE, ["wirespan.tcp.retransmits", SYN], [ATTEMPTS]) },
  { record: RESET_SHARE, expr: rules.share(SERVICE, [CLOSED, RESET], [CLOSED]) },
  {
    record: RETRANSMIT_SHARE,
    expr: rules.share(SERVICE, ["wirespan.tcp.retransmit.io"], ["wirespan.tcp.io", SENT]),
  },
  {
    record: CONNECT_P99,
    expr: rules.quantile(0.99, "wirespan.tcp.connect.duration", SERVICE, ESTABLISHED),
  },
  { record: ACCEPT_P99, expr: rules.quantile(0.99, "wirespan.tcp.accept.duration", SERVICE, ESTABLISHED) },
  { record: RTT_P50, expr: rules.quantile(0.5, "wirespan.tcp.connection.rtt", SERVICE) },
  {
    record: QUEUE_SHARE,
    expr: `${present.now("wirespan.tcp.accept_queue.usage", LISTENER)} / ${present.now("wirespan.tcp.accept_queue.limit", LISTENER)}`,
  },
  {
    record: SOFTIRQ_P99,
    expr: rules.quantile(0.99, "wirespan.softirq.latency", ["host.name", "wirespan.softirq.vector"], {
      "wirespan.softirq.vector": '=~"net_.*"',
    }),
  },
  {
    record: NAPI_SHARE,
    expr: rules.share(HOST, ["wirespan.softirq.napi.exhausted"], ["wirespan.softirq.napi.polls"]),
  },
];

/** A recorded value that is at least `seconds`, and at least `factor` times what it was an hour before. */
const slower = (recorded: string, { seconds, factor }: { seconds: number; factor: number }): string =>
  `${recorded} >= ${seconds} and ${recorded} >= ${factor} * (${recorded} offset 1h)`;

/** A recorded share of at least `share`, of at least `least` events. */
const frequent = (recorded: string, share: number, events: string, least: number): string =>
  `${recorded} >= ${share} and ${events} >= ${least}`;

const SERVICE_TEXT = "{{ $labels.service_name }} on {{ $labels.host_name }}";
const PORT_TEXT = "{{ $labels.service_name }}:{{ $labels.server_port }} on {{ $labels.host_name }}";
const PERCENT = "{{ $value | humanizePercentage }}";
const DURATION = "{{ $value | humanizeDuration }}";
const COUNT = "{{ $value | humanize }}";

type Severity = Alert["labels"]["severity"];

function alert(
  name: string,
  severity: Severity,
  expr: string,
  summary: string,
  description: string,
  wait = "2m",
): Alert {
  return {
    alert: `Wirespan${name}`,
    expr,
    for: wait,
    labels: { severity },
    annotations: { summary, description },
  };
}

const SERVICES: readonly Alert[] = [
  alert(
    "ConnectsFail",
    "critical",
    frequent(FAILED_SHARE, 0.05, rules.increase(ATTEMPTS, SERVICE, FAILED), CONNECTS_FAILED.least),
    `${PERCENT} of the attempts to connect fail: ${SERVICE_TEXT}`,
    "The dashboard `services` shows the causes; the spans `tcp connect` of the service name the addresses.",
  ),
  alert(
    "SynsLost",
    "warning",
    frequent(
      SYN_SHARE,
      SYNS_LOST.share,
      rules.increase("wirespan.tcp.retransmits", SERVICE, SYN),
      SYNS_LOST.least,
    ),
    `SYNs are retransmitted, ${PERCENT} of the attempts: ${SERVICE_TEXT}`,
    "Each costs the caller a second or more. They were lost on the way, or the server's accept queue is full: see its listeners.",
  ),
  alert(
    "ConnectsSlow",
    "warning",
    slower(CONNECT_P99, CONNECT_SLOW),
    `Connecting takes ${DURATION} (p99), ${CONNECT_SLOW.factor} times as long as an hour ago: ${SERVICE_TEXT}`,
    "Compare it with the round-trip time: if that is unchanged, the server or its queue is slow.",
    "5m",
  ),
  alert(
    "AcceptsSlow",
    "warning",
    slower(ACCEPT_P99, ACCEPT_SLOW),
    `Connections wait ${DURATION} until accept() (p99), ${ACCEPT_SLOW.factor} times as long as an hour ago: ${SERVICE_TEXT}`,
    "The server accepts too slowly: see its listener and what its process does.",
    "5m",
  ),
  alert(
    "RoundTripLong",
    "warning",
    slower(RTT_P50, RTT_LONG),
    `The round-trip time is ${DURATION} at the median, ${RTT_LONG.factor} times that of an hour ago: ${SERVICE_TEXT}`,
    "The path has become longer or a queue on it is full: compare other services with peers in the same network.",
    "5m",
  ),
  alert(
    "SegmentsLost",
    "warning",
    frequent(
      RETRANSMIT_SHARE,
      SEGMENTS_LOST.share,
      rules.increase("wirespan.tcp.retransmits", SERVICE),
      SEGMENTS_LOST.least,
    ),
    `${PERCENT} of the payload is retransmitted: ${SERVICE_TEXT}`,
    "See this host's drops first (dashboard `retransmits and drops`), then the network's.",
  ),
  alert(
    "ConnectionsReset",
    "critical",
    frequent(RESET_SHARE, RESETS.share, rules.increase(CLOSED, SERVICE, RESET), RESETS.least),
    `${PERCENT} of the connections end by a reset: ${SERVICE_TEXT}`,
    "rst_sent: this service closes with unread data or crashes; rst_received: its peer does. A reset in the middle of an answer is a failed request.",
  ),
  alert(
    "AcceptsFail",
    "critical",
    `${rules.increase("wirespan.tcp.accept.errors", ERROR)} >= ${ACCEPT_ERRORS.least}`,
    `accept() failed ${COUNT} times in 5 minutes ({{ $labels.error_type }}): ${SERVICE_TEXT}`,
    "too_many_open_files: raise the service's limit of open files, or find what it does not close.",
  ),
];

const LISTENERS: readonly Alert[] = [
  alert(
    "ListenerRejects",
    "critical",
    `${rules.increase("wirespan.tcp.listener.dropped", LISTENER)} > 0`,
    `The listener rejected ${COUNT} packets of clients in 5 minutes: ${PORT_TEXT}`,
    "Its accept queue is full: the process accepts too slowly or not at all. Raise its backlog and net.core.somaxconn, or add workers.",
  ),
  alert(
    "AcceptQueueFills",
    "warning",
    `${QUEUE_SHARE} >= ${ACCEPT_QUEUE_FILLS}`,
    `The accept queue is ${PERCENT} full: ${PORT_TEXT}`,
    "Connections are rejected when it is full: see how long they wait, and what the process does.",
    "3m",
  ),
  alert(
    "ListenerUnattended",
    "critical",
    `${rules.over("sum", "min_over_time", "wirespan.tcp.accept_queue.usage", LISTENER)} > 0 unless on (${SERVICE.map((name) => name.replaceAll(".", "_")).join(", ")}) ${rules.increase("wirespan.tcp.connection.accepted", SERVICE)} > 0`,
    `${COUNT} connections wait, and none was accepted in 5 minutes: ${PORT_TEXT}`,
    "The process that listens does not call accept(): it is blocked, still starting, or has not passed its socket on.",
  ),
];

const HOSTS: readonly Alert[] = [
  alert(
    "PacketsDropped",
    "info",
    `${rules.increase("wirespan.tcp.packet.dropped", [...SERVICE, "wirespan.packet.drop.reason"], {
      "wirespan.packet.drop.reason": `!~"${DROPS.harmless.join("|")}"`,
    })} >= ${DROPS.least}`,
    `The host dropped ${COUNT} TCP packets in 5 minutes ({{ $labels.wirespan_packet_drop_reason }}): ${SERVICE_TEXT}`,
    "The reason is the kernel's; the panel `TCP packets dropped` explains the usual ones. The events of tcpdrop name the place in the kernel.",
  ),
  alert(
    "SocketsPileUp",
    "warning",
    `${present.now("system.network.connection.count", [...HOST, "network.connection.state"], {
      "network.connection.state": '=~"close_wait|syn_received"',
    })} >= ${PILE} and ${rules.over("sum", "deriv", "system.network.connection.count", [
      ...HOST,
      "network.connection.state",
    ])} > 0`,
    `${COUNT} sockets in {{ $labels.network_connection_state }}, and more: {{ $labels.host_name }}`,
    "close_wait: an application does not close connections that its peers have ended; syn_received: handshakes do not complete, or a listener is being flooded.",
    "5m",
  ),
  alert(
    "SoftirqsBusy",
    "warning",
    `${rules.rate("wirespan.softirq.time", [...HOST, "cpu.logical_number"], { "cpu.logical_number": '!=""' })} >= ${SOFTIRQ_BUSY}`,
    `Softirqs take ${PERCENT} of CPU {{ $labels.cpu_logical_number }}: {{ $labels.host_name }}`,
    "Spread the interrupts: check /proc/interrupts, RSS queues (ethtool -l) and RPS (rps_cpus). Requires plugins.softirqs.perCpu: true.",
    "5m",
  ),
  alert(
    "SoftirqsWait",
    "warning",
    slower(SOFTIRQ_P99, SOFTIRQ_WAITS),
    `{{ $labels.wirespan_softirq_vector }} waits ${DURATION} from raise to run (p99): {{ $labels.host_name }}`,
    "Something occupies the CPUs with interrupts or softirqs disabled: see which vector runs longest.",
    "5m",
  ),
  alert(
    "NapiBudgetExhausted",
    "info",
    frequent(
      NAPI_SHARE,
      NAPI_EXHAUSTED.share,
      rules.increase("wirespan.softirq.napi.exhausted", HOST),
      NAPI_EXHAUSTED.least,
    ),
    `${PERCENT} of the NAPI polls exhaust their budget: {{ $labels.host_name }}`,
    "The CPU that polls is busy: spread the queues, or raise net.core.netdev_budget.",
  ),
  alert(
    "TransmitsFail",
    "warning",
    `${rules.increase("wirespan.netdev.transmit.failures", [...HOST, "network.interface.name"])} >= ${TRANSMIT_FAILURES.least}`,
    `The driver of {{ $labels.network_interface_name }} did not accept ${COUNT} frames in 5 minutes: {{ $labels.host_name }}`,
    "The driver's ring is full, or the device has a problem: see ethtool -S. Requires plugins.netqtop.transmitFailures: true.",
  ),
];

const AGENTS: readonly Alert[] = [
  alert(
    "AgentGone",
    "critical",
    `group by (host_name) (last_over_time(${nameOf("wirespan.agent.plugin.state")}[1h] offset 10m)) unless group by (host_name) (last_over_time(${nameOf("wirespan.agent.plugin.state")}[10m]))`,
    "No agent has reported for 10 minutes: {{ $labels.host_name }}",
    "It is stopped, or cannot reach its backend: see its log, and `wirespan status` on the host.",
    "0m",
  ),
  alert(
    "PluginNotRunning",
    "warning",
    `${present.now(
      "wirespan.agent.plugin.state",
      [...HOST, "wirespan.plugin.name", "wirespan.agent.plugin.state"],
      {
        "wirespan.agent.plugin.state": '!="running"',
      },
    )} > 0`,
    "The plugin {{ $labels.wirespan_plugin_name }} is {{ $labels.wirespan_agent_plugin_state }}: {{ $labels.host_name }}",
    "`wirespan doctor` on the host says what is missing, and how to provide it.",
  ),
  alert(
    "TelemetryLost",
    "warning",
    EXPORTED.map(
      (metric) => `${rules.increase(metric, ["host.name", "otel.component.name", "error.type"], FAILED)} > 0`,
    ).join(" or "),
    `The exporter {{ $labels.otel_component_name }} lost ${COUNT} items in 5 minutes ({{ $labels.error_type }}): {{ $labels.host_name }}`,
    "queue_full: the backend was down or is too slow; rejected: the agent's log says why; `wirespan exporters test` tests it.",
  ),
  alert(
    "QueueFills",
    "warning",
    `${present.now("wirespan.agent.queue.usage", [...HOST, "otel.component.name"])} / ${present.now("wirespan.agent.queue.limit", [...HOST, "otel.component.name"])} >= 0.5`,
    `The queue of the exporter {{ $labels.otel_component_name }} is ${PERCENT} full: {{ $labels.host_name }}`,
    "Its backend does not answer, or too slowly. When the queue is full, the oldest requests are dropped.",
  ),
  alert(
    "ConnectionsLost",
    "info",
    `${rules.increase("wirespan.agent.connection.lost", [...HOST, "error.type"])} > 0`,
    `The ends of ${COUNT} connections are missing in the numbers ({{ $labels.error_type }}): {{ $labels.host_name }}`,
    "no_memory: the kernel had no memory for them; unseen: it did not show them to any program, as some virtual machines do.",
  ),
];

export const ALERTS: readonly Alert[] = [...SERVICES, ...LISTENERS, ...HOSTS, ...AGENTS];

/** The rule file, as data. */
export const RULE_FILE = {
  groups: [
    { name: "wirespan-recordings", rules: RECORDINGS },
    { name: "wirespan-services", rules: SERVICES },
    { name: "wirespan-listeners", rules: LISTENERS },
    { name: "wirespan-hosts", rules: HOSTS },
    { name: "wirespan-agents", rules: AGENTS },
  ],
};
