// Written by tools/btfgen.ts from tcpstates.bpf.c. Do not edit.
import { ActorCursor, ConnRecordCursor, HistogramCursor, directionNames, filterLayout, siphashKeyLayout, type Actor, type ConnRecord, type Direction, type Histogram } from "../../bpf/include/wirespan/structs.skel.ts";
import { readU64Array, StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, RowRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export type { Actor, CloseReason, Conn, ConnRecord, Context, ContextSource, Direction, Endpoints, Histogram, OwnerSource, Span, Task, Traffic } from "../../bpf/include/wirespan/structs.skel.ts";

export interface Change {
  readonly connection: ConnRecord;
  readonly changedAt: number;
  readonly duration: number;
  readonly oldState: number;
  readonly newState: number;
  readonly context: Actor;
}

export class ChangeCursor extends StructCursor implements Change {
  static readonly fields: Fields = { connection: { at: 0, fields: ConnRecordCursor.fields }, changedAt: { at: 544, is: "u64" }, duration: { at: 552, is: "u64" }, oldState: { at: 560, is: "u32" }, newState: { at: 564, is: "u32" }, context: { at: 568, fields: ActorCursor.fields } };
  readonly #connection = new ConnRecordCursor();
  get connection(): ConnRecord {
    this.#connection.at(this.$words, this.$bytes, this.$at);
    return this.#connection;
  }
  get changedAt(): number {
    return this.$words[((this.$at + 544) >> 2)]! + this.$words[((this.$at + 544) >> 2) + 1]! * 4294967296;
  }
  get duration(): number {
    return this.$words[((this.$at + 552) >> 2)]! + this.$words[((this.$at + 552) >> 2) + 1]! * 4294967296;
  }
  get oldState(): number {
    return this.$words[((this.$at + 560) >> 2)]!;
  }
  get newState(): number {
    return this.$words[((this.$at + 564) >> 2)]!;
  }
  readonly #context = new ActorCursor();
  get context(): Actor {
    this.#context.at(this.$words, this.$bytes, this.$at + 568);
    return this.#context;
  }
}

export interface DwellKey {
  readonly workload: number;
  readonly direction: Direction;
  readonly state: number;
}

export class DwellKeyCursor extends StructCursor implements DwellKey {
  static readonly fields: Fields = { workload: { at: 0, is: "u32" }, direction: { at: 4, names: directionNames }, state: { at: 8, is: "u32" } };
  get workload(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get direction(): Direction {
    return directionNames[this.$words[((this.$at + 4) >> 2)]!]!;
  }
  get state(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
}

export interface Population {
  readonly sockets: Float64Array;
}

export class PopulationCursor extends StructCursor implements Population {
  static readonly fields: Fields = { sockets: { at: 0, is: "array", size: 128 } };
  get sockets(): Float64Array {
    return readU64Array(this.$words, this.$at >> 2, 16);
  }
}

export const skeleton = {
  hash: "422bab808b7916d5",
  programs: {
    on_change: "tp_btf/inet_sock_set_state",
    on_change_found: "iter/bpf_sk_storage_map",
    sweep: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: filterLayout,
    boot: {"kind":"int","size":8,"signed":false},
    events: {"kind":"bool","size":1},
    histogram_edges: { kind: "array", size: 4096, element: {"kind":"int","size":8,"signed":false}, length: 512 },
    histogram_first: { kind: "array", size: 2048, element: {"kind":"int","size":2,"signed":false}, length: 1024 },
    id_key: siphashKeyLayout,
    log2_of_byte: { kind: "array", size: 256, element: {"kind":"int","size":1,"signed":false}, length: 256 },
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
  },
  counters: ["seen_changes","lost_changes","overflows"],
  links: {"on_change":31,"sweep":1},
  records: {
    changes: { kind: "ring", size: 592, record: ChangeCursor } as RingRecords<Change>,
    dwells: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [2],
      key: DwellKeyCursor,
      value: HistogramCursor,
    } as TableRecords<DwellKey, Histogram>,
    dwells_overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [2],
      key: U32Cursor,
      value: HistogramCursor,
    } as TableRecords<Value, Histogram>,
    sweep: { kind: "rows", size: 128, record: PopulationCursor } as RowRecords<Population>,
  },
} as const;
