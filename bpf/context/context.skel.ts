// Written by tools/btfgen.ts from context.bpf.c. Do not edit.
import { CorrelatedCursor, filterLayout, siphashKeyLayout, type Correlated } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export type { Correlated } from "../../bpf/include/wirespan/structs.skel.ts";

export interface Question {
  readonly startedAt: number;
  readonly number: number;
  readonly pid: number;
}

export class QuestionCursor extends StructCursor implements Question {
  static readonly fields: Fields = { startedAt: { at: 0, is: "u64" }, number: { at: 8, is: "u32" }, pid: { at: 12, is: "u32" } };
  get startedAt(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get number(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
  get pid(): number {
    return this.$words[((this.$at + 12) >> 2)]!;
  }
}

export const skeleton = {
  hash: "a90af46f270a5d04",
  programs: {
    on_opening: "tp_btf/inet_sock_set_state",
    on_received: "fexit/tcp_recvmsg",
    on_segment: "tp_btf/tcp_probe",
    on_send: "tp_btf/tcp_sendmsg_locked",
    on_sendmsg: "fentry/tcp_sendmsg",
    on_sendmsg_locked: "fentry/tcp_sendmsg_locked",
    on_tls_write: "uprobe",
    on_tls_written: "uretprobe",
  },
  constants: {
    agent_filter: filterLayout,
    boot: {"kind":"int","size":8,"signed":false},
    connect_gap: {"kind":"int","size":8,"signed":false},
    has_on_segment: {"kind":"bool","size":1},
    huffman: { kind: "array", size: 128, element: {"kind":"int","size":2,"signed":false}, length: 64 },
    id_key: siphashKeyLayout,
    inbound: {"kind":"int","size":4,"signed":false},
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
    reads_http1: {"kind":"bool","size":1},
    reads_http2: {"kind":"bool","size":1},
    reads_tables: {"kind":"bool","size":1},
    reads_threads: {"kind":"bool","size":1},
    reads_tls: {"kind":"bool","size":1},
    window: {"kind":"int","size":4,"signed":false},
  },
  runtimeConfig: {"kind":"int","size":4,"signed":false},
  counters: [],
  inputs: {
    thread_variables: { key: {"kind":"int","size":4,"signed":false}, value: { kind: "struct", name: "thread_variable", size: 24, fields: [{ name: "offset", offset: 0, layout: {"kind":"int","size":8,"signed":true} }, { name: "generation", offset: 8, layout: {"kind":"int","size":8,"signed":false} }, { name: "module", offset: 16, layout: {"kind":"int","size":4,"signed":false} }, { name: "place", offset: 20, layout: {"kind":"int","size":4,"signed":false} }] } },
  },
  links: {"on_opening":1},
  records: {
    correlated: {
      kind: "table",
      perCpu: true,
      maxWords: [],
      key: U32Cursor,
      value: CorrelatedCursor,
    } as TableRecords<Value, Correlated>,
    questions: { kind: "ring", size: 16, record: QuestionCursor } as RingRecords<Question>,
  },
} as const;
