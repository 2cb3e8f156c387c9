// Written by tools/btfgen.ts from tcptop.bpf.c. Do not edit.
import { ConnCursor, TaskCursor, filterLayout, siphashKeyLayout, type Conn, type Task } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RowRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export type { Actor, CloseReason, Conn, Direction, Endpoints, OwnerSource, Task } from "../../bpf/include/wirespan/structs.skel.ts";

export interface FlowKey {
  readonly cookie: number;
  readonly life: number;
}

export class FlowKeyCursor extends StructCursor implements FlowKey {
  static readonly fields: Fields = { cookie: { at: 0, is: "u64" }, life: { at: 8, is: "u32" } };
  get cookie(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get life(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
}

export interface Flow {
  readonly conn: Conn;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export class FlowCursor extends StructCursor implements Flow {
  static readonly fields: Fields = { conn: { at: 0, fields: ConnCursor.fields }, sentBytes: { at: 376, is: "u64" }, receivedBytes: { at: 384, is: "u64" } };
  readonly #conn = new ConnCursor();
  get conn(): Conn {
    this.#conn.at(this.$words, this.$bytes, this.$at);
    return this.#conn;
  }
  get sentBytes(): number {
    return this.$words[((this.$at + 376) >> 2)]! + this.$words[((this.$at + 376) >> 2) + 1]! * 4294967296;
  }
  get receivedBytes(): number {
    return this.$words[((this.$at + 384) >> 2)]! + this.$words[((this.$at + 384) >> 2) + 1]! * 4294967296;
  }
}

export interface ProcessKey {
  readonly pid: number;
  readonly span: number;
  readonly startedAt: number;
  readonly exe: number;
}

export class ProcessKeyCursor extends StructCursor implements ProcessKey {
  static readonly fields: Fields = { pid: { at: 0, is: "u32" }, span: { at: 4, is: "u32" }, startedAt: { at: 8, is: "u64" }, exe: { at: 16, is: "u64" } };
  get pid(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get span(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get startedAt(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get exe(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
}

export interface Usage {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly task: Task;
}

export class UsageCursor extends StructCursor implements Usage {
  static readonly fields: Fields = { sentBytes: { at: 0, is: "u64" }, receivedBytes: { at: 8, is: "u64" }, task: { at: 16, fields: TaskCursor.fields } };
  get sentBytes(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get receivedBytes(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  readonly #task = new TaskCursor();
  get task(): Task {
    this.#task.at(this.$words, this.$bytes, this.$at + 16);
    return this.#task;
  }
}

export interface Rest {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export class RestCursor extends StructCursor implements Rest {
  static readonly fields: Fields = { sentBytes: { at: 0, is: "u64" }, receivedBytes: { at: 8, is: "u64" } };
  get sentBytes(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get receivedBytes(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
}

export const skeleton = {
  hash: "5da5391d39dd49bb",
  programs: {
    on_close: "tp_btf/inet_sock_set_state",
    on_close_found: "iter/bpf_sk_storage_map",
    sweep: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: filterLayout,
    by_connection: {"kind":"bool","size":1},
    io_run: {"kind":"int","size":4,"signed":false},
    io_slot: {"kind":"int","size":4,"signed":false},
    loaded_at: {"kind":"int","size":8,"signed":false},
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
  },
  counters: ["overflow_processes","overflow_connections"],
  links: {"on_close":8,"sweep":1},
  records: {
    closed: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: FlowKeyCursor,
      value: FlowCursor,
    } as TableRecords<FlowKey, Flow>,
    processes: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: ProcessKeyCursor,
      value: UsageCursor,
    } as TableRecords<ProcessKey, Usage>,
    rests: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: U32Cursor,
      value: RestCursor,
    } as TableRecords<Value, Rest>,
    sweep: { kind: "rows", size: 392, record: FlowCursor } as RowRecords<Flow>,
  },
} as const;
