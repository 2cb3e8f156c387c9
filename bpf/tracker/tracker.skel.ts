// Written by tools/btfgen.ts from tracker.bpf.c. Do not edit.
import { text } from "../../core/bridge/runtime.ts";
import type { Cursor, RingRecords, RowRecords } from "../../core/plugin/skeleton.ts";

const empty = new Uint32Array(0);
const none = new Uint8Array(0);

export interface Task {
  readonly pid: number;
  readonly tid: number;
  readonly uid: number;
  readonly cgroups: number;
  readonly cgroupId: number;
  readonly mntns: number;
  readonly workload: number;
  readonly startedAt: number;
  readonly comm: string;
  readonly exe: number;
}

export class TaskCursor implements Task, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get pid(): number {
    return this.#words[((this.#at) >> 2)]!;
  }
  get tid(): number {
    return this.#words[((this.#at + 4) >> 2)]!;
  }
  get uid(): number {
    return this.#words[((this.#at + 8) >> 2)]!;
  }
  get cgroups(): number {
    return this.#words[((this.#at + 12) >> 2)]!;
  }
  get cgroupId(): number {
    return this.#words[((this.#at + 16) >> 2)]! + this.#words[((this.#at + 16) >> 2) + 1]! * 4294967296;
  }
  get mntns(): number {
    return this.#words[((this.#at + 24) >> 2)]!;
  }
  get workload(): number {
    return this.#words[((this.#at + 28) >> 2)]!;
  }
  get startedAt(): number {
    return this.#words[((this.#at + 32) >> 2)]! + this.#words[((this.#at + 32) >> 2) + 1]! * 4294967296;
  }
  get comm(): string {
    return text(this.#words, this.#bytes, this.#at + 40, 16);
  }
  get exe(): number {
    return this.#words[((this.#at + 56) >> 2)]! + this.#words[((this.#at + 56) >> 2) + 1]! * 4294967296;
  }
}

export type Span = "connection" | "connect" | "accept";
const spanNames = ["connection", "connect", "accept"] as const;

export interface Endpoints {
  readonly local: Uint8Array;
  readonly peer: Uint8Array;
  readonly localPort: number;
  readonly peerPort: number;
  readonly family: number;
  readonly mapped: boolean;
  readonly ifindex: number;
}

export class EndpointsCursor implements Endpoints, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get local(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + 16);
  }
  get peer(): Uint8Array {
    return this.#bytes.subarray(this.#at + 16, this.#at + 16 + 16);
  }
  get localPort(): number {
    return this.#bytes[(this.#at + 32)]! | (this.#bytes[(this.#at + 32) + 1]! << 8);
  }
  get peerPort(): number {
    return this.#bytes[(this.#at + 34)]! | (this.#bytes[(this.#at + 34) + 1]! << 8);
  }
  get family(): number {
    return this.#bytes[(this.#at + 36)]!;
  }
  get mapped(): boolean {
    return this.#bytes[this.#at + 37]! !== 0;
  }
  get ifindex(): number {
    return this.#words[((this.#at + 40) >> 2)]!;
  }
}

export interface Actor {
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
}

export class ActorCursor implements Actor, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get pid(): number {
    return this.#words[((this.#at) >> 2)]!;
  }
  get tid(): number {
    return this.#words[((this.#at + 4) >> 2)]!;
  }
  get comm(): string {
    return text(this.#words, this.#bytes, this.#at + 8, 16);
  }
}

export type Direction = "unknown" | "outbound" | "inbound";
const directionNames = ["unknown", "outbound", "inbound"] as const;

export type OwnerSource = "unknown" | "connect" | "listener" | "io" | "accept" | "holder" | "close";
const ownerSourceNames = ["unknown", "connect", "listener", "io", "accept", "holder", "close"] as const;

