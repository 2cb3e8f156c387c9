// The agent's own settings: path, meaning, format and default. Tests: config/load.test.ts.
import { defaultSocket, LONGEST } from "./control-socket.ts";
import {
  autoOrBoolean,
  cidrs,
  count,
  duration,
  fraction,
  list,
  map,
  names,
  oneOf,
  readerOf,
  size,
  text,
} from "./formats.ts";
import { type Leaf, leaf, type Tree } from "./tree.ts";

const boolean = readerOf("boolean");

function isHostAndPort(t: string): boolean {
  const port = /:(\d{1,5})$/.exec(t)?.[1];
  return port !== undefined && Number(port) <= 65535;
}

const runtimeSocket = (whose: string): Leaf => {
  const doc = `Socket of ${whose}, from which the names of containers are read; empty: none. Write access to it is equivalent to root.`;
  return leaf(text("a path, or nothing"), "", doc);
};

function isHttps(t: string): boolean {
  return URL.parse(t)?.protocol === "https:";
}

export const ringBytes = size("a size of 4KiB or more that is a power of two, such as 256KiB", (n) => {
  return n >= 4096 && n <= 1024 ** 3 && Number.isInteger(Math.log2(n));
});

export const agentSettings: Tree = {
  version: leaf(
    count(1, 1, "1 (this wirespan supports no other version of the configuration)"),
    1,
    "Version of the configuration's format.",
  ),
  strict: leaf(boolean, false, "Exit if a plugin cannot run, instead of disabling the plugin."),
  connections: {
    accept: leaf(
      oneOf("none", "syscall"),
      "none",
      "Observe the return of accept() even if no plugin requires it. It shows which process accepted a connection, and thus the owner of connections that no process uses; if the kernel allows no fentry programs, this uses a tracepoint that slows every system call a little.",
    ),
    limit: leaf(
      count(0, 16_777_216),
      0,
      "Maximum number of connections in the kernel's tables: the index by address (by which tcpdrop finds the owner of a packet without a socket), and connections that accept() has not returned. 0: one for each 128 KiB of the host's memory, at least 65,536 and at most 1,048,576.",
    ),
    peers: leaf(
      cidrs,
      [],
      "Addresses of other hosts that run wirespan with the same ids.salt and with filters that let their ends pass: accepted connections name the peer's span as their parent.",
    ),
  },
  correlate: {
    enabled: leaf(
      boolean,
      true,
      "Read the trace contexts of applications, and report what happens to their requests in their own traces (docs/correlation.md). false: no program is loaded for it.",
    ),
    http1: leaf(boolean, true, "Read `traceparent` in HTTP/1.1 requests that are not encrypted."),
    http2: leaf(boolean, true, "Read `traceparent` in HTTP/2 and gRPC requests that are not encrypted."),
    table: leaf(
      boolean,
      true,
      "Read the contexts that applications keep in a table of their own (docs/context-table.md).",
    ),
    threads: leaf(
      autoOrBoolean,
      "auto",
      "Read the contexts that SDKs publish for each thread (OTEP 4947); auto: of processes that announce them in their process context (OTEP 4719).",
    ),
    tlsUprobe: leaf(
      boolean,
      false,
      "Read `traceparent` in HTTP/1.1 requests that applications hand to OpenSSL's SSL_write (docs/correlation.md). It reads their text in the kernel before it is encrypted, and makes each call of every application that maps OpenSSL take longer.",
    ),
    window: leaf(count(256, 4096), 4096, "Maximum bytes of a request's head that are searched."),
    connectGap: leaf(
      duration(),
      100,
      "A connection whose first request comes later than this after the handshake was not opened for it.",
    ),
    rate: leaf(
      count(0, 100_000),
      200,
      "Maximum spans per second that this host adds to applications' traces; the rest are counted.",
    ),
    inbound: leaf(
      oneOf("always", "privatePeers", "never"),
      "privatePeers",
      "Peers whose contexts are accepted in requests that this host receives: every peer, private, link-local and loopback addresses only, or none.",
    ),
  },
  ids: {
    salt: leaf(text("a text"), "", "Mixed into trace and span ids; the same on all hosts.", true),
  },
  spans: {
    kind: leaf(
      oneOf("internal", "client-server"),
      "internal",
      "Kind of the connection spans; client-server: each end has one span of kind client or server.",
    ),
  },
  sampling: {
    ratio: leaf(
      fraction,
      1,
      "Fraction of the traces of connections that is kept, chosen by trace id, so that both ends keep the same. Failures and connections that retransmitted are always kept; metrics count everything.",
    ),
    slow: leaf(duration(), 0, "Connections that last longer than this are always kept; 0s: none."),
    rate: leaf(
      count(1, 1_000_000),
      200,
      "At most this many connections of each workload are always kept per second; the others are sampled by trace id.",
    ),
  },
  self: {
    exclude: leaf(boolean, true, "Exclude the agent's own sockets."),
    bpfStats: leaf(
      boolean,
      false,
      "Measure the run time of the agent's BPF programs (costs about 60 ns per call).",
    ),
  },
  ring: {
    core: leaf(ringBytes, 8 * 1024 ** 2, "Size of the connection ring."),
    bytes: leaf(ringBytes, 256 * 1024, "Size of the ring of each plugin that has no size of its own."),
    drainInterval: leaf(duration(1), 50, "How often rings are read."),
  },
  metrics: {
    interval: leaf(duration(100), 10_000, "How often metrics are collected."),
    maxSeries: leaf(
      count(1, 1_000_000),
      2000,
      "Maximum number of series of a metric; the rest are summed into one.",
    ),
  },
  resource: {
    attributes: leaf(map, new Map(), "Attributes of the host's resource."),
  },
  identity: {
    names: leaf(
      list(names),
      [],
      "Service names that you choose; the first rule that matches takes precedence over the process's own name. A rule is criteria (executable=, comm=, argument=, cgroup=, port=; * stands for any text), ->, and service.name or service.namespace/service.name.",
    ),
    kubelet: {
      url: leaf(
        text("an address such as https://10.0.0.7:10250, or nothing", (t) => t === "" || isHttps(t)),
        "",
        "The kubelet of this node, from which the names of pods and containers are read; empty: none. It must allow `get` of nodes/pods.",
      ),
      tokenFile: leaf(
        text("a path"),
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "The file with the token for it, which is read again for each request.",
      ),
      caFile: leaf(
        text("a path"),
        "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        "The certificate authority that must have signed the kubelet's certificate.",
      ),
    },
    docker: { socket: runtimeSocket("Docker or of podman's service") },
    containerd: { socket: runtimeSocket("containerd") },
  },
  service: {
    name: leaf(
      text("a text", (t) => t !== ""),
      "wirespan",
      "service.name of the agent itself.",
    ),
  },
  log: {
    level: leaf(
      oneOf("debug", "info", "warn", "error", "silent"),
      "info",
      "The lowest level that is logged.",
    ),
    format: leaf(oneOf("auto", "json", "pretty"), "auto", "auto: pretty on a terminal, else JSON lines."),
  },
  control: {
    socket: leaf(
      text(`a path of at most ${LONGEST} bytes, or nothing`, (t) => {
        return Buffer.byteLength(t) <= LONGEST && !t.includes("\0");
      }),
      defaultSocket(),
      "Unix socket for `wirespan status` and `wirespan reload`; empty: none.",
    ),
  },
  health: {
    address: leaf(
      text("host:port, such as 127.0.0.1:8099, or nothing", (t) => t === "" || isHostAndPort(t)),
      "",
      "Address that answers HTTP 200 with the agent's status; empty: none.",
    ),
  },
  viewer: {
    enabled: leaf(
      oneOf("auto", "true", "false"),
      "auto",
      "Store what is observed on this host, and show it on a web page. auto: only if no exporter is configured. `viewer: true` and `viewer: false` are short forms.",
    ),
    address: leaf(
      text("host:port, such as 127.0.0.1:4380", isHostAndPort),
      "127.0.0.1:4380",
      "Address of the page. One that other hosts can reach requires viewer.token.",
    ),
    token: leaf(
      text("a text of at least 22 characters", (t) => t === "" || t.length >= 22),
      "",
      "Token that is required to see the page; file:PATH reads it from a file.",
      true,
    ),
    users: leaf(
      list(count(0)),
      [],
      "Ids of local users who may see the page without a token, besides root and the user who ran sudo.",
    ),
    file: leaf(
      text("a path, or nothing"),
      "",
      "The database; empty: viewer.db in $STATE_DIRECTORY, /var/lib/wirespan or the temporary folder.",
    ),
    bytes: leaf(
      size("a size of 16MiB or more, such as 256MiB", (n) => n >= 16 * 1024 ** 2),
      256 * 1024 ** 2,
      "Maximum size of the database; the oldest data is removed first.",
    ),
    rate: leaf(
      count(1, 1_000_000),
      5000,
      "Uneventful spans per second that are stored individually; above that, one in N traces. Sums count everything.",
    ),
    receive: leaf(
      boolean,
      false,
      "Accept applications' own spans at /v1/traces of the page's address (OTLP/HTTP), and show them together with connections.",
    ),
    receiveFrom: leaf(
      list(count(0)),
      [],
      "Ids of the local users whose applications may send spans; empty: all.",
    ),
    recordOn: leaf(
      list(oneOf("finding")),
      [],
      "When to copy the last half hour to a recording next to the database: when a rule finds something. At most every 10 minutes; the newest three are kept, of at most 64 MiB each.",
    ),
  },
  shutdown: {
    timeout: leaf(duration(), 5000, "Time limit of the last export at shutdown."),
  },
};
