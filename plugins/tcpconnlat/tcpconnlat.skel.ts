// Written by tools/btfgen.ts from tcpconnlat.bpf.c. Do not edit.
import { HistogramCursor, closeReasonNames, filterLayout, siphashKeyLayout, type CloseReason, type Histogram } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, TableRecords } from "../../core/plugin/skeleton.ts";

export type { CloseReason, Histogram } from "../../bpf/include/wirespan/structs.skel.ts";

export interface HandshakeKey {
  readonly workload: number;
  readonly closeReason: CloseReason;
  readonly error: number;
  readonly family: number;
}

export class HandshakeKeyCursor extends StructCursor implements HandshakeKey {
  static readonly fields: Fields = { workload: { at: 0, is: "u32" }, closeReason: { at: 4, names: closeReasonNames }, error: { at: 8, is: "u32" }, family: { at: 12, is: "u32" } };
  get workload(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get closeReason(): CloseReason {
    return closeReasonNames[this.$words[((this.$at + 4) >> 2)]!]!;
  }
  get error(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
  get family(): number {
    return this.$words[((this.$at + 12) >> 2)]!;
  }
}

export const skeleton = {
  hash: "703de5a161addd50",
  programs: {
    on_failed_at_once: "tp/syscalls/sys_exit_connect",
    on_handshake: "tp_btf/inet_sock_set_state",
    on_handshake_found: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: filterLayout,
    histogram_edges: { kind: "array", size: 4096, element: {"kind":"int","size":8,"signed":false}, length: 512 },
    histogram_first: { kind: "array", size: 2048, element: {"kind":"int","size":2,"signed":false}, length: 1024 },
    log2_of_byte: { kind: "array", size: 256, element: {"kind":"int","size":1,"signed":false}, length: 256 },
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
  },
  counters: ["overflows"],
  links: {"on_handshake":12},
  records: {
    handshakes: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [2],
      key: HandshakeKeyCursor,
      value: HistogramCursor,
    } as TableRecords<HandshakeKey, Histogram>,
    handshakes_overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [2],
      key: U32Cursor,
      value: HistogramCursor,
    } as TableRecords<Value, Histogram>,
  },
} as const;