export type CloseReason = "none" | "fin_local" | "fin_remote" | "rst_sent" | "rst_received" | "timeout" | "refused" | "unreachable" | "aborted" | "killed" | "unknown";
const closeReasonNames = ["none", "fin_local", "fin_remote", "rst_sent", "rst_received", "timeout", "refused", "unreachable", "aborted", "killed", "unknown"] as const;

export interface Conn {
  readonly cookie: number;
  readonly netnsCookie: number;
  readonly openedAt: number;
  readonly establishedAt: number;
  readonly acceptedAt: number;
  readonly closedAt: number;
  readonly ends: Endpoints;
  readonly owner: Task;
  readonly user: Actor;
  readonly closer: Actor;
  readonly acceptor: Actor;
  readonly direction: Direction;
  readonly ownerSource: OwnerSource;
  readonly closeReason: CloseReason;
  readonly error: number;
  readonly netns: number;
  readonly ownIsn: number;
  readonly peerIsn: number;
  readonly handshakeRetransmits: number;
  readonly acceptFd: number;
  readonly wantedConnection: number;
  readonly wantedConnect: number;
  readonly wantedAccept: number;
  readonly promised: number;
  readonly emittedConnection: boolean;
  readonly emittedConnect: boolean;
  readonly queued: boolean;
  readonly beforeStart: boolean;
  readonly begunUnseen: boolean;
  readonly endedUnseen: boolean;
  readonly foundEnd: boolean;
  readonly peerIsHere: boolean;
  readonly openerIsPromised: boolean;
  readonly fastopen: boolean;
  readonly excluded: boolean;
  readonly hasTuple: boolean;
  readonly missedTuple: boolean;
  readonly isNested: boolean;
  readonly oldState: number;
  readonly state: number;
  readonly sentBefore: number;
  readonly receivedBefore: number;
  readonly enteredAt: number;
  readonly enteredState: number;
  readonly doubtfulRttUs: number;
  readonly lostBefore: number;
  readonly life: number;
  readonly interface: string;
  readonly round: number;
  readonly counted: number;
}

