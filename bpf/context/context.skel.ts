// Written by tools/btfgen.ts from context.bpf.c. Do not edit.
import { CorrelatedCursor, filterLayout, siphashKeyLayout, type Correlated } from "../../bpf/include/wirespan/structs.skel.ts";
import { U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { TableRecords } from "../../core/plugin/skeleton.ts";

export type { Correlated } from "../../bpf/include/wirespan/structs.skel.ts";

export const skeleton = {
  hash: "c3d7e68963299763",
  programs: {
    on_opening: "tp_btf/inet_sock_set_state",
    on_received: "fexit/tcp_recvmsg",
    on_segment: "tp_btf/tcp_probe",
    on_send: "tp_btf/tcp_sendmsg_locked",
    on_sendmsg: "fentry/tcp_sendmsg",
    on_sendmsg_locked: "fentry/tcp_sendmsg_locked",
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
    window: {"kind":"int","size":4,"signed":false},
  },
  runtimeConfig: {"kind":"int","size":4,"signed":false},
  counters: [],
  links: {"on_opening":1},
  records: {
    correlated: {
      kind: "table",
      perCpu: true,
      maxWords: [],
      key: U32Cursor,
      value: CorrelatedCursor,
    } as TableRecords<Value, Correlated>,
  },
} as const;
