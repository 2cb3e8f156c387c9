// Written by tools/btfgen.ts from tcplife.bpf.c. Do not edit.
import { ConnRecordCursor, HistogramCursor, closeReasonNames, directionNames, filterLayout, siphashKeyLayout, type CloseReason, type ConnRecord, type Direction, type Histogram } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RowRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export type { Actor, CloseReason, Conn, ConnRecord, Context, ContextSource, Direction, Endpoints, Histogram, OwnerSource, Span, Task, Traffic } from "../../bpf/include/wirespan/structs.skel.ts";

export interface LifeKey {
  readonly workload: number;
  readonly direction: Direction;
  readonly closeReason: CloseReason;
  readonly family: number;
}

export class LifeKeyCursor extends StructCursor implements LifeKey {
  static readonly fields: Fields = { workload: { at: 0, is: "u32" }, direction: { at: 4, names: directionNames }, closeReason: { at: 8, names: closeReasonNames }, family: { at: 12, is: "u32" } };
  get workload(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get direction(): Direction {
    return directionNames[this.$words[((this.$at + 4) >> 2)]!]!;
  }
  get closeReason(): CloseReason {
    return closeReasonNames[this.$words[((this.$at + 8) >> 2)]!]!;
  }
  get family(): number {
    return this.$words[((this.$at + 12) >> 2)]!;
  }
}

export interface Life {
  readonly connections: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly duration: Histogram;
  readonly rtt: Histogram;
}

export class LifeCursor extends StructCursor implements Life {
  static readonly fields: Fields = { connections: { at: 0, is: "u64" }, sentBytes: { at: 8, is: "u64" }, receivedBytes: { at: 16, is: "u64" }, duration: { at: 24, fields: HistogramCursor.fields }, rtt: { at: 3128, fields: HistogramCursor.fields } };
  get connections(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get sentBytes(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get receivedBytes(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
  readonly #duration = new HistogramCursor();
  get duration(): Histogram {
    this.#duration.at(this.$words, this.$bytes, this.$at + 24);
    return this.#duration;
  }
  readonly #rtt = new HistogramCursor();
  get rtt(): Histogram {
    this.#rtt.at(this.$words, this.$bytes, this.$at + 3128);
    return this.#rtt;
  }
}

export const skeleton = {
  hash: "8d85ab47e4e07abf",
  programs: {
    on_close: "tp_btf/inet_sock_set_state",
    on_close_found: "iter/bpf_sk_storage_map",
    sweep: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: filterLayout,
    boot: {"kind":"int","size":8,"signed":false},
    checkpoint_ns: {"kind":"int","size":8,"signed":false},
    histogram_edges: { kind: "array", size: 4096, element: {"kind":"int","size":8,"signed":false}, length: 512 },
    histogram_first: { kind: "array", size: 2048, element: {"kind":"int","size":2,"signed":false}, length: 1024 },
    id_key: siphashKeyLayout,
    io_run: {"kind":"int","size":4,"signed":false},
    io_slot: {"kind":"int","size":4,"signed":false},
    loaded_at: {"kind":"int","size":8,"signed":false},
    log2_of_byte: { kind: "array", size: 256, element: {"kind":"int","size":1,"signed":false}, length: 256 },
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
  },
  counters: ["overflows"],
  links: {"on_close":12,"sweep":1},
  records: {
    lives: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [5,393],
      key: LifeKeyCursor,
      value: LifeCursor,
    } as TableRecords<LifeKey, Life>,
    lives_overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [5,393],
      key: U32Cursor,
      value: LifeCursor,
    } as TableRecords<Value, Life>,
    sweep: { kind: "rows", size: 544, record: ConnRecordCursor } as RowRecords<ConnRecord>,
  },
} as const;