export class ConnCursor implements Conn, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get cookie(): number {
    return this.#words[((this.#at) >> 2)]! + this.#words[((this.#at) >> 2) + 1]! * 4294967296;
  }
  get netnsCookie(): number {
    return this.#words[((this.#at + 8) >> 2)]! + this.#words[((this.#at + 8) >> 2) + 1]! * 4294967296;
  }
  get openedAt(): number {
    return this.#words[((this.#at + 16) >> 2)]! + this.#words[((this.#at + 16) >> 2) + 1]! * 4294967296;
  }
  get establishedAt(): number {
    return this.#words[((this.#at + 24) >> 2)]! + this.#words[((this.#at + 24) >> 2) + 1]! * 4294967296;
  }
  get acceptedAt(): number {
    return this.#words[((this.#at + 32) >> 2)]! + this.#words[((this.#at + 32) >> 2) + 1]! * 4294967296;
  }
  get closedAt(): number {
    return this.#words[((this.#at + 40) >> 2)]! + this.#words[((this.#at + 40) >> 2) + 1]! * 4294967296;
  }
  readonly #ends = new EndpointsCursor();
  get ends(): Endpoints {
    this.#ends.at(this.#words, this.#bytes, this.#at + 48);
    return this.#ends;
  }
  readonly #owner = new TaskCursor();
  get owner(): Task {
    this.#owner.at(this.#words, this.#bytes, this.#at + 96);
    return this.#owner;
  }
  readonly #user = new ActorCursor();
  get user(): Actor {
    this.#user.at(this.#words, this.#bytes, this.#at + 160);
    return this.#user;
  }
  readonly #closer = new ActorCursor();
  get closer(): Actor {
    this.#closer.at(this.#words, this.#bytes, this.#at + 184);
    return this.#closer;
  }
  readonly #acceptor = new ActorCursor();
  get acceptor(): Actor {
    this.#acceptor.at(this.#words, this.#bytes, this.#at + 208);
    return this.#acceptor;
  }
  get direction(): Direction {
    return directionNames[this.#words[((this.#at + 232) >> 2)]!]!;
  }
  get ownerSource(): OwnerSource {
    return ownerSourceNames[this.#words[((this.#at + 236) >> 2)]!]!;
  }
  get closeReason(): CloseReason {
    return closeReasonNames[this.#words[((this.#at + 240) >> 2)]!]!;
  }
  get error(): number {
    return this.#words[((this.#at + 244) >> 2)]!;
  }
  get netns(): number {
    return this.#words[((this.#at + 248) >> 2)]!;
  }
  get ownIsn(): number {
    return this.#words[((this.#at + 252) >> 2)]!;
  }
  get peerIsn(): number {
    return this.#words[((this.#at + 256) >> 2)]!;
  }
  get handshakeRetransmits(): number {
    return this.#words[((this.#at + 260) >> 2)]!;
  }
  get acceptFd(): number {
    return this.#words[((this.#at + 264) >> 2)]! | 0;
  }
  get wantedConnection(): number {
    return this.#words[((this.#at + 268) >> 2)]!;
  }
  get wantedConnect(): number {
    return this.#words[((this.#at + 272) >> 2)]!;
  }
  get wantedAccept(): number {
    return this.#words[((this.#at + 276) >> 2)]!;
  }
  get promised(): number {
    return this.#words[((this.#at + 280) >> 2)]!;
  }
  get emittedConnection(): boolean {
    return this.#bytes[this.#at + 284]! !== 0;
  }
  get emittedConnect(): boolean {
    return this.#bytes[this.#at + 285]! !== 0;
  }
  get queued(): boolean {
    return this.#bytes[this.#at + 286]! !== 0;
  }
  get beforeStart(): boolean {
    return this.#bytes[this.#at + 287]! !== 0;
  }
  get begunUnseen(): boolean {
    return this.#bytes[this.#at + 288]! !== 0;
  }
  get endedUnseen(): boolean {
    return this.#bytes[this.#at + 289]! !== 0;
  }
  get foundEnd(): boolean {
    return this.#bytes[this.#at + 290]! !== 0;
  }
  get peerIsHere(): boolean {
    return this.#bytes[this.#at + 291]! !== 0;
  }
  get openerIsPromised(): boolean {
    return this.#bytes[this.#at + 292]! !== 0;
  }
  get fastopen(): boolean {
    return this.#bytes[this.#at + 293]! !== 0;
  }
  get excluded(): boolean {
    return this.#bytes[this.#at + 294]! !== 0;
  }
  get hasTuple(): boolean {
    return this.#bytes[this.#at + 295]! !== 0;
  }
  get missedTuple(): boolean {
    return this.#bytes[this.#at + 296]! !== 0;
  }
  get isNested(): boolean {
    return this.#bytes[this.#at + 297]! !== 0;
  }
  get oldState(): number {
    return this.#bytes[(this.#at + 298)]! | (this.#bytes[(this.#at + 298) + 1]! << 8);
  }
  get state(): number {
    return this.#bytes[(this.#at + 300)]! | (this.#bytes[(this.#at + 300) + 1]! << 8);
  }
  get sentBefore(): number {
    return this.#words[((this.#at + 304) >> 2)]! + this.#words[((this.#at + 304) >> 2) + 1]! * 4294967296;
  }
  get receivedBefore(): number {
    return this.#words[((this.#at + 312) >> 2)]! + this.#words[((this.#at + 312) >> 2) + 1]! * 4294967296;
  }
  get enteredAt(): number {
    return this.#words[((this.#at + 320) >> 2)]! + this.#words[((this.#at + 320) >> 2) + 1]! * 4294967296;
  }
  get enteredState(): number {
    return this.#words[((this.#at + 328) >> 2)]!;
  }
  get doubtfulRttUs(): number {
    return this.#words[((this.#at + 332) >> 2)]!;
  }
  get lostBefore(): number {
    return this.#words[((this.#at + 336) >> 2)]!;
  }
  get life(): number {
    return this.#words[((this.#at + 340) >> 2)]!;
  }
  get interface(): string {
    return text(this.#words, this.#bytes, this.#at + 344, 16);
  }
  get round(): number {
    return this.#words[((this.#at + 360) >> 2)]!;
  }
  get counted(): number {
    return this.#words[((this.#at + 364) >> 2)]!;
  }
}

export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly retransmittedBytes: number;
  readonly sentSegments: number;
  readonly receivedSegments: number;
  readonly retransmits: number;
  readonly lost: number;
  readonly srttUs: number;
  readonly minRttUs: number;
  readonly rttVarUs: number;
  readonly cwnd: number;
  readonly reordering: number;
  readonly unread: number;
}

export class TrafficCursor implements Traffic, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get sentBytes(): number {
    return this.#words[((this.#at) >> 2)]! + this.#words[((this.#at) >> 2) + 1]! * 4294967296;
  }
  get receivedBytes(): number {
    return this.#words[((this.#at + 8) >> 2)]! + this.#words[((this.#at + 8) >> 2) + 1]! * 4294967296;
  }
  get retransmittedBytes(): number {
    return this.#words[((this.#at + 16) >> 2)]! + this.#words[((this.#at + 16) >> 2) + 1]! * 4294967296;
  }
  get sentSegments(): number {
    return this.#words[((this.#at + 24) >> 2)]!;
  }
  get receivedSegments(): number {
    return this.#words[((this.#at + 28) >> 2)]!;
  }
  get retransmits(): number {
    return this.#words[((this.#at + 32) >> 2)]!;
  }
  get lost(): number {
    return this.#words[((this.#at + 36) >> 2)]!;
  }
  get srttUs(): number {
    return this.#words[((this.#at + 40) >> 2)]!;
  }
  get minRttUs(): number {
    return this.#words[((this.#at + 44) >> 2)]!;
  }
  get rttVarUs(): number {
    return this.#words[((this.#at + 48) >> 2)]!;
  }
  get cwnd(): number {
    return this.#words[((this.#at + 52) >> 2)]!;
  }
  get reordering(): number {
    return this.#words[((this.#at + 56) >> 2)]!;
  }
  get unread(): number {
    return this.#words[((this.#at + 60) >> 2)]!;
  }
}

export interface ConnRecord {
  readonly span: Span;
  readonly wanted: number;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array;
  readonly conn: Conn;
  readonly traffic: Traffic;
}

export class ConnRecordCursor implements ConnRecord, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get span(): Span {
    return spanNames[this.#words[((this.#at) >> 2)]!]!;
  }
  get wanted(): number {
    return this.#words[((this.#at + 4) >> 2)]!;
  }
  get traceId(): Uint8Array {
    return this.#bytes.subarray(this.#at + 8, this.#at + 8 + 16);
  }
  get spanId(): Uint8Array {
    return this.#bytes.subarray(this.#at + 24, this.#at + 24 + 8);
  }
  get parentSpanId(): Uint8Array {
    return this.#bytes.subarray(this.#at + 32, this.#at + 32 + 8);
  }
  readonly #conn = new ConnCursor();
  get conn(): Conn {
    this.#conn.at(this.#words, this.#bytes, this.#at + 40);
    return this.#conn;
  }
  readonly #traffic = new TrafficCursor();
  get traffic(): Traffic {
    this.#traffic.at(this.#words, this.#bytes, this.#at + 408);
    return this.#traffic;
  }
}

export interface Survey {
  readonly living: number;
  readonly goneOn: number;
}

export class SurveyCursor implements Survey, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get living(): number {
    return this.#words[((this.#at) >> 2)]! + this.#words[((this.#at) >> 2) + 1]! * 4294967296;
  }
  get goneOn(): number {
    return this.#words[((this.#at + 8) >> 2)]! + this.#words[((this.#at + 8) >> 2) + 1]! * 4294967296;
  }
}

