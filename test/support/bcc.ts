// bcc's thirteen tools and their ports in libbpf-tools: options, columns, and their output for the golden workload
// (test/kernels/golden.ts), from bcc 0.26 and libbpf-tools 0.26 on Linux 5.10 to 7.3.

/** One tool. */
export interface Bcc {
  /** Short options of both, then long ones without a short form. */
  readonly options: readonly string[];
  /** Of those, the ones without a counterpart here, and why. */
  readonly absent?: Readonly<Record<string, string>>;
  /** By option (long name in camelCase, "" for none): the columns in bcc's order. */
  readonly columns: Readonly<Record<string, string>>;
  /** Additional columns here, and their purpose. */
  readonly added?: Readonly<Record<string, string>>;
  /** Columns with the same content under another heading. */
  readonly renamed?: Readonly<Record<string, string>>;
  /** Rows, or bytes, that bcc's tool prints for the golden workload; undefined if they cannot be distinguished. */
  readonly prints?: number;
  /** Why that differs from what really happened. */
  readonly wrong?: string;
}

const containers = ["--cgroupmap", "--mntnsmap"];
const ends = "SADDR DADDR DPORT";
const result = "whether it failed";
const family = "bcc has it with -w and -s only";

export const bcc: Readonly<Record<string, Bcc>> = {
  tcpaccept: {
    options: [..."TtpP46", ...containers],
    columns: {
      "": "PID COMM IP RADDR RPORT LADDR LPORT",
      time: "TIME PID COMM IP RADDR RPORT LADDR LPORT",
      timestamp: "TIME(s) PID COMM IP RADDR RPORT LADDR LPORT",
    },
    prints: 12,
    wrong: "bcc 0.31 prints none on 6.12: it guesses where a field of struct sock lies",
  },
  tcpconnect: {
    options: [..."tpP46LUucds", ...containers],
    columns: {
      "": `PID COMM IP ${ends}`,
      timestamp: `TIME(s) PID COMM IP ${ends}`,
      printUid: `UID PID COMM IP ${ends}`,
      lport: "PID COMM IP SADDR LPORT DADDR DPORT",
      dns: `PID COMM IP ${ends} QUERY`,
      count: "LADDR RADDR RPORT CONNECTS",
    },
    added: { RESULT: result, FAILED: result, "AGE(ms)": "how old the name is" },
    prints: 14,
    wrong: "two of them were refused, which nothing shows",
  },
  tcpconnlat: {
    options: [..."tpL46v"],
    absent: { v: "prints the program, which is in the plugin's folder" },
    columns: {
      "": `PID COMM IP ${ends} LAT(ms)`,
      timestamp: `TIME(s) PID COMM IP ${ends} LAT(ms)`,
      lport: "PID COMM IP SADDR LPORT DADDR DPORT LAT(ms)",
    },
    added: { RESULT: result },
    prints: 14,
    wrong: "the two refusals are latencies like all others",
  },
  tcpdrop: {
    options: [..."46", "--netns-id", "--pid-netns"],
    columns: { "": "TIME PID IP SADDR:SPORT > DADDR:DPORT STATE (FLAGS) REASON" },
    prints: 0,
    wrong: "a refused SYN has no socket; bcc 0.31 on 6.12 prints 8, all of them orderly closes",
  },
  tcplife: {
    options: [..."TtwspLD46"],
    columns: {
      "": "PID COMM LADDR LPORT RADDR RPORT TX_KB RX_KB MS",
      time: "TIME PID COMM LADDR LPORT RADDR RPORT TX_KB RX_KB MS",
      timestamp: "TIME(s) PID COMM LADDR LPORT RADDR RPORT TX_KB RX_KB MS",
      wide: "PID COMM IP LADDR LPORT RADDR RPORT TX_KB RX_KB MS",
    },
    added: { IP: family, REASON: "what ended it", RETRANS: "retransmitted segments", RTT_MS: "round trip" },
    prints: 26,
    wrong: "two of them were never established, which nothing shows",
  },
  tcpretrans: {
    options: [..."slc46"],
    columns: {
      "": "TIME PID IP LADDR:LPORT T> RADDR:RPORT STATE",
      sequence: "TIME PID IP LADDR:LPORT T> RADDR:RPORT STATE SEQ",
      count: "LADDR:LPORT RADDR:RPORT RETRANSMITS",
    },
    prints: 0,
  },
  tcpstates: {
    options: [..."TtwsLDY46"],
    absent: { Y: "the journal takes what is piped to systemd-cat, of every tool" },
    columns: {
      "": "SKADDR C-PID C-COMM LADDR LPORT RADDR RPORT OLDSTATE -> NEWSTATE MS",
      time: "TIME SKADDR C-PID C-COMM LADDR LPORT RADDR RPORT OLDSTATE -> NEWSTATE MS",
      timestamp: "TIME(s) SKADDR C-PID C-COMM LADDR LPORT RADDR RPORT OLDSTATE -> NEWSTATE MS",
      wide: "SKADDR C-PID C-COMM IP LADDR LPORT RADDR RPORT OLDSTATE -> NEWSTATE MS",
    },
    added: { IP: family, PID: "the owner", COMM: "the owner's", DIRECTION: "", NETNS: "" },
    prints: 128,
  },
  tcpsubnet: {
    options: [..."vJfi"],
    absent: { v: "prints the program, which is in the plugin's folder" },
    // bcc prints no headings.
    columns: { "": "subnet bytes" },
    renamed: { subnet: "SUBNET", bytes: "TX" },
    added: { RX: "received bytes" },
    prints: 60_500,
    wrong: "IPv4 and sends only",
  },
  tcptop: {
    options: [..."CSp46csr", ...containers],
    columns: { "": "PID COMM LADDR RADDR RX_KB TX_KB" },
    wrong: "whole KB, rounded down: connections of less than one show 0 and 0",
  },
  tcptracer: {
    options: [..."tpNv46Uu", ...containers],
    columns: {
      "": "T PID COMM IP SADDR DADDR SPORT DPORT",
      timestamp: "TIME(s) T PID COMM IP SADDR DADDR SPORT DPORT",
      printUid: "UID T PID COMM IP SADDR DADDR SPORT DPORT",
      verbose: "TYPE PID COMM IP SADDR DADDR SPORT DPORT NETNS",
    },
    prints: 48,
  },
  solisten: {
    options: [..."pnt", "--show-netns"],
    columns: {
      "": "PID COMM PROTO BACKLOG PORT ADDR",
      timestamp: "TIME(s) PID COMM PROTO BACKLOG PORT ADDR",
      showNetns: "PID COMM NETNS PROTO BACKLOG PORT ADDR",
    },
    added: { RET: "the call's result; libbpf-tools has it too" },
    prints: 2,
    wrong: "libbpf-tools shows ::1 as ::",
  },
  softirqs: {
    options: [..."TNCdc"],
    columns: {
      "": "SOFTIRQ TOTAL_usecs",
      nanoseconds: "SOFTIRQ TOTAL_nsecs",
      count: "SOFTIRQ TOTAL_count",
    },
  },
  netqtop: {
    options: [..."nit"],
    columns: {
      "": "QueueID avg_size [0,64) [64,512) [512,2K) [2K,16K) [16K,64K)",
      throughput: "QueueID avg_size [0,64) [64,512) [512,2K) [2K,16K) [16K,64K) BPS PPS",
    },
    added: {
      NETNS: "distinguishes interfaces of one name",
      IFACE: "several at once",
      DIR: "bcc prints two tables",
      "[64K,-)": "such frames fall out there",
    },
  },
};
