// What the tools print for the programs' records, without the kernel or privileges: records in, columns out.
import assert from "node:assert/strict";
import type { Plugin } from "../../core/plugin/plugin.ts";
import { timeOfDay } from "../../core/plugin/trace/columns.ts";
import type { Flags } from "../../core/plugin/trace/view.ts";
import netqtop from "../../plugins/netqtop/index.ts";
import softirqs from "../../plugins/softirqs/index.ts";
import solisten from "../../plugins/solisten/index.ts";
import tcpaccept from "../../plugins/tcpaccept/index.ts";
import tcpconnect from "../../plugins/tcpconnect/index.ts";
import tcpconnlat from "../../plugins/tcpconnlat/index.ts";
import tcpdrop from "../../plugins/tcpdrop/index.ts";
import tcplife from "../../plugins/tcplife/index.ts";
import tcpretrans from "../../plugins/tcpretrans/index.ts";
import tcpstates from "../../plugins/tcpstates/index.ts";
import tcpsubnet from "../../plugins/tcpsubnet/index.ts";
import tcptop from "../../plugins/tcptop/index.ts";
import tcptracer from "../../plugins/tcptracer/index.ts";
import { Rig, type RigOptions } from "../../test/support/rig.ts";
import { TraceSink } from "./sink.ts";

const [ESTABLISHED, CLOSE_WAIT] = [1, 8];

const ends = {
  family: 4,
  local: Uint8Array.of(10, 0, 0, 1),
  localPort: 40_000,
  peer: Uint8Array.of(10, 0, 0, 2),
  peerPort: 443,
};
const owner = { pid: 5, tid: 6, uid: 7, workload: 7, comm: "curl" };
const conn = {
  cookie: 255,
  netnsCookie: 9,
  netns: 3,
  openedAt: 10e9,
  establishedAt: 10.001e9,
  acceptedAt: 10.002e9,
  closedAt: 12.5e9,
  ends,
  owner,
  ownerSource: "connect",
  direction: "outbound",
  closeReason: "fin_local",
} as const;
const refused = { ...conn, establishedAt: 0, closeReason: "refused", error: 111 } as const;
const traffic = { sentBytes: 2048, receivedBytes: 512, retransmits: 1, srttUs: 1500 };

/** What the tool prints of these records with `-s`: the titles of the columns, and a line for each row. */
function shown<P extends Plugin>(
  plugin: P,
  flags: Flags,
  feed: (rig: Rig<P>) => void,
  options?: RigOptions,
): readonly string[] {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  const sink = new TraceSink({ plugin, flags, format: "csv", signals: false, write });
  const rig = new Rig(plugin, { ...options, sink });
  sink.start();
  feed(rig);
  sink.metrics(rig.metrics());
  sink.flush();
  return text.trimEnd().split("\n");
}

const inbound = { ...conn, direction: "inbound" } as const;
const flows = { flows: true, sourcePorts: true };
const packet = {
  ...{ family: 4, source: ends.local, sourcePort: 1, destination: ends.peer, destinationPort: 80 },
  flags: 0x12,
};
const attempt = {
  type: "tlp",
  ...{ state: CLOSE_WAIT, sequence: 4e9, segments: 1, bytes: 700, interface: "eth0" },
} as const;
const listen = { kind: "call", task: owner } as const;
const frames = {
  ...{ name: "eth0", ifindex: 2, netnsCookie: 9, netns: 3, queue: 1, tag: 2 + 2 ** 32 },
  way: "transmit",
  ...{ frames: 3, morePackets: 2, bytes: 1000, classes: Float64Array.of(1, 0, 2, 0, 0, 0) },
  sizes: new Float64Array(160),
} as const;
const TIME = timeOfDay({ sec: 0, nsec: 0 });

