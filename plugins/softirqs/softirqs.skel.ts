// Written by tools/btfgen.ts from softirqs.bpf.c. Do not edit.
import { HistogramCursor, type Histogram } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, TableRecords } from "../../core/plugin/skeleton.ts";

export type { Histogram } from "../../bpf/include/wirespan/structs.skel.ts";

export interface Poll {
  readonly polls: number;
  readonly packets: number;
  readonly exhausted: number;
}

export class PollCursor extends StructCursor implements Poll {
  static readonly fields: Fields = { polls: { at: 0, is: "u64" }, packets: { at: 8, is: "u64" }, exhausted: { at: 16, is: "u64" } };
  get polls(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get packets(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get exhausted(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
}

export interface Softirq {
  readonly runs: number;
  readonly time: Histogram;
  readonly wait: Histogram;
}

export class SoftirqCursor extends StructCursor implements Softirq {
  static readonly fields: Fields = { runs: { at: 0, is: "u64" }, time: { at: 8, fields: HistogramCursor.fields }, wait: { at: 3112, fields: HistogramCursor.fields } };
  get runs(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  readonly #time = new HistogramCursor();
  get time(): Histogram {
    this.#time.at(this.$words, this.$bytes, this.$at + 8);
    return this.#time;
  }
  readonly #wait = new HistogramCursor();
  get wait(): Histogram {
    this.#wait.at(this.$words, this.$bytes, this.$at + 3112);
    return this.#wait;
  }
}

export const skeleton = {
  hash: "c73447e8f0468cec",
  programs: {
    on_entry: "tp_btf/softirq_entry",
    on_exit: "tp_btf/softirq_exit",
    on_poll: "tp_btf/napi_poll",
    on_raise: "tp_btf/softirq_raise",
  },
  constants: {
    histogram_edges: { kind: "array", size: 4096, element: {"kind":"int","size":8,"signed":false}, length: 512 },
    histogram_first: { kind: "array", size: 2048, element: {"kind":"int","size":2,"signed":false}, length: 1024 },
    log2_of_byte: { kind: "array", size: 256, element: {"kind":"int","size":1,"signed":false}, length: 256 },
    only_some_cpus: {"kind":"bool","size":1},
    watched_cpus: { kind: "array", size: 1024, element: {"kind":"int","size":1,"signed":false}, length: 1024 },
  },
  counters: [],
  records: {
    polls: {
      kind: "table",
      perCpu: true,
      maxWords: [],
      key: U32Cursor,
      value: PollCursor,
    } as TableRecords<Value, Poll>,
    vectors: {
      kind: "table",
      perCpu: true,
      maxWords: [3,391],
      key: U32Cursor,
      value: SoftirqCursor,
    } as TableRecords<Value, Softirq>,
  },
} as const;
