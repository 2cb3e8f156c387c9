// solisten: listening sockets.
import { constants } from "node:os";
import { formatAddress } from "../../core/plugin/address.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { networkType } from "../../core/plugin/series.ts";
import { services, type Workload } from "../../core/plugin/services.ts";
import { type Listening, Overflows } from "./overflows.ts";
import { type LISTEN_ERRORS, signals } from "./signals.ts";
import {
  type Endpoints,
  type Listen,
  type Listener,
  type Queue,
  skeleton,
  type Task,
} from "./solisten.skel.ts";
import { trace } from "./trace.ts";

const { errno } = constants;

const ERRORS: Readonly<Record<number, (typeof LISTEN_ERRORS)[number]>> = {
  [errno.EADDRINUSE]: "address_in_use",
  [errno.EBADF]: "bad_descriptor",
  [errno.ENOTSOCK]: "not_a_socket",
  [errno.EINVAL]: "invalid_state",
  [errno.EOPNOTSUPP]: "not_supported",
  [errno.EACCES]: "permission_denied",
  [errno.EPERM]: "permission_denied",
};

const PROTOCOLS: Readonly<Record<number, string>> = { 6: "tcp", 17: "udp", 132: "sctp", 262: "mptcp" };
const TRANSPORTS: Readonly<Record<number, "tcp" | "udp">> = { 6: "tcp", 17: "udp", 262: "tcp" };

interface Described {
  readonly cookie: number;
  readonly ends: Endpoints;
  readonly netnsCookie: number;
  readonly netns: number;
  readonly queue: Queue;
}

const familyOf = ({ family }: Endpoints): "ipv4" | "ipv6" => networkType(family) ?? "ipv6";

/** The listener's attributes without the namespace. */
function attributesOf({ cookie, ends, queue }: Described, task: Task, executable: string | undefined) {
  const family = familyOf(ends);
  return {
    ...(ends.family && {
      "network.transport": TRANSPORTS[queue.protocol],
      "network.type": family,
      "server.address": formatAddress(ends.local, family),
      "wirespan.socket.protocol": PROTOCOLS[queue.protocol] ?? String(queue.protocol),
    }),
    ...(ends.localPort && { "server.port": ends.localPort }),
    ...(ends.ifindex && { "wirespan.interface.index": ends.ifindex }),
    ...(ends.family === 6 && { "wirespan.socket.ipv6_only": queue.ipv6Only }),
    ...(cookie && { "wirespan.socket.id": cookie.toString(16) }),
    "process.pid": task.pid,
    "process.executable.name": executable,
    "thread.name": task.comm,
    "wirespan.thread.tid": task.tid,
    "wirespan.process.uid": task.uid,
  } as const;
}

/** The sum of one series: several listeners may share a port. */
interface Sum {
  readonly port: number;
  readonly family: "ipv4" | "ipv6";
  readonly workload: Workload;
  listeners: number;
  usage: number;
  limit: number;
}

function add(sums: Map<string, Sum>, { ends, queue }: Listener, workload: Workload): void {
  const key = `${ends.localPort} ${ends.family} ${workload.number}`;
  const series = { port: ends.localPort, family: familyOf(ends), workload };
  const sum = sums.get(key) ?? { ...series, listeners: 0, usage: 0, limit: 0 };
  sum.listeners++;
  sum.usage += queue.usage;
  sum.limit += queue.limit;
  sums.set(key, sum);
}