/** By tool and options: what is printed. */
const views: Readonly<Record<string, () => readonly string[]>> = {
  "tcplife --wide": () =>
    shown(tcplife, { wide: true }, (rig) => rig.connection({ span: "connection", conn, traffic })),
  "tcpconnlat --wide --lport": () =>
    shown(tcpconnlat, { wide: true, lport: true }, (rig) => {
      rig.connection({ span: "connect", conn, traffic });
      rig.connection({ span: "connect", conn: refused });
    }),
  "tcpconnect --wide --lport --print-uid": () =>
    shown(tcpconnect, { wide: true, lport: true, printUid: true }, (rig) => {
      rig.connection({ span: "connect", conn });
      rig.connection({ span: "connect", conn: refused });
    }),
  "tcpconnect --count --source-port": () =>
    shown(
      tcpconnect,
      { count: true, sourcePort: true },
      (rig) => {
        rig.table("attempts", [
          [{ workload: 7, ends }, { count: 3 }],
          [{ workload: 8, ends, closeReason: "timeout", error: 110 }, { count: 1 }],
          [{ workload: 8, ends: { ...ends, localPort: 1 } }, { count: 9 }],
        ]);
      },
      { settings: flows },
    ),
  "tcpaccept --wide --queued": () =>
    shown(tcpaccept, { wide: true, queued: true }, (rig) => {
      rig.connection({ span: "accept", conn: { ...inbound, acceptor: owner, acceptFd: 8 } });
      const queued = { acceptedAt: 0, queued: true, closeReason: "rst_received" } as const;
      rig.connection({ span: "accept", conn: { ...inbound, ...queued } });
    }),
  "tcptracer --verbose --print-uid": () =>
    shown(tcptracer, { verbose: true, printUid: true }, (rig) => {
      rig.connection({ span: "connect", conn });
      rig.connection({ span: "accept", conn: inbound });
      rig.connection({ span: "connection", conn });
    }),
  tcptracer: () => shown(tcptracer, {}, (rig) => rig.connection({ span: "connection", conn })),
  "tcpdrop --wide": () =>
    shown(
      tcpdrop,
      { wide: true },
      (rig) => rig.record("drops", { reason: 3, way: "receive", packet, state: 1, connection: { conn } }),
      { enums: { skb_drop_reason: { 3: "SKB_DROP_REASON_NO_SOCKET" } } },
    ),
  "tcpretrans --wide --sequence": () =>
    shown(tcpretrans, { wide: true, sequence: true }, (rig) => {
      rig.record("retransmits", { attempt, connection: { conn, traffic: { cwnd: 10 } } });
      rig.record("retransmits", { attempt: { ...attempt, type: "rto", error: -12 }, connection: { conn } });
    }),
  "tcpretrans --count": () =>
    shown(
      tcpretrans,
      { count: true },
      (rig) => rig.table("flows", [[{ workload: 7, ends }, { segments: 4 }]]),
      { settings: flows },
    ),
  "tcpstates --wide": () =>
    shown(tcpstates, { wide: true }, (rig) => {
      const context = { pid: 8, comm: "sshd" };
      const change = { oldState: ESTABLISHED, newState: CLOSE_WAIT, duration: 2e6, context };
      rig.record("changes", { ...change, connection: { conn } });
    }),
  "solisten --wide --show-netns": () =>
    shown(solisten, { wide: true, showNetns: true }, (rig) => {
      const queue = { protocol: 6, limit: 128 };
      const backlog = { queue, backlog: 511, backlogKnown: true, again: true };
      rig.record("listens", { ...listen, ...backlog, ends, netns: 3, netnsCookie: 9 });
      rig.record("listens", { ...listen, error: 98 });
    }),
  "tcpsubnet --wide --format k": () =>
    shown(
      tcpsubnet,
      { wide: true, format: "k" },
      (rig) => {
        const drops = { droppedSent: 4, droppedReceived: 5 };
        const opened = { outbound: 6, inbound: 7 };
        rig.table("sums", [
          [{ value: 0 }, { sentBytes: 1 }],
          [{ value: 1 }, { sentBytes: 1000, receivedBytes: 125, retransmits: 3, ...drops, ...opened }],
        ]);
      },
      { settings: { subnets: ["10.0.0.0/8=corp"] } },
    ),
  "tcptop --wide": () =>
    shown(
      tcptop,
      { wide: true },
      (rig) =>
        rig.rows("sweep", [
          { conn, sentBytes: 1024, receivedBytes: 2048 },
          { conn: { ...conn, cookie: 4 }, sentBytes: 512 },
          { conn: { ...conn, cookie: 5 }, sentBytes: 512 },
        ]),
      { settings: { connections: 1 } },
    ),
  "softirqs --wide --count": () =>
    shown(
      softirqs,
      { wide: true, count: true },
      (rig) => {
        const figures = { runs: 4, time: { count: 4, sumNs: 8e9, maxNs: 3e9 } };
        const wait = { count: 2, sumNs: 1e9, maxNs: 9e8 };
        rig.table("vectors", [[{ value: 3 }, { ...figures, wait }, 1]]);
      },
      { enums: { NET_RX_SOFTIRQ: { 3: "NET_RX_SOFTIRQ" } } },
    ),
  "netqtop --wide --throughput": () =>
    shown(netqtop, { wide: true, throughput: true }, (rig) =>
      rig.table("queues", [[{ value: 0 }, frames, 0]]),
    ),
};

