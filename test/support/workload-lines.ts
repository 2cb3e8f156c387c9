// The output of the workloads in test/workload/: one JSON object per line.

/** A workload, as `test/workload/README.md` lists them. */
export type Case =
  | "attempt"
  | "clientCloses"
  | "serverCloses"
  | "killedConnecting"
  | "nonblocking"
  | "nonblockingRefused"
  | "abandoned"
  | "interrupted"
  | "inheritedByChild"
  | "passedToChild"
  | "acceptedByThread"
  | "halfClose"
  | "reset"
  | "selfConnect"
  | "reusedPort"
  | "fastOpen"
  | "deferred"
  | "multipath"
  | "unaccepted"
  | "burst"
  | "shortLived"
  | "held"
  | "executed"
  | "unread"
  | "reconnected"
  | "sequenceNumbers"
  | "late"
  | "paced"
  | "crowd"
  | "unanswered"
  | "accepters"
  | "emfile"
  | "forking"
  | "prefork"
  | "preforkMultipath"
  | "killedWorker"
  | "activated"
  | "uring"
  | "uringMultishot"
  | "uringDirect"
  | "uringMultishotDirect"
  | "uringEmfile"
  | "listen"
  | "queued"
  | "bytes"
  | "datagrams"
  | "cookie"
  | "puppet";

interface Said<E extends string> {
  readonly event: E;
  readonly case: Case;
  readonly role: "client" | "server" | "heir";
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
  /** Nanoseconds on the boot clock, as every other `…Ns`. */
  readonly atNs: number;
}

interface Socket {
  readonly cookie: number;
  /** The cookie of its network namespace. */
  readonly netns: number;
}

interface Local {
  readonly local: string;
  readonly localPort: number;
}

/** A connection according to its program: bytes as it counted them, and the kernel's statistics (TCP_INFO). */
export interface Connection<E extends string = string> extends Said<E>, Socket, Local {
  readonly index: number;
  readonly family: "ipv4" | "ipv6";
  /** An IPv6 socket that uses IPv4. */
  readonly mapped: boolean;
  readonly remote: string;
  readonly remotePort: number;
  readonly sent: number;
  readonly received: number;
  /** The program's last error, 0 if there was none. */
  readonly errno: number;
  /** What connect() itself returned. */
  readonly connectErrno: number;
  readonly startNs: number;
  readonly openNs: number;
  /** The kernel's TCP state before the program closed it (1 established, 2 SYN sent, 7 closed). */
  readonly state?: number;
  readonly rttUs?: number;
  readonly minRttUs?: number;
  readonly segmentsOut?: number;
  readonly segmentsIn?: number;
  readonly retransmits?: number;
  readonly bytesAcked?: number;
  readonly bytesReceived?: number;
  readonly bytesSent?: number;
  readonly bytesRetransmitted?: number;
  readonly fastopen?: boolean;
}

/** Every line that a workload prints, by its event. */
export interface Lines {
  readonly listening: Said<"listening"> & Socket & Local & { readonly backlog: number };
  readonly opened: Connection<"opened">;
  readonly accepted: Connection<"accepted">;
  readonly exiting: Connection<"exiting">;
  readonly end: Connection<"end"> & { readonly endNs: number };
  readonly connecting: Said<"connecting"> & { readonly remote: string; readonly remotePort: number };
  readonly killed: Said<"killed"> & { readonly child: number };
  readonly blocked: Said<"blocked"> & { readonly threads: number };
  readonly accept: Said<"accept"> & { readonly index: number; readonly errno: number };
  readonly unread: Said<"unread"> & { readonly bytes: number };
  readonly cookie: Said<"cookie"> & Socket;
  readonly did: Said<"did"> & { readonly verb: string };
  /** Sequence numbers of the first byte after each side's SYN. */
  readonly numbers: Said<"numbers"> & { readonly opener: number; readonly acceptor: number };
  readonly listen: Said<"listen"> &
    Socket &
    Local & {
      readonly variant: "autobound" | "again" | "first" | "taken" | "wide" | "dual" | "multipath";
      readonly backlog: number;
      readonly effective: number;
      readonly errno: number;
    };
  readonly multipath: Said<"multipath"> & {
    readonly fallback: boolean;
    readonly extraSubflows: number;
    readonly token: number;
  };
  readonly summary: Said<"summary"> & {
    readonly connections: number;
    readonly failed: number;
    readonly sent: number;
    readonly received: number;
    readonly startNs: number;
    readonly endNs: number;
  };
  readonly reads: Said<"reads"> & { readonly peeked: number; readonly spliced: number };
  readonly sends: Said<"sends"> & {
    readonly asked: number;
    readonly partial: number;
    readonly refused: number;
    readonly fromFile: number;
  };
  readonly datagrams: Said<"datagrams"> & {
    readonly datagrams: number;
    readonly bytes: number;
    readonly failed: number;
  };
}

export type Line = Lines[keyof Lines];

/** The lines of one event, and of one role if given, in the order in which they were printed. */
export function pick<E extends keyof Lines>(
  lines: readonly Line[],
  event: E,
  role?: Line["role"],
): readonly Lines[E][] {
  return lines.filter((line): line is Lines[E] => line.event === event && (!role || line.role === role));
}

/** The only such line; throws if there is none or more than one. */
export function one<E extends keyof Lines>(lines: readonly Line[], event: E, role?: Line["role"]): Lines[E] {
  const [line, ...more] = pick(lines, event, role);
  if (!line || more.length > 0) {
    throw new Error(`${more.length + (line ? 1 : 0)} lines "${event}" of ${role ?? "any"}, 1 expected`);
  }
  return line;
}
