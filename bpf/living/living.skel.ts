// Written by tools/btfgen.ts from living.bpf.c. Do not edit.
import { ConnRecordCursor, filterLayout, siphashKeyLayout, type ConnRecord } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor } from "../../core/bridge/runtime.ts";
import type { Fields, RowRecords } from "../../core/plugin/skeleton.ts";

export type { Actor, CloseReason, Conn, ConnRecord, Context, ContextSource, Direction, Endpoints, OwnerSource, Span, Task, Traffic } from "../../bpf/include/wirespan/structs.skel.ts";

export interface Living {
  readonly record: ConnRecord;
  readonly sendQueue: number;
  readonly receiveQueue: number;
  readonly tcpState: number;
}

export class LivingCursor extends StructCursor implements Living {
  static readonly fields: Fields = { record: { at: 0, fields: ConnRecordCursor.fields }, sendQueue: { at: 544, is: "u32" }, receiveQueue: { at: 548, is: "u32" }, tcpState: { at: 552, is: "u32" } };
  readonly #record = new ConnRecordCursor();
  get record(): ConnRecord {
    this.#record.at(this.$words, this.$bytes, this.$at);
    return this.#record;
  }
  get sendQueue(): number {
    return this.$words[((this.$at + 544) >> 2)]!;
  }
  get receiveQueue(): number {
    return this.$words[((this.$at + 548) >> 2)]!;
  }
  get tcpState(): number {
    return this.$words[((this.$at + 552) >> 2)]!;
  }
}

export const skeleton = {
  hash: "a8d3da5972409d6d",
  programs: {
    count_open: "iter/bpf_sk_storage_map",
    living: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: filterLayout,
    boot: {"kind":"int","size":8,"signed":false},
    id_key: siphashKeyLayout,
    most_rows: {"kind":"int","size":4,"signed":false},
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
  },
  counters: [],
  records: {
    living: { kind: "rows", size: 560, record: LivingCursor } as RowRecords<Living>,
  },
} as const;