export const skeleton = {
  hash: "6c0ebe28da03c205",
  programs: {
    drop_rows: "iter/bpf_sk_storage_map",
    keep_living: "iter/bpf_sk_storage_map",
    mend_found: "iter/bpf_sk_storage_map",
    on_accept4_emit: "tp/syscalls/sys_exit_accept4",
    on_accept4_exit: "tp/syscalls/sys_exit_accept4",
    on_accept_emit: "tp/syscalls/sys_exit_accept",
    on_accept_exit: "tp/syscalls/sys_exit_accept",
    on_accept_failed: "fexit/__sys_accept4",
    on_connect_emit: "tp/syscalls/sys_exit_connect",
    on_connect_exit: "tp/syscalls/sys_exit_connect",
    on_emit: "tp_btf/inet_sock_set_state",
    on_graft: "fentry/security_sock_graft",
    on_graft_emit: "fentry/security_sock_graft",
    on_receive: "tp_btf/tcp_rcv_space_adjust",
    on_send: "tp_btf/sock_send_length",
    on_state: "tp_btf/inet_sock_set_state",
    on_state_nested: "tp_btf/inet_sock_set_state",
    on_syn_retransmit: "tp_btf/tcp_retransmit_skb",
    on_uring_emit: "tp_btf/io_uring_complete",
    on_uring_entry: "tp_btf/io_uring_complete",
    on_uring_result: "tp_btf/io_uring_complete",
    relabel_owners: "iter/bpf_sk_storage_map",
    report_found: "iter/bpf_sk_storage_map",
    seed: "iter/task_file",
    survey: "iter/bpf_sk_storage_map",
    whoami: "syscall",
  },
  constants: {
    boot: {"kind":"int","size":8,"signed":false},
    has_on_accept4_exit: {"kind":"bool","size":1},
    has_on_accept_exit: {"kind":"bool","size":1},
    has_on_graft: {"kind":"bool","size":1},
    id_key: {"kind":"struct","name":"id_key","size":16,"fields":[{"name":"k0","offset":0,"layout":{"kind":"int","size":8,"signed":false}},{"name":"k1","offset":8,"layout":{"kind":"int","size":8,"signed":false}}]},
    name_key: {"kind":"struct","name":"siphash_key","size":16,"fields":[{"name":"k0","offset":0,"layout":{"kind":"int","size":8,"signed":false}},{"name":"k1","offset":8,"layout":{"kind":"int","size":8,"signed":false}}]},
    plugin_bit: {"kind":"int","size":4,"signed":false},
    watch_connect_exits: {"kind":"bool","size":1},
  },
  runtimeConfig: {"kind":"struct","name":"","size":304,"fields":[{"name":"self_pid","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"excludes_self","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"keeps_tuples","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"freed_cgroups","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"space","offset":16,"layout":{"kind":"struct","name":"pid_space","size":8,"fields":[{"name":"level","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"inode","offset":4,"layout":{"kind":"int","size":4,"signed":false}}]}},{"name":"seeded","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"round","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"padding","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"round_began_at","offset":40,"layout":{"kind":"int","size":8,"signed":false}},{"name":"cgroups","offset":48,"layout":{"kind":"array","size":256,"element":{"kind":"struct","name":"watched_cgroup","size":16,"fields":[{"name":"id","offset":0,"layout":{"kind":"int","size":8,"signed":false}},{"name":"level","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"used","offset":12,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]},
  counters: ["seen_spans","lost_spans","seen_processes","lost_processes","excluded_self","lost_connections","lost_accepts","lost_tuples","lost_names","opened_connections","ended_connections","unseen_changes"],
  records: {
    processes: { kind: "ring", size: 64, record: TaskCursor } as RingRecords<Task>,
    spans: { kind: "ring", size: 472, record: ConnRecordCursor } as RingRecords<ConnRecord>,
    survey: { kind: "rows", size: 16, record: SurveyCursor } as RowRecords<Survey>,
  },
} as const;
