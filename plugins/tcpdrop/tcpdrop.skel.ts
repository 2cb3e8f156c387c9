// Written by tools/btfgen.ts from tcpdrop.bpf.c. Do not edit.
import { ConnRecordCursor, PacketCursor, filterLayout, siphashKeyLayout, type ConnRecord, type Packet } from "../../bpf/include/wirespan/structs.skel.ts";
import { decodeCString16, StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export type { Actor, CloseReason, Conn, ConnRecord, Context, ContextSource, Direction, Endpoints, OwnerSource, Packet, Span, Task, Traffic } from "../../bpf/include/wirespan/structs.skel.ts";

export type Way = "receive" | "transmit";
const wayNames = ["receive", "transmit"] as const;

export interface Drop {
  readonly connection: ConnRecord;
  readonly packet: Packet;
  readonly segments: number;
  readonly reason: number;
  readonly way: Way;
  readonly state: number;
  readonly ifindex: number;
  readonly interface: string;
  readonly location: Uint32Array;
  readonly stack: Uint32Array;
  readonly frames: number;
  readonly hasConnection: boolean;
  readonly hasIds: boolean;
  readonly happenedAt: number;
  readonly suppressed: number;
}

export class DropCursor extends StructCursor implements Drop {
  static readonly fields: Fields = { connection: { at: 0, fields: ConnRecordCursor.fields }, packet: { at: 544, fields: PacketCursor.fields }, segments: { at: 592, is: "u32" }, reason: { at: 596, is: "u32" }, way: { at: 600, names: wayNames }, state: { at: 604, is: "u32" }, ifindex: { at: 608, is: "u32" }, interface: { at: 612, is: "text", size: 16 }, location: { at: 628, is: "array", size: 8 }, stack: { at: 636, is: "array", size: 256 }, frames: { at: 892, is: "u32" }, hasConnection: { at: 896, is: "bool" }, hasIds: { at: 897, is: "bool" }, happenedAt: { at: 904, is: "u64" }, suppressed: { at: 912, is: "u64" } };
  readonly #connection = new ConnRecordCursor();
  get connection(): ConnRecord {
    this.#connection.at(this.$words, this.$bytes, this.$at);
    return this.#connection;
  }
  readonly #packet = new PacketCursor();
  get packet(): Packet {
    this.#packet.at(this.$words, this.$bytes, this.$at + 544);
    return this.#packet;
  }
  get segments(): number {
    return this.$words[((this.$at + 592) >> 2)]!;
  }
  get reason(): number {
    return this.$words[((this.$at + 596) >> 2)]!;
  }
  get way(): Way {
    return wayNames[this.$words[((this.$at + 600) >> 2)]!]!;
  }
  get state(): number {
    return this.$words[((this.$at + 604) >> 2)]!;
  }
  get ifindex(): number {
    return this.$words[((this.$at + 608) >> 2)]!;
  }
  get interface(): string {
    return decodeCString16(this.$words, this.$bytes, this.$at + 612);
  }
  get location(): Uint32Array {
    return this.$words.subarray(this.$at + 628 >> 2, (this.$at + 628 >> 2) + 2);
  }
  get stack(): Uint32Array {
    return this.$words.subarray(this.$at + 636 >> 2, (this.$at + 636 >> 2) + 64);
  }
  get frames(): number {
    return this.$words[((this.$at + 892) >> 2)]!;
  }
  get hasConnection(): boolean {
    return this.$bytes[this.$at + 896]! !== 0;
  }
  get hasIds(): boolean {
    return this.$bytes[this.$at + 897]! !== 0;
  }
  get happenedAt(): number {
    return this.$words[((this.$at + 904) >> 2)]! + this.$words[((this.$at + 904) >> 2) + 1]! * 4294967296;
  }
  get suppressed(): number {
    return this.$words[((this.$at + 912) >> 2)]! + this.$words[((this.$at + 912) >> 2) + 1]! * 4294967296;
  }
}

export interface ListenerKey {
  readonly workload: number;
  readonly netns: number;
  readonly port: number;
  readonly netnsCookie: number;
}

export class ListenerKeyCursor extends StructCursor implements ListenerKey {
  static readonly fields: Fields = { workload: { at: 0, is: "u32" }, netns: { at: 4, is: "u32" }, port: { at: 8, is: "u32" }, netnsCookie: { at: 16, is: "u64" } };
  get workload(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get netns(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get port(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
  get netnsCookie(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
}

export interface Total {
  readonly packets: number;
}

export class TotalCursor extends StructCursor implements Total {
  static readonly fields: Fields = { packets: { at: 0, is: "u64" } };
  get packets(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
}

export interface TotalKey {
  readonly workload: number;
  readonly reason: number;
  readonly state: number;
  readonly way: Way;
  readonly family: number;
}

export class TotalKeyCursor extends StructCursor implements TotalKey {
  static readonly fields: Fields = { workload: { at: 0, is: "u32" }, reason: { at: 4, is: "u32" }, state: { at: 8, is: "u32" }, way: { at: 12, names: wayNames }, family: { at: 16, is: "u32" } };
  get workload(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get reason(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get state(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
  get way(): Way {
    return wayNames[this.$words[((this.$at + 12) >> 2)]!]!;
  }
  get family(): number {
    return this.$words[((this.$at + 16) >> 2)]!;
  }
}

export const skeleton = {
  hash: "bc32ee7cb614d9a3",
  programs: {
    on_drop_with_socket: "tp_btf/kfree_skb",
    on_drop_with_socket_nested: "tp_btf/kfree_skb",
    on_drop_without: "tp_btf/kfree_skb",
    on_drop_without_nested: "tp_btf/kfree_skb",
    on_listener_close: "tp_btf/inet_sock_set_state",
    on_listener_close_found: "iter/bpf_sk_storage_map",
    sweep: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: filterLayout,
    boot: {"kind":"int","size":8,"signed":false},
    event_rate: {"kind":"int","size":8,"signed":false},
    id_key: siphashKeyLayout,
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
    stacks: {"kind":"bool","size":1},
  },
  counters: ["seen_drops","lost_drops","suppressed_drops","overflows"],
  links: {"on_listener_close":2,"sweep":1},
  records: {
    drops: { kind: "ring", size: 920, record: DropCursor } as RingRecords<Drop>,
    listeners: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [],
      key: ListenerKeyCursor,
      value: TotalCursor,
    } as TableRecords<ListenerKey, Total>,
    listeners_overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: U32Cursor,
      value: TotalCursor,
    } as TableRecords<Value, Total>,
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
