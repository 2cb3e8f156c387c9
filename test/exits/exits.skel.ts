// Written by tools/btfgen.ts from exits.bpf.c. Do not edit.
import { decodeCString16, StructCursor, U64Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export interface Exit {
  readonly endedAt: number;
  readonly pid: number;
  readonly status: number;
  readonly signal: number;
  readonly comm: string;
}

export class ExitCursor extends StructCursor implements Exit {
  static readonly fields: Fields = { endedAt: { at: 0, is: "u64" }, pid: { at: 8, is: "u32" }, status: { at: 12, is: "u32" }, signal: { at: 16, is: "u32" }, comm: { at: 20, is: "text", size: 16 } };
  get endedAt(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get pid(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
  get status(): number {
    return this.$words[((this.$at + 12) >> 2)]!;
  }
  get signal(): number {
    return this.$words[((this.$at + 16) >> 2)]!;
  }
  get comm(): string {
    return decodeCString16(this.$words, this.$bytes, this.$at + 20);
  }
}

export type How = "returned" | "failed" | "killed";
const howNames = ["returned", "failed", "killed"] as const;

export interface TotalsKey {
  readonly value: How;
}

export class TotalsKeyCursor extends StructCursor implements TotalsKey {
  static readonly fields: Fields = { value: { at: 0, names: howNames } };
  get value(): How {
    return howNames[this.$words[((this.$at) >> 2)]!]!;
  }
}

export const skeleton = {
  hash: "90b6e75cf758a395",
  programs: {
    on_exit: "tp_btf/sched_process_exit",
  },
  constants: {
    threads: {"kind":"bool","size":1},
  },
  counters: ["seen_exits","lost_exits"],
  records: {
    exits: { kind: "ring", size: 40, record: ExitCursor } as RingRecords<Exit>,
    totals: {
      kind: "table",
      perCpu: true,
      maxWords: [],
      key: TotalsKeyCursor,
      value: U64Cursor,
    } as TableRecords<TotalsKey, Value>,
  },
} as const;
