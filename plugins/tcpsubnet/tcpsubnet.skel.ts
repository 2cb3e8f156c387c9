// Written by tools/btfgen.ts from tcpsubnet.bpf.c. Do not edit.
import { filterLayout, siphashKeyLayout } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, TableRecords } from "../../core/plugin/skeleton.ts";

export interface Sum {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly retransmits: number;
  readonly outbound: number;
  readonly inbound: number;
  readonly droppedSent: number;
  readonly droppedReceived: number;
}

export class SumCursor extends StructCursor implements Sum {
  static readonly fields: Fields = { sentBytes: { at: 0, is: "u64" }, receivedBytes: { at: 8, is: "u64" }, retransmits: { at: 16, is: "u64" }, outbound: { at: 24, is: "u64" }, inbound: { at: 32, is: "u64" }, droppedSent: { at: 40, is: "u64" }, droppedReceived: { at: 48, is: "u64" } };
  get sentBytes(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get receivedBytes(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get retransmits(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
  get outbound(): number {
    return this.$words[((this.$at + 24) >> 2)]! + this.$words[((this.$at + 24) >> 2) + 1]! * 4294967296;
  }
  get inbound(): number {
    return this.$words[((this.$at + 32) >> 2)]! + this.$words[((this.$at + 32) >> 2) + 1]! * 4294967296;
  }
  get droppedSent(): number {
    return this.$words[((this.$at + 40) >> 2)]! + this.$words[((this.$at + 40) >> 2) + 1]! * 4294967296;
  }
  get droppedReceived(): number {
    return this.$words[((this.$at + 48) >> 2)]! + this.$words[((this.$at + 48) >> 2) + 1]! * 4294967296;
  }
}

export const skeleton = {
  hash: "480ccb43c76fb7bf",
  programs: {
    on_close: "tp_btf/inet_sock_set_state",
    on_close_found: "iter/bpf_sk_storage_map",
    on_drop_with_socket: "tp_btf/kfree_skb",
    on_drop_with_socket_nested: "tp_btf/kfree_skb",
    on_drop_without: "tp_btf/kfree_skb",
    on_drop_without_nested: "tp_btf/kfree_skb",
    sweep: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: filterLayout,
    io_run: {"kind":"int","size":4,"signed":false},
    io_slot: {"kind":"int","size":4,"signed":false},
    loaded_at: {"kind":"int","size":8,"signed":false},
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
  },
  counters: [],
  inputs: {
    subnets: { key: { kind: "struct", name: "subnet_key", size: 24, fields: [{ name: "bits", offset: 0, layout: {"kind":"int","size":4,"signed":false} }, { name: "family", offset: 4, layout: {"kind":"int","size":4,"signed":false} }, { name: "address", offset: 8, layout: { kind: "array", size: 16, element: {"kind":"int","size":1,"signed":false}, length: 16 } }] }, value: {"kind":"int","size":4,"signed":false} },
  },
  links: {"on_close":8,"sweep":1},
  records: {
    sums: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: U32Cursor,
      value: SumCursor,
    } as TableRecords<Value, Sum>,
  },
} as const;
