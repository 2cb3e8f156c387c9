// Written by tools/btfgen.ts: structs and enums of the headers next to this file. Do not edit.
import { Bytes16, Bytes8, decodeCString16, readU64Array, StructCursor } from "../../../core/bridge/runtime.ts";
import type { Fields, Layout } from "../../../core/plugin/skeleton.ts";

export interface Correlated {
  readonly headersSent: number;
  readonly headersReceived: number;
  readonly tablesSent: number;
  readonly threadsSent: number;
  readonly callsSent: number;
  readonly suppressed: number;
  readonly lost: number;
  readonly contradicted: number;
  readonly beyondWindow: number;
  readonly invalid: number;
  readonly ambiguous: number;
  readonly unreadable: number;
  readonly torn: number;
  readonly overrun: number;
  readonly announced: number;
  readonly refusedAnnouncements: number;
  readonly noMemory: number;
  readonly unseen: number;
  readonly replaced: number;
  readonly sentLater: number;
}

export class CorrelatedCursor extends StructCursor implements Correlated {
  static readonly fields: Fields = { headersSent: { at: 0, is: "u64" }, headersReceived: { at: 8, is: "u64" }, tablesSent: { at: 16, is: "u64" }, threadsSent: { at: 24, is: "u64" }, callsSent: { at: 32, is: "u64" }, suppressed: { at: 40, is: "u64" }, lost: { at: 48, is: "u64" }, contradicted: { at: 56, is: "u64" }, beyondWindow: { at: 64, is: "u64" }, invalid: { at: 72, is: "u64" }, ambiguous: { at: 80, is: "u64" }, unreadable: { at: 88, is: "u64" }, torn: { at: 96, is: "u64" }, overrun: { at: 104, is: "u64" }, announced: { at: 112, is: "u64" }, refusedAnnouncements: { at: 120, is: "u64" }, noMemory: { at: 128, is: "u64" }, unseen: { at: 136, is: "u64" }, replaced: { at: 144, is: "u64" }, sentLater: { at: 152, is: "u64" } };
  get headersSent(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get headersReceived(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get tablesSent(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
  get threadsSent(): number {
    return this.$words[((this.$at + 24) >> 2)]! + this.$words[((this.$at + 24) >> 2) + 1]! * 4294967296;
  }
  get callsSent(): number {
    return this.$words[((this.$at + 32) >> 2)]! + this.$words[((this.$at + 32) >> 2) + 1]! * 4294967296;
  }
  get suppressed(): number {
    return this.$words[((this.$at + 40) >> 2)]! + this.$words[((this.$at + 40) >> 2) + 1]! * 4294967296;
  }
  get lost(): number {
    return this.$words[((this.$at + 48) >> 2)]! + this.$words[((this.$at + 48) >> 2) + 1]! * 4294967296;
  }
  get contradicted(): number {
    return this.$words[((this.$at + 56) >> 2)]! + this.$words[((this.$at + 56) >> 2) + 1]! * 4294967296;
  }
  get beyondWindow(): number {
    return this.$words[((this.$at + 64) >> 2)]! + this.$words[((this.$at + 64) >> 2) + 1]! * 4294967296;
  }
  get invalid(): number {
    return this.$words[((this.$at + 72) >> 2)]! + this.$words[((this.$at + 72) >> 2) + 1]! * 4294967296;
  }
  get ambiguous(): number {
    return this.$words[((this.$at + 80) >> 2)]! + this.$words[((this.$at + 80) >> 2) + 1]! * 4294967296;
  }
  get unreadable(): number {
    return this.$words[((this.$at + 88) >> 2)]! + this.$words[((this.$at + 88) >> 2) + 1]! * 4294967296;
  }
  get torn(): number {
    return this.$words[((this.$at + 96) >> 2)]! + this.$words[((this.$at + 96) >> 2) + 1]! * 4294967296;
  }
  get overrun(): number {
    return this.$words[((this.$at + 104) >> 2)]! + this.$words[((this.$at + 104) >> 2) + 1]! * 4294967296;
  }
  get announced(): number {
    return this.$words[((this.$at + 112) >> 2)]! + this.$words[((this.$at + 112) >> 2) + 1]! * 4294967296;
  }
  get refusedAnnouncements(): number {
    return this.$words[((this.$at + 120) >> 2)]! + this.$words[((this.$at + 120) >> 2) + 1]! * 4294967296;
  }
  get noMemory(): number {
    return this.$words[((this.$at + 128) >> 2)]! + this.$words[((this.$at + 128) >> 2) + 1]! * 4294967296;
  }
  get unseen(): number {
    return this.$words[((this.$at + 136) >> 2)]! + this.$words[((this.$at + 136) >> 2) + 1]! * 4294967296;
  }
  get replaced(): number {
    return this.$words[((this.$at + 144) >> 2)]! + this.$words[((this.$at + 144) >> 2) + 1]! * 4294967296;
  }
  get sentLater(): number {
    return this.$words[((this.$at + 152) >> 2)]! + this.$words[((this.$at + 152) >> 2) + 1]! * 4294967296;
  }
}

export type Span = "connection" | "connect" | "accept" | "reset";
export const spanNames = ["connection", "connect", "accept", "reset"] as const;

export type ContextSource = "none" | "header" | "table" | "thread" | "uprobe";
export const contextSourceNames = ["none", "header", "table", "thread", "uprobe"] as const;

export interface Context {
  readonly traceId: Uint8Array;
  readonly parentSpanId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly source: ContextSource;
  readonly more: boolean;
}

export class ContextCursor extends StructCursor implements Context {
  static readonly fields: Fields = { traceId: { at: 0, is: "array", size: 16 }, parentSpanId: { at: 16, is: "array", size: 8 }, spanId: { at: 24, is: "array", size: 8 }, source: { at: 32, names: contextSourceNames }, more: { at: 36, is: "bool" } };
  readonly #traceId = new Bytes16();
  get traceId(): Uint8Array {
    return this.#traceId.read(this.$words, this.$at);
  }
  readonly #parentSpanId = new Bytes8();
  get parentSpanId(): Uint8Array {
    return this.#parentSpanId.read(this.$words, this.$at + 16);
  }
  readonly #spanId = new Bytes8();
  get spanId(): Uint8Array {
    return this.#spanId.read(this.$words, this.$at + 24);
  }
  get source(): ContextSource {
    return contextSourceNames[this.$words[((this.$at + 32) >> 2)]!]!;
  }
  get more(): boolean {
    return this.$bytes[this.$at + 36]! !== 0;
  }
}

export interface Endpoints {
  readonly local: Uint8Array;
  readonly peer: Uint8Array;
  readonly localPort: number;
  readonly peerPort: number;
  readonly family: number;
  readonly mapped: boolean;
  readonly ifindex: number;
}

export class EndpointsCursor extends StructCursor implements Endpoints {
  static readonly fields: Fields = { local: { at: 0, is: "array", size: 16 }, peer: { at: 16, is: "array", size: 16 }, localPort: { at: 32, is: "u16" }, peerPort: { at: 34, is: "u16" }, family: { at: 36, is: "u8" }, mapped: { at: 37, is: "bool" }, ifindex: { at: 40, is: "u32" } };
  readonly #local = new Bytes16();
  get local(): Uint8Array {
    return this.#local.read(this.$words, this.$at);
  }
  readonly #peer = new Bytes16();
  get peer(): Uint8Array {
    return this.#peer.read(this.$words, this.$at + 16);
  }
  get localPort(): number {
    return this.$bytes[(this.$at + 32)]! | (this.$bytes[(this.$at + 32) + 1]! << 8);
  }
  get peerPort(): number {
    return this.$bytes[(this.$at + 34)]! | (this.$bytes[(this.$at + 34) + 1]! << 8);
  }
  get family(): number {
    return this.$bytes[(this.$at + 36)]!;
  }
  get mapped(): boolean {
    return this.$bytes[this.$at + 37]! !== 0;
  }
  get ifindex(): number {
    return this.$words[((this.$at + 40) >> 2)]!;
  }
}

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

export class TaskCursor extends StructCursor implements Task {
  static readonly fields: Fields = { pid: { at: 0, is: "u32" }, tid: { at: 4, is: "u32" }, uid: { at: 8, is: "u32" }, cgroups: { at: 12, is: "u32" }, cgroupId: { at: 16, is: "u64" }, mntns: { at: 24, is: "u32" }, workload: { at: 28, is: "u32" }, startedAt: { at: 32, is: "u64" }, comm: { at: 40, is: "text", size: 16 }, exe: { at: 56, is: "u64" } };
  get pid(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get tid(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get uid(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
  get cgroups(): number {
    return this.$words[((this.$at + 12) >> 2)]!;
  }
  get cgroupId(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
  get mntns(): number {
    return this.$words[((this.$at + 24) >> 2)]!;
  }
  get workload(): number {
    return this.$words[((this.$at + 28) >> 2)]!;
  }
  get startedAt(): number {
    return this.$words[((this.$at + 32) >> 2)]! + this.$words[((this.$at + 32) >> 2) + 1]! * 4294967296;
  }
  get comm(): string {
    return decodeCString16(this.$words, this.$bytes, this.$at + 40);
  }
  get exe(): number {
    return this.$words[((this.$at + 56) >> 2)]! + this.$words[((this.$at + 56) >> 2) + 1]! * 4294967296;
  }
}

export interface Actor {
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
}

export class ActorCursor extends StructCursor implements Actor {
  static readonly fields: Fields = { pid: { at: 0, is: "u32" }, tid: { at: 4, is: "u32" }, comm: { at: 8, is: "text", size: 16 } };
  get pid(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get tid(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get comm(): string {
    return decodeCString16(this.$words, this.$bytes, this.$at + 8);
  }
}

export type Direction = "unknown" | "outbound" | "inbound";
export const directionNames = ["unknown", "outbound", "inbound"] as const;

export type OwnerSource = "unknown" | "connect" | "listener" | "io" | "accept" | "holder" | "close";
export const ownerSourceNames = ["unknown", "connect", "listener", "io", "accept", "holder", "close"] as const;

export type CloseReason = "none" | "fin_local" | "fin_remote" | "rst_sent" | "rst_received" | "timeout" | "refused" | "unreachable" | "aborted" | "killed" | "unknown";
export const closeReasonNames = ["none", "fin_local", "fin_remote", "rst_sent", "rst_received", "timeout", "refused", "unreachable", "aborted", "killed", "unknown"] as const;

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
  readonly isNested: boolean;
  readonly unreadSends: number;
  readonly unreadSegments: number;
  readonly unreadTables: number;
  readonly oldState: number;
  readonly state: number;
  readonly keptAlways: boolean;
  readonly simultaneous: boolean;
  readonly enteredState: number;
  readonly life: number;
  readonly sentBefore: number;
  readonly receivedBefore: number;
  readonly enteredAt: number;
  readonly doubtfulRttUs: number;
  readonly lostBefore: number;
  readonly retransmits: number;
  readonly interface: string;
  readonly round: number;
  readonly counted: number;
}

export class ConnCursor extends StructCursor implements Conn {
  static readonly fields: Fields = { cookie: { at: 0, is: "u64" }, netnsCookie: { at: 8, is: "u64" }, openedAt: { at: 16, is: "u64" }, establishedAt: { at: 24, is: "u64" }, acceptedAt: { at: 32, is: "u64" }, closedAt: { at: 40, is: "u64" }, ends: { at: 48, fields: EndpointsCursor.fields }, owner: { at: 96, fields: TaskCursor.fields }, user: { at: 160, fields: ActorCursor.fields }, closer: { at: 184, fields: ActorCursor.fields }, acceptor: { at: 208, fields: ActorCursor.fields }, direction: { at: 232, names: directionNames }, ownerSource: { at: 236, names: ownerSourceNames }, closeReason: { at: 240, names: closeReasonNames }, error: { at: 244, is: "u32" }, netns: { at: 248, is: "u32" }, ownIsn: { at: 252, is: "u32" }, peerIsn: { at: 256, is: "u32" }, handshakeRetransmits: { at: 260, is: "u32" }, acceptFd: { at: 264, is: "i32" }, wantedConnection: { at: 268, is: "u32" }, wantedConnect: { at: 272, is: "u32" }, wantedAccept: { at: 276, is: "u32" }, promised: { at: 280, is: "u32" }, emittedConnection: { at: 284, is: "bool" }, emittedConnect: { at: 285, is: "bool" }, queued: { at: 286, is: "bool" }, beforeStart: { at: 287, is: "bool" }, begunUnseen: { at: 288, is: "bool" }, endedUnseen: { at: 289, is: "bool" }, foundEnd: { at: 290, is: "bool" }, peerIsHere: { at: 291, is: "bool" }, openerIsPromised: { at: 292, is: "bool" }, fastopen: { at: 293, is: "bool" }, excluded: { at: 294, is: "bool" }, hasTuple: { at: 295, is: "bool" }, isNested: { at: 296, is: "bool" }, unreadSends: { at: 297, is: "u8" }, unreadSegments: { at: 298, is: "u8" }, unreadTables: { at: 299, is: "u8" }, oldState: { at: 300, is: "u16" }, state: { at: 302, is: "u16" }, keptAlways: { at: 304, is: "bool" }, simultaneous: { at: 305, is: "bool" }, enteredState: { at: 306, is: "u16" }, life: { at: 308, is: "u16" }, sentBefore: { at: 312, is: "u64" }, receivedBefore: { at: 320, is: "u64" }, enteredAt: { at: 328, is: "u64" }, doubtfulRttUs: { at: 336, is: "u32" }, lostBefore: { at: 340, is: "u32" }, retransmits: { at: 344, is: "u32" }, interface: { at: 348, is: "text", size: 16 }, round: { at: 364, is: "u32" }, counted: { at: 368, is: "u32" } };
  get cookie(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get netnsCookie(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get openedAt(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
  get establishedAt(): number {
    return this.$words[((this.$at + 24) >> 2)]! + this.$words[((this.$at + 24) >> 2) + 1]! * 4294967296;
  }
  get acceptedAt(): number {
    return this.$words[((this.$at + 32) >> 2)]! + this.$words[((this.$at + 32) >> 2) + 1]! * 4294967296;
  }
  get closedAt(): number {
    return this.$words[((this.$at + 40) >> 2)]! + this.$words[((this.$at + 40) >> 2) + 1]! * 4294967296;
  }
  readonly #ends = new EndpointsCursor();
  get ends(): Endpoints {
    this.#ends.at(this.$words, this.$bytes, this.$at + 48);
    return this.#ends;
  }
  readonly #owner = new TaskCursor();
  get owner(): Task {
    this.#owner.at(this.$words, this.$bytes, this.$at + 96);
    return this.#owner;
  }
  readonly #user = new ActorCursor();
  get user(): Actor {
    this.#user.at(this.$words, this.$bytes, this.$at + 160);
    return this.#user;
  }
  readonly #closer = new ActorCursor();
  get closer(): Actor {
    this.#closer.at(this.$words, this.$bytes, this.$at + 184);
    return this.#closer;
  }
  readonly #acceptor = new ActorCursor();
  get acceptor(): Actor {
    this.#acceptor.at(this.$words, this.$bytes, this.$at + 208);
    return this.#acceptor;
  }
  get direction(): Direction {
    return directionNames[this.$words[((this.$at + 232) >> 2)]!]!;
  }
  get ownerSource(): OwnerSource {
    return ownerSourceNames[this.$words[((this.$at + 236) >> 2)]!]!;
  }
  get closeReason(): CloseReason {
    return closeReasonNames[this.$words[((this.$at + 240) >> 2)]!]!;
  }
  get error(): number {
    return this.$words[((this.$at + 244) >> 2)]!;
  }
  get netns(): number {
    return this.$words[((this.$at + 248) >> 2)]!;
  }
  get ownIsn(): number {
    return this.$words[((this.$at + 252) >> 2)]!;
  }
  get peerIsn(): number {
    return this.$words[((this.$at + 256) >> 2)]!;
  }
  get handshakeRetransmits(): number {
    return this.$words[((this.$at + 260) >> 2)]!;
  }
  get acceptFd(): number {
    return this.$words[((this.$at + 264) >> 2)]! | 0;
  }
  get wantedConnection(): number {
    return this.$words[((this.$at + 268) >> 2)]!;
  }
  get wantedConnect(): number {
    return this.$words[((this.$at + 272) >> 2)]!;
  }
  get wantedAccept(): number {
    return this.$words[((this.$at + 276) >> 2)]!;
  }
  get promised(): number {
    return this.$words[((this.$at + 280) >> 2)]!;
  }
  get emittedConnection(): boolean {
    return this.$bytes[this.$at + 284]! !== 0;
  }
  get emittedConnect(): boolean {
    return this.$bytes[this.$at + 285]! !== 0;
  }
  get queued(): boolean {
    return this.$bytes[this.$at + 286]! !== 0;
  }
  get beforeStart(): boolean {
    return this.$bytes[this.$at + 287]! !== 0;
  }
  get begunUnseen(): boolean {
    return this.$bytes[this.$at + 288]! !== 0;
  }
  get endedUnseen(): boolean {
    return this.$bytes[this.$at + 289]! !== 0;
  }
  get foundEnd(): boolean {
    return this.$bytes[this.$at + 290]! !== 0;
  }
  get peerIsHere(): boolean {
    return this.$bytes[this.$at + 291]! !== 0;
  }
  get openerIsPromised(): boolean {
    return this.$bytes[this.$at + 292]! !== 0;
  }
  get fastopen(): boolean {
    return this.$bytes[this.$at + 293]! !== 0;
  }
  get excluded(): boolean {
    return this.$bytes[this.$at + 294]! !== 0;
  }
  get hasTuple(): boolean {
    return this.$bytes[this.$at + 295]! !== 0;
  }
  get isNested(): boolean {
    return this.$bytes[this.$at + 296]! !== 0;
  }
  get unreadSends(): number {
    return this.$bytes[(this.$at + 297)]!;
  }
  get unreadSegments(): number {
    return this.$bytes[(this.$at + 298)]!;
  }
  get unreadTables(): number {
    return this.$bytes[(this.$at + 299)]!;
  }
  get oldState(): number {
    return this.$bytes[(this.$at + 300)]! | (this.$bytes[(this.$at + 300) + 1]! << 8);
  }
  get state(): number {
    return this.$bytes[(this.$at + 302)]! | (this.$bytes[(this.$at + 302) + 1]! << 8);
  }
  get keptAlways(): boolean {
    return this.$bytes[this.$at + 304]! !== 0;
  }
  get simultaneous(): boolean {
    return this.$bytes[this.$at + 305]! !== 0;
  }
  get enteredState(): number {
    return this.$bytes[(this.$at + 306)]! | (this.$bytes[(this.$at + 306) + 1]! << 8);
  }
  get life(): number {
    return this.$bytes[(this.$at + 308)]! | (this.$bytes[(this.$at + 308) + 1]! << 8);
  }
  get sentBefore(): number {
    return this.$words[((this.$at + 312) >> 2)]! + this.$words[((this.$at + 312) >> 2) + 1]! * 4294967296;
  }
  get receivedBefore(): number {
    return this.$words[((this.$at + 320) >> 2)]! + this.$words[((this.$at + 320) >> 2) + 1]! * 4294967296;
  }
  get enteredAt(): number {
    return this.$words[((this.$at + 328) >> 2)]! + this.$words[((this.$at + 328) >> 2) + 1]! * 4294967296;
  }
  get doubtfulRttUs(): number {
    return this.$words[((this.$at + 336) >> 2)]!;
  }
  get lostBefore(): number {
    return this.$words[((this.$at + 340) >> 2)]!;
  }
  get retransmits(): number {
    return this.$words[((this.$at + 344) >> 2)]!;
  }
  get interface(): string {
    return decodeCString16(this.$words, this.$bytes, this.$at + 348);
  }
  get round(): number {
    return this.$words[((this.$at + 364) >> 2)]!;
  }
  get counted(): number {
    return this.$words[((this.$at + 368) >> 2)]!;
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
  readonly spurious: number;
}

export class TrafficCursor extends StructCursor implements Traffic {
  static readonly fields: Fields = { sentBytes: { at: 0, is: "u64" }, receivedBytes: { at: 8, is: "u64" }, retransmittedBytes: { at: 16, is: "u64" }, sentSegments: { at: 24, is: "u32" }, receivedSegments: { at: 28, is: "u32" }, retransmits: { at: 32, is: "u32" }, lost: { at: 36, is: "u32" }, srttUs: { at: 40, is: "u32" }, minRttUs: { at: 44, is: "u32" }, rttVarUs: { at: 48, is: "u32" }, cwnd: { at: 52, is: "u32" }, reordering: { at: 56, is: "u32" }, unread: { at: 60, is: "u32" }, spurious: { at: 64, is: "u32" } };
  get sentBytes(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get receivedBytes(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get retransmittedBytes(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
  get sentSegments(): number {
    return this.$words[((this.$at + 24) >> 2)]!;
  }
  get receivedSegments(): number {
    return this.$words[((this.$at + 28) >> 2)]!;
  }
  get retransmits(): number {
    return this.$words[((this.$at + 32) >> 2)]!;
  }
  get lost(): number {
    return this.$words[((this.$at + 36) >> 2)]!;
  }
  get srttUs(): number {
    return this.$words[((this.$at + 40) >> 2)]!;
  }
  get minRttUs(): number {
    return this.$words[((this.$at + 44) >> 2)]!;
  }
  get rttVarUs(): number {
    return this.$words[((this.$at + 48) >> 2)]!;
  }
  get cwnd(): number {
    return this.$words[((this.$at + 52) >> 2)]!;
  }
  get reordering(): number {
    return this.$words[((this.$at + 56) >> 2)]!;
  }
  get unread(): number {
    return this.$words[((this.$at + 60) >> 2)]!;
  }
  get spurious(): number {
    return this.$words[((this.$at + 64) >> 2)]!;
  }
}

export interface ConnRecord {
  readonly span: Span;
  readonly wanted: number;
  readonly contexts: number;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array;
  readonly connectionSpanId: Uint8Array;
  readonly context: Context;
  readonly conn: Conn;
  readonly traffic: Traffic;
}

export class ConnRecordCursor extends StructCursor implements ConnRecord {
  static readonly fields: Fields = { span: { at: 0, names: spanNames }, wanted: { at: 4, is: "u32" }, contexts: { at: 8, is: "u32" }, traceId: { at: 12, is: "array", size: 16 }, spanId: { at: 28, is: "array", size: 8 }, parentSpanId: { at: 36, is: "array", size: 8 }, connectionSpanId: { at: 44, is: "array", size: 8 }, context: { at: 52, fields: ContextCursor.fields }, conn: { at: 96, fields: ConnCursor.fields }, traffic: { at: 472, fields: TrafficCursor.fields } };
  get span(): Span {
    return spanNames[this.$words[((this.$at) >> 2)]!]!;
  }
  get wanted(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get contexts(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
  readonly #traceId = new Bytes16();
  get traceId(): Uint8Array {
    return this.#traceId.read(this.$words, this.$at + 12);
  }
  readonly #spanId = new Bytes8();
  get spanId(): Uint8Array {
    return this.#spanId.read(this.$words, this.$at + 28);
  }
  readonly #parentSpanId = new Bytes8();
  get parentSpanId(): Uint8Array {
    return this.#parentSpanId.read(this.$words, this.$at + 36);
  }
  readonly #connectionSpanId = new Bytes8();
  get connectionSpanId(): Uint8Array {
    return this.#connectionSpanId.read(this.$words, this.$at + 44);
  }
  readonly #context = new ContextCursor();
  get context(): Context {
    this.#context.at(this.$words, this.$bytes, this.$at + 52);
    return this.#context;
  }
  readonly #conn = new ConnCursor();
  get conn(): Conn {
    this.#conn.at(this.$words, this.$bytes, this.$at + 96);
    return this.#conn;
  }
  readonly #traffic = new TrafficCursor();
  get traffic(): Traffic {
    this.#traffic.at(this.$words, this.$bytes, this.$at + 472);
    return this.#traffic;
  }
}

export type Way = "transmit" | "receive";
export const wayNames = ["transmit", "receive"] as const;

export interface Histogram {
  readonly count: number;
  readonly sumNs: number;
  readonly maxNs: number;
  readonly zeros: number;
  readonly buckets: Float64Array;
}

export class HistogramCursor extends StructCursor implements Histogram {
  static readonly fields: Fields = { count: { at: 0, is: "u64" }, sumNs: { at: 8, is: "u64" }, maxNs: { at: 16, is: "u64" }, zeros: { at: 24, is: "u64" }, buckets: { at: 32, is: "array", size: 3072 } };
  get count(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get sumNs(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get maxNs(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
  get zeros(): number {
    return this.$words[((this.$at + 24) >> 2)]! + this.$words[((this.$at + 24) >> 2) + 1]! * 4294967296;
  }
  get buckets(): Float64Array {
    return readU64Array(this.$words, this.$at + 32 >> 2, 384);
  }
}

export interface Packet {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly family: number;
  readonly flags: number;
  readonly continues: boolean;
  readonly payload: number;
  readonly sequence: number;
}

export class PacketCursor extends StructCursor implements Packet {
  static readonly fields: Fields = { source: { at: 0, is: "array", size: 16 }, destination: { at: 16, is: "array", size: 16 }, sourcePort: { at: 32, is: "u16" }, destinationPort: { at: 34, is: "u16" }, family: { at: 36, is: "u8" }, flags: { at: 37, is: "u8" }, continues: { at: 38, is: "bool" }, payload: { at: 40, is: "u32" }, sequence: { at: 44, is: "u32" } };
  readonly #source = new Bytes16();
  get source(): Uint8Array {
    return this.#source.read(this.$words, this.$at);
  }
  readonly #destination = new Bytes16();
  get destination(): Uint8Array {
    return this.#destination.read(this.$words, this.$at + 16);
  }
  get sourcePort(): number {
    return this.$bytes[(this.$at + 32)]! | (this.$bytes[(this.$at + 32) + 1]! << 8);
  }
  get destinationPort(): number {
    return this.$bytes[(this.$at + 34)]! | (this.$bytes[(this.$at + 34) + 1]! << 8);
  }
  get family(): number {
    return this.$bytes[(this.$at + 36)]!;
  }
  get flags(): number {
    return this.$bytes[(this.$at + 37)]!;
  }
  get continues(): boolean {
    return this.$bytes[this.$at + 38]! !== 0;
  }
  get payload(): number {
    return this.$words[((this.$at + 40) >> 2)]!;
  }
  get sequence(): number {
    return this.$words[((this.$at + 44) >> 2)]!;
  }
}

export const namePatternLayout: Layout = { kind: "struct", name: "name_pattern", size: 32, fields: [{ name: "value", offset: 0, layout: { kind: "array", size: 16, element: {"kind":"int","size":1,"signed":false}, length: 16 } }, { name: "mask", offset: 16, layout: { kind: "array", size: 16, element: {"kind":"int","size":1,"signed":false}, length: 16 } }] };
export const portRangeLayout: Layout = { kind: "struct", name: "port_range", size: 4, fields: [{ name: "first", offset: 0, layout: {"kind":"int","size":2,"signed":false} }, { name: "last", offset: 2, layout: {"kind":"int","size":2,"signed":false} }] };
export const cidrLayout: Layout = { kind: "struct", name: "cidr", size: 36, fields: [{ name: "address", offset: 0, layout: { kind: "array", size: 16, element: {"kind":"int","size":1,"signed":false}, length: 16 } }, { name: "mask", offset: 16, layout: { kind: "array", size: 16, element: {"kind":"int","size":1,"signed":false}, length: 16 } }, { name: "family", offset: 32, layout: {"kind":"int","size":4,"signed":false} }] };
export const matchLayout: Layout = { kind: "struct", name: "match", size: 2736, fields: [{ name: "pids", offset: 0, layout: {"kind":"int","size":4,"signed":false} }, { name: "comms", offset: 4, layout: {"kind":"int","size":4,"signed":false} }, { name: "uids", offset: 8, layout: {"kind":"int","size":4,"signed":false} }, { name: "netns", offset: 12, layout: {"kind":"int","size":4,"signed":false} }, { name: "local_ports", offset: 16, layout: {"kind":"int","size":4,"signed":false} }, { name: "remote_ports", offset: 20, layout: {"kind":"int","size":4,"signed":false} }, { name: "local_cidrs", offset: 24, layout: {"kind":"int","size":4,"signed":false} }, { name: "remote_cidrs", offset: 28, layout: {"kind":"int","size":4,"signed":false} }, { name: "cgroups", offset: 32, layout: {"kind":"int","size":4,"signed":false} }, { name: "families", offset: 36, layout: {"kind":"int","size":4,"signed":false} }, { name: "directions", offset: 40, layout: {"kind":"int","size":4,"signed":false} }, { name: "either_cidrs", offset: 44, layout: {"kind":"int","size":4,"signed":false} }, { name: "pid", offset: 48, layout: { kind: "array", size: 64, element: {"kind":"int","size":4,"signed":false}, length: 16 } }, { name: "uid", offset: 112, layout: { kind: "array", size: 64, element: {"kind":"int","size":4,"signed":false}, length: 16 } }, { name: "netns_inode", offset: 176, layout: { kind: "array", size: 64, element: {"kind":"int","size":4,"signed":false}, length: 16 } }, { name: "comm", offset: 240, layout: { kind: "array", size: 512, element: namePatternLayout, length: 16 } }, { name: "local_port", offset: 752, layout: { kind: "array", size: 128, element: portRangeLayout, length: 32 } }, { name: "remote_port", offset: 880, layout: { kind: "array", size: 128, element: portRangeLayout, length: 32 } }, { name: "local_cidr", offset: 1008, layout: { kind: "array", size: 576, element: cidrLayout, length: 16 } }, { name: "remote_cidr", offset: 1584, layout: { kind: "array", size: 576, element: cidrLayout, length: 16 } }, { name: "either_cidr", offset: 2160, layout: { kind: "array", size: 576, element: cidrLayout, length: 16 } }] };
export const filterLayout: Layout = { kind: "struct", name: "filter", size: 5496, fields: [{ name: "include", offset: 0, layout: matchLayout }, { name: "exclude", offset: 2736, layout: matchLayout }, { name: "min_duration_ns", offset: 5472, layout: {"kind":"int","size":8,"signed":false} }, { name: "failures_only", offset: 5480, layout: {"kind":"int","size":4,"signed":false} }, { name: "by_cgroup_map", offset: 5484, layout: {"kind":"int","size":4,"signed":false} }, { name: "by_mntns_map", offset: 5488, layout: {"kind":"int","size":4,"signed":false} }, { name: "is_used", offset: 5492, layout: {"kind":"int","size":4,"signed":false} }] };
export const siphashKeyLayout: Layout = { kind: "struct", name: "siphash_key", size: 16, fields: [{ name: "k0", offset: 0, layout: {"kind":"int","size":8,"signed":false} }, { name: "k1", offset: 8, layout: {"kind":"int","size":8,"signed":false} }] };
export const netnsFilterLayout: Layout = { kind: "struct", name: "netns_filter", size: 136, fields: [{ name: "includes", offset: 0, layout: {"kind":"int","size":4,"signed":false} }, { name: "excludes", offset: 4, layout: {"kind":"int","size":4,"signed":false} }, { name: "include", offset: 8, layout: { kind: "array", size: 64, element: {"kind":"int","size":4,"signed":false}, length: 16 } }, { name: "exclude", offset: 72, layout: { kind: "array", size: 64, element: {"kind":"int","size":4,"signed":false}, length: 16 } }] };
export const watchedCgroupLayout: Layout = { kind: "struct", name: "watched_cgroup", size: 16, fields: [{ name: "id", offset: 0, layout: {"kind":"int","size":8,"signed":false} }, { name: "level", offset: 8, layout: {"kind":"int","size":4,"signed":false} }, { name: "used", offset: 12, layout: {"kind":"int","size":4,"signed":false} }] };
