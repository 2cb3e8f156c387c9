// Written by tools/btfgen.ts from tcpretrans.bpf.c. Do not edit.
import { ConnRecordCursor, EndpointsCursor, directionNames, filterLayout, siphashKeyLayout, type ConnRecord, type Direction, type Endpoints } from "../../bpf/include/wirespan/structs.skel.ts";
import { decodeCString16, StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export type { Actor, CloseReason, Conn, ConnRecord, Context, ContextSource, Direction, Endpoints, OwnerSource, Span, Task, Traffic } from "../../bpf/include/wirespan/structs.skel.ts";

export interface FlowKey {
  readonly workload: number;
  readonly netns: number;
  readonly netnsCookie: number;
  readonly ends: Endpoints;
}

export class FlowKeyCursor extends StructCursor implements FlowKey {
  static readonly fields: Fields = { workload: { at: 0, is: "u32" }, netns: { at: 4, is: "u32" }, netnsCookie: { at: 8, is: "u64" }, ends: { at: 16, fields: EndpointsCursor.fields } };
  get workload(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get netns(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get netnsCookie(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  readonly #ends = new EndpointsCursor();
  get ends(): Endpoints {
    this.#ends.at(this.$words, this.$bytes, this.$at + 16);
    return this.#ends;
  }
}

export interface Total {
  readonly attempts: number;
  readonly segments: number;
  readonly bytes: number;
}

export class TotalCursor extends StructCursor implements Total {
  static readonly fields: Fields = { attempts: { at: 0, is: "u64" }, segments: { at: 8, is: "u64" }, bytes: { at: 16, is: "u64" } };
  get attempts(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get segments(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get bytes(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
}

export type RetransmitType = "rto" | "tlp" | "fast" | "slow_start" | "syn" | "synack";
const retransmitTypeNames = ["rto", "tlp", "fast", "slow_start", "syn", "synack"] as const;

export interface Attempt {
  readonly type: RetransmitType;
  readonly state: number;
  readonly error: number;
  readonly segments: number;
  readonly bytes: number;
  readonly sequence: number;
  readonly flags: number;
  readonly ifindex: number;
  readonly interface: string;
}

export class AttemptCursor extends StructCursor implements Attempt {
  static readonly fields: Fields = { type: { at: 0, names: retransmitTypeNames }, state: { at: 4, is: "u32" }, error: { at: 8, is: "i32" }, segments: { at: 12, is: "u32" }, bytes: { at: 16, is: "u32" }, sequence: { at: 20, is: "u32" }, flags: { at: 24, is: "u32" }, ifindex: { at: 28, is: "u32" }, interface: { at: 32, is: "text", size: 16 } };
  get type(): RetransmitType {
    return retransmitTypeNames[this.$words[((this.$at) >> 2)]!]!;
  }
  get state(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get error(): number {
    return this.$words[((this.$at + 8) >> 2)]! | 0;
  }
  get segments(): number {
    return this.$words[((this.$at + 12) >> 2)]!;
  }
  get bytes(): number {
    return this.$words[((this.$at + 16) >> 2)]!;
  }
  get sequence(): number {
    return this.$words[((this.$at + 20) >> 2)]!;
  }
  get flags(): number {
    return this.$words[((this.$at + 24) >> 2)]!;
  }
  get ifindex(): number {
    return this.$words[((this.$at + 28) >> 2)]!;
  }
  get interface(): string {
    return decodeCString16(this.$words, this.$bytes, this.$at + 32);
  }
}

export interface Retransmit {
  readonly connection: ConnRecord;
  readonly attempt: Attempt;
  readonly happenedAt: number;
  readonly suppressed: number;
}

export class RetransmitCursor extends StructCursor implements Retransmit {
  static readonly fields: Fields = { connection: { at: 0, fields: ConnRecordCursor.fields }, attempt: { at: 544, fields: AttemptCursor.fields }, happenedAt: { at: 592, is: "u64" }, suppressed: { at: 600, is: "u64" } };
  readonly #connection = new ConnRecordCursor();
  get connection(): ConnRecord {
    this.#connection.at(this.$words, this.$bytes, this.$at);
    return this.#connection;
  }
  readonly #attempt = new AttemptCursor();
  get attempt(): Attempt {
    this.#attempt.at(this.$words, this.$bytes, this.$at + 544);
    return this.#attempt;
  }
  get happenedAt(): number {
    return this.$words[((this.$at + 592) >> 2)]! + this.$words[((this.$at + 592) >> 2) + 1]! * 4294967296;
  }
  get suppressed(): number {
    return this.$words[((this.$at + 600) >> 2)]! + this.$words[((this.$at + 600) >> 2) + 1]! * 4294967296;
  }
}

export interface TotalKey {
  readonly workload: number;
  readonly direction: Direction;
  readonly type: RetransmitType;
  readonly family: number;
  readonly state: number;
  readonly error: number;
}

export class TotalKeyCursor extends StructCursor implements TotalKey {
  static readonly fields: Fields = { workload: { at: 0, is: "u32" }, direction: { at: 4, names: directionNames }, type: { at: 8, names: retransmitTypeNames }, family: { at: 12, is: "u32" }, state: { at: 16, is: "u32" }, error: { at: 20, is: "i32" } };
  get workload(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get direction(): Direction {
    return directionNames[this.$words[((this.$at + 4) >> 2)]!]!;
  }
  get type(): RetransmitType {
    return retransmitTypeNames[this.$words[((this.$at + 8) >> 2)]!]!;
  }
  get family(): number {
    return this.$words[((this.$at + 12) >> 2)]!;
  }
  get state(): number {
    return this.$words[((this.$at + 16) >> 2)]!;
  }
  get error(): number {
    return this.$words[((this.$at + 20) >> 2)]! | 0;
  }
}

export const skeleton = {
  hash: "a16aa4b5e2b32bb4",
  programs: {
    on_attempt: "tp_btf/tcp_retransmit_skb",
    on_attempt_nested: "tp_btf/tcp_retransmit_skb",
    on_retransmit: "tp_btf/tcp_retransmit_skb",
    on_retransmit_nested: "tp_btf/tcp_retransmit_skb",
    on_synack: "tp_btf/tcp_retransmit_synack",
  },
  constants: {
    agent_filter: filterLayout,
    boot: {"kind":"int","size":8,"signed":false},
    count_flows: {"kind":"bool","size":1},
    event_rate: {"kind":"int","size":8,"signed":false},
    id_key: siphashKeyLayout,
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
  },
  counters: ["seen_retransmits","lost_retransmits","suppressed_retransmits","overflows","unseen_retransmits"],
  records: {
    flows: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [],
      key: FlowKeyCursor,
      value: TotalCursor,
    } as TableRecords<FlowKey, Total>,
    flows_overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: U32Cursor,
      value: TotalCursor,
    } as TableRecords<Value, Total>,
    retransmits: { kind: "ring", size: 608, record: RetransmitCursor } as RingRecords<Retransmit>,
    totals: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [],
      key: TotalKeyCursor,
      value: TotalCursor,
    } as TableRecords<TotalKey, Total>,
    totals_overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: U32Cursor,
      value: TotalCursor,
    } as TableRecords<Value, Total>,
  },
} as const;
