// Written by tools/btfgen.ts from tcpaccept.bpf.c. Do not edit.
import { ConnCursor, HistogramCursor, filterLayout, siphashKeyLayout, type Conn, type Histogram } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export type { Actor, CloseReason, Conn, Direction, Endpoints, Histogram, OwnerSource, Task } from "../../bpf/include/wirespan/structs.skel.ts";

export interface AcceptKey {
  readonly workload: number;
  readonly family: number;
  readonly queued: number;
}

export class AcceptKeyCursor extends StructCursor implements AcceptKey {
  static readonly fields: Fields = { workload: { at: 0, is: "u32" }, family: { at: 4, is: "u32" }, queued: { at: 8, is: "u32" } };
  get workload(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get family(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get queued(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
}

export interface Accepts {
  readonly connections: number;
  readonly duration: Histogram;
}

export class AcceptsCursor extends StructCursor implements Accepts {
  static readonly fields: Fields = { connections: { at: 0, is: "u64" }, duration: { at: 8, fields: HistogramCursor.fields } };
  get connections(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  readonly #duration = new HistogramCursor();
  get duration(): Histogram {
    this.#duration.at(this.$words, this.$bytes, this.$at + 8);
    return this.#duration;
  }
}

export interface FailedAccept {
  readonly suppressed: number;
  readonly conn: Conn;
}

export class FailedAcceptCursor extends StructCursor implements FailedAccept {
  static readonly fields: Fields = { suppressed: { at: 0, is: "u64" }, conn: { at: 8, fields: ConnCursor.fields } };
  get suppressed(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  readonly #conn = new ConnCursor();
  get conn(): Conn {
    this.#conn.at(this.$words, this.$bytes, this.$at + 8);
    return this.#conn;
  }
}

export interface FailureKey {
  readonly workload: number;
  readonly family: number;
  readonly error: number;
}

export class FailureKeyCursor extends StructCursor implements FailureKey {
  static readonly fields: Fields = { workload: { at: 0, is: "u32" }, family: { at: 4, is: "u32" }, error: { at: 8, is: "u32" } };
  get workload(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get family(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get error(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
}

export interface Failures {
  readonly calls: number;
}

export class FailuresCursor extends StructCursor implements Failures {
  static readonly fields: Fields = { calls: { at: 0, is: "u64" } };
  get calls(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
}

export const skeleton = {
  hash: "0fcadc7ba4a5080e",
  programs: {
    accept_exit: "tp/syscalls/sys_exit_accept4,syscalls/sys_exit_accept",
    accept_failed: "fexit/__sys_accept4",
    accept_graft: "fentry/security_sock_graft",
    accept_uring: "tp_btf/io_uring_complete",
    on_end_in_queue: "tp_btf/inet_sock_set_state",
    on_end_in_queue_found: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: filterLayout,
    count_queued: {"kind":"bool","size":1},
    event_rate: {"kind":"int","size":8,"signed":false},
    has_accept_failed: {"kind":"bool","size":1},
    histogram_edges: { kind: "array", size: 4096, element: {"kind":"int","size":8,"signed":false}, length: 512 },
    histogram_first: { kind: "array", size: 2048, element: {"kind":"int","size":2,"signed":false}, length: 1024 },
    log2_of_byte: { kind: "array", size: 256, element: {"kind":"int","size":1,"signed":false}, length: 256 },
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
  },
  counters: ["seen_failures","lost_failures","suppressed_failures","overflows"],
  links: {"accept_uring":1,"on_end_in_queue":8},
  records: {
    accepts: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [3],
      key: AcceptKeyCursor,
      value: AcceptsCursor,
    } as TableRecords<AcceptKey, Accepts>,
    accepts_overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [3],
      key: U32Cursor,
      value: AcceptsCursor,
    } as TableRecords<Value, Accepts>,
    failed_accepts: { kind: "ring", size: 384, record: FailedAcceptCursor } as RingRecords<FailedAccept>,
    failures: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [],
      key: FailureKeyCursor,
      value: FailuresCursor,
    } as TableRecords<FailureKey, Failures>,
    failures_overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: U32Cursor,
      value: FailuresCursor,
    } as TableRecords<Value, Failures>,
  },
} as const;