export default plugin({
  name: "solisten",
  summary: "Listening sockets: every listen() with its result, and the accept queues.",

  config: {
    everyCall: {
      doc: "Also report calls that do not change the socket's state: repeated calls, and failures with their error. If the kernel refuses fexit programs, this uses the tracepoint at the return of listen(), which slows down every system call of the host a little.",
      format: "boolean",
      default: false,
    },
    unattendedAfter: {
      doc: "Report a listener that has never accepted a connection once its first one has waited this long; 0s: never.",
      format: "duration",
      default: 30_000,
    },
  },

  skeleton,
  probes: {
    "listeners' states": { programs: ["on_state"] },
    "results of listen()": {
      programs: ["on_inet_listen"],
      lostWithout: "repeated calls, and failures other than a port in use, unless everyCall is set",
    },
    "results of every listen()": {
      programs: ["on_listen_exit"],
      setting: "everyCall",
      lostWithout: "repeated calls, and failures other than a port in use, if fexit is refused too",
    },
  },
  uses: {
    connections: services.connections,
    identity: services.identity,
    namespaces: services.namespaces,
    clock: services.clock,
    numbers: services.pids,
  },
  signals,

  start({ config, emit, use: { connections, identity, clock, namespaces, numbers } }) {
    const overflows = new Overflows((pid) => numbers.inProc(pid));
    let warned: ReadonlySet<number> = new Set<number>();

    function describe(socket: Described, task: Task) {
      const { ends, netnsCookie, netns } = socket;
      return {
        ...attributesOf(socket, task, connections.executable(task)),
        ...(ends.family && namespaces.attributes(netnsCookie, netns)),
      };
    }

    function report(listen: Listen): void {
      const { task, queue, error } = listen;
      const happened = { time: clock.wall(listen.happenedAt), resource: connections.resource(task) };
      const socket = describe(listen, task);
      const limit = { "wirespan.socket.backlog_limit": queue.limit };
      if (listen.kind === "call") {
        emit.listen({
          ...happened,
          attributes: {
            ...socket,
            ...(!error && limit),
            ...(listen.backlogKnown && { "wirespan.socket.backlog": listen.backlog }),
            ...(listen.again && { "wirespan.socket.listens_already": true }),
            ...(error && { "error.type": ERRORS[error] ?? "_OTHER" }),
            "wirespan.socket.errno": error,
          },
        });
        return;
      }
      emit.end({
        ...happened,
        attributes: {
          ...socket,
          ...limit,
          ...(!listen.beforeStart && {
            "wirespan.socket.listener.duration": (listen.happenedAt - listen.openedAt) / 1e9,
          }),
          "wirespan.socket.accepted": Math.max(0, listen.arrived - queue.usage),
          "wirespan.socket.waiting": queue.usage,
          "wirespan.socket.drops": queue.drops,
        },
      });
    }

    function warn(listener: Listener): void {
      if (warned.has(listener.cookie)) return;
      emit.unattended({
        time: clock.now(),
        resource: connections.resource(listener.owner),
        attributes: {
          ...describe(listener, listener.owner),
          "wirespan.socket.backlog_limit": listener.queue.limit,
          "wirespan.socket.waiting": listener.queue.usage,
          "wirespan.socket.waiting_for": listener.unattended / 1e9,
        },
      });
    }

    return {
      listens: report,
      sweep(rows) {
        const sums = new Map<string, Sum>();
        const listening = new Map<number, Listening>();
        const unattended = new Set<number>();
        for (const row of rows) {
          if (identity.waits(row.owner)) continue;
          add(sums, row, identity.workload(identity.of(row.owner).number));
          const { netnsCookie: cookie, netns: inode } = row;
          const namespace = listening.get(cookie) ?? { cookie, inode, pids: new Set() };
          listening.set(cookie, namespace);
          namespace.pids.add(row.owner.pid);
          if (!config.unattendedAfter || row.unattended < config.unattendedAfter * 1e6) continue;
          warn(row);
          unattended.add(row.cookie);
        }
        warned = unattended;
        for (const { port, family, workload, listeners, usage, limit } of sums.values()) {
          const series = {
            "server.port": port,
            "network.type": family,
            ...workload.series,
          } as const;
          const { resource } = workload;
          emit.count.observe(listeners, series, resource);
          emit.usage.observe(usage, series, resource);
          emit.limit.observe(limit, series, resource);
        }
        for (const [{ cookie, inode }, count] of overflows.collect(listening.values()))
          emit.overflows.observe(count, {
            ...namespaces.attributes(cookie, inode),
            "wirespan.netns.cookie": cookie,
          });
      },
    };
  },

  trace,
});
