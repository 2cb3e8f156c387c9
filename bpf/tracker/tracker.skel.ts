// Written by tools/btfgen.ts from tracker.bpf.c. Do not edit.
import { ConnRecordCursor, TaskCursor, siphashKeyLayout, watchedCgroupLayout, type ConnRecord, type Task } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, RowRecords } from "../../core/plugin/skeleton.ts";

export type { Actor, CloseReason, Conn, ConnRecord, Context, ContextSource, Direction, Endpoints, OwnerSource, Span, Task, Traffic } from "../../bpf/include/wirespan/structs.skel.ts";

export interface LinkedRecord {
  readonly connection: ConnRecord;
  readonly contexts: Uint8Array;
}

export class LinkedRecordCursor extends StructCursor implements LinkedRecord {
  static readonly fields: Fields = { connection: { at: 0, fields: ConnRecordCursor.fields }, contexts: { at: 544, is: "array", size: 192 } };
  readonly #connection = new ConnRecordCursor();
  get connection(): ConnRecord {
    this.#connection.at(this.$words, this.$bytes, this.$at);
    return this.#connection;
  }
  get contexts(): Uint8Array {
    return this.$bytes.subarray(this.$at + 544, this.$at + 544 + 192);
  }
}

export interface Survey {
  readonly living: number;
  readonly goneOn: number;
}

export class SurveyCursor extends StructCursor implements Survey {
  static readonly fields: Fields = { living: { at: 0, is: "u64" }, goneOn: { at: 8, is: "u64" } };
  get living(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get goneOn(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
}

export const skeleton = {
  hash: "a9d3f83207ff7d1b",
  programs: {
    drop_rows: "iter/bpf_sk_storage_map",
    keep_living: "iter/bpf_sk_storage_map",
    mend_found: "iter/bpf_sk_storage_map",
    name_address: "syscall",
    on_accept_emit: "tp/syscalls/sys_exit_accept4,syscalls/sys_exit_accept",
    on_accept_exit: "tp/syscalls/sys_exit_accept4,syscalls/sys_exit_accept",
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
    sweep: "iter/bpf_sk_storage_map",
    whoami: "syscall",
  },
  constants: {
    boot: {"kind":"int","size":8,"signed":false},
    has_on_accept_exit: {"kind":"bool","size":1},
    has_on_graft: {"kind":"bool","size":1},
    id_key: siphashKeyLayout,
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    watch_connect_exits: {"kind":"bool","size":1},
  },
  runtimeConfig: { kind: "struct", name: "", size: 336, fields: [{ name: "self_pid", offset: 0, layout: {"kind":"int","size":4,"signed":false} }, { name: "excludes_self", offset: 4, layout: {"kind":"int","size":4,"signed":false} }, { name: "keeps_tuples", offset: 8, layout: {"kind":"int","size":4,"signed":false} }, { name: "freed_cgroups", offset: 12, layout: {"kind":"int","size":4,"signed":false} }, { name: "space", offset: 16, layout: { kind: "struct", name: "pid_space", size: 8, fields: [{ name: "level", offset: 0, layout: {"kind":"int","size":4,"signed":false} }, { name: "inode", offset: 4, layout: {"kind":"int","size":4,"signed":false} }] } }, { name: "seeded", offset: 24, layout: {"kind":"int","size":4,"signed":false} }, { name: "round", offset: 28, layout: {"kind":"int","size":4,"signed":false} }, { name: "correlates", offset: 32, layout: {"kind":"int","size":4,"signed":false} }, { name: "round_began_at", offset: 40, layout: {"kind":"int","size":8,"signed":false} }, { name: "sampling_threshold", offset: 48, layout: {"kind":"int","size":8,"signed":false} }, { name: "slow_ns", offset: 56, layout: {"kind":"int","size":8,"signed":false} }, { name: "kept_rate", offset: 64, layout: {"kind":"int","size":8,"signed":false} }, { name: "page_port", offset: 72, layout: {"kind":"int","size":4,"signed":false} }, { name: "page_netns", offset: 76, layout: {"kind":"int","size":4,"signed":false} }, { name: "cgroups", offset: 80, layout: { kind: "array", size: 256, element: watchedCgroupLayout, length: 16 } }] },
  counters: ["seen_spans","lost_spans","seen_processes","lost_processes","excluded_self","lost_connections","lost_accepts","lost_tuples","lost_names","opened_connections","ended_connections","unseen_changes","unsampled_connections","beyond_kept_rate"],
  links: {"on_emit":12,"on_uring_emit":1},
  records: {
    processes: { kind: "ring", size: 64, record: TaskCursor } as RingRecords<Task>,
    spans: { kind: "ring", size: 736, record: LinkedRecordCursor } as RingRecords<LinkedRecord>,
    survey: { kind: "rows", size: 16, record: SurveyCursor } as RowRecords<Survey>,
  },
} as const;