const expected: Readonly<Record<keyof typeof views, readonly string[]>> = {
  "tcplife --wide": [
    "PID,COMM,IP,LADDR,LPORT,RADDR,RPORT,TX_KB,RX_KB,MS,REASON,RETRANS,RTT_MS",
    "5,curl,4,10.0.0.1,40000,10.0.0.2,443,2.0,0.5,2500.00,fin_local,1,1.500",
  ],
  "tcpconnlat --wide --lport": [
    "PID,COMM,IP,SADDR,LPORT,DADDR,DPORT,LAT(ms),RESULT,RETRANS,RTT(ms),TFO",
    "5,curl,4,10.0.0.1,40000,10.0.0.2,443,1.00,established,0,1.500,-",
    "5,curl,4,10.0.0.1,40000,10.0.0.2,443,2500.00,connection_refused,0,-,-",
  ],
  "tcpconnect --wide --lport --print-uid": [
    "UID,PID,COMM,IP,SADDR,LPORT,DADDR,DPORT,RESULT,ERRNO,TID,NETNS",
    "7,5,curl,4,10.0.0.1,40000,10.0.0.2,443,established,-,6,3",
    "7,5,curl,4,10.0.0.1,40000,10.0.0.2,443,connection_refused,111,6,3",
  ],
  "tcpconnect --count --source-port": [
    "LADDR,LPORT,RADDR,RPORT,CONNECTS,FAILED",
    "10.0.0.1,1,10.0.0.2,443,9,0",
    "10.0.0.1,40000,10.0.0.2,443,4,1",
  ],
  "tcpaccept --wide --queued": [
    "PID,COMM,IP,RADDR,RPORT,LADDR,LPORT,QUEUE_MS,FD,TID,RESULT",
    "5,curl,4,10.0.0.2,443,10.0.0.1,40000,1.000,8,6,accepted",
    "5,curl,4,10.0.0.2,443,10.0.0.1,40000,2499.000,-,6,never_accepted",
  ],
  "tcptracer --verbose --print-uid": [
    "UID,TYPE,PID,COMM,IP,SADDR,DADDR,SPORT,DPORT,NETNS",
    "7,connect,5,curl,4,10.0.0.1,10.0.0.2,40000,443,3",
    "7,accept,5,curl,4,10.0.0.1,10.0.0.2,40000,443,3",
    "7,close,5,curl,4,10.0.0.1,10.0.0.2,40000,443,3",
  ],
  tcptracer: ["T,PID,COMM,IP,SADDR,DADDR,SPORT,DPORT", "X,5,curl,4,10.0.0.1,10.0.0.2,40000,443"],
  "tcpdrop --wide": [
    "TIME,PID,IP,SADDR:SPORT,>,DADDR:DPORT,STATE,(FLAGS),REASON,COMM,DIR,IFACE,NETNS,LOCATION",
    `${TIME},-,4,10.0.0.1:1,>,10.0.0.2:80,ESTABLISHED,(SYN|ACK),NO_SOCKET,-,receive,-,3,0x0000000000000000`,
  ],
  "tcpretrans --wide --sequence": [
    "TIME,PID,IP,LADDR:LPORT,T>,RADDR:RPORT,STATE,SEQ,COMM,TYPE,SEGS,BYTES,CWND,IFACE,NETNS,ERROR",
    `${TIME},5,4,10.0.0.1:40000,L>,10.0.0.2:443,CLOSE_WAIT,4000000000,curl,tlp,1,700,10,eth0,3,-`,
    `${TIME},5,4,10.0.0.1:40000,E>,10.0.0.2:443,CLOSE_WAIT,4000000000,curl,rto,1,700,-,eth0,3,no_memory`,
  ],
  "tcpretrans --count": ["LADDR:LPORT,RADDR:RPORT,RETRANSMITS", "10.0.0.1:40000,10.0.0.2:443,4"],
  "tcpstates --wide": [
    "SKADDR,C-PID,C-COMM,IP,LADDR,LPORT,RADDR,RPORT,OLDSTATE,->,NEWSTATE,MS,PID,COMM,DIRECTION,NETNS",
    "ff,8,sshd,4,10.0.0.1,40000,10.0.0.2,443,ESTABLISHED,->,CLOSE_WAIT,2.000,5,curl,outbound,3",
  ],
  "solisten --wide --show-netns": [
    "PID,COMM,NETNS,PROTO,BACKLOG,PORT,ADDR,RET,LIMIT,AGAIN,ERROR,TID",
    "5,curl,3,TCPv4,511,40000,10.0.0.1,0,128,yes,-,6",
    "5,curl,-,-,-,-,-,-98,-,-,address_in_use,6",
  ],
  "tcpsubnet --wide --format k": [
    "SUBNET,TX,RX,CONNECTIONS,RETRANS,DROPPED",
    "corp,8,1,13,3,9",
    "other,0.0,0,0,0,0",
  ],
  "tcptop --wide": [
    "PID,COMM,LADDR,RADDR,RX_KB,TX_KB,DIRECTION,NETNS,UID,EXE",
    "5,curl,10.0.0.1:40000,10.0.0.2:443,2.0,1.0,outbound,3,7,app-7",
    "-,(2 others),-,-,0.0,1.0,-,-,-,-",
  ],
  "softirqs --wide --count": [
    "SOFTIRQ,TOTAL_usecs,TOTAL_count,MAX_usecs,WAIT_avg_usecs,WAIT_max_usecs",
    "net_rx,8000000,4,3000000,500000,900000",
  ],
  "netqtop --wide --throughput": [
    'NETNS,IFACE,DIR,QueueID,avg_size,"[0, 64)","[64, 512)","[512, 2K)","[2K, 16K)","[16K, 64K)","[64K, -)",frames,packets,bytes,BPS,PPS',
    "3,eth0,TX,1,333,1,0,2,0,0,0,3,5,1000,1.00,0.01",
  ],
};

describe("the columns of", () => {
  for (const [what, print] of Object.entries(views)) {
    it(what, () => {
      assert.deepEqual(print(), expected[what]);
    });
  }
});
