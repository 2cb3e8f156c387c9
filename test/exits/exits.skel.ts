// Written by tools/btfgen.ts from exits.bpf.c. Do not edit.
import { decodeCString16, U64Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Cursor, RingRecords, TableRecords } from "../../core/plugin/skeleton.ts";

const empty = new Uint32Array(0);
const none = new Uint8Array(0);

export interface Exit {
  readonly endedAt: number;
  readonly pid: number;
  readonly status: number;
  readonly signal: number;
  readonly comm: string;
}

export class ExitCursor implements Exit, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get endedAt(): number {
    return this.#words[((this.#at) >> 2)]! + this.#words[((this.#at) >> 2) + 1]! * 4294967296;
  }
  get pid(): number {
    return this.#words[((this.#at + 8) >> 2)]!;
  }
  get status(): number {
    return this.#words[((this.#at + 12) >> 2)]!;
  }
  get signal(): number {
    return this.#words[((this.#at + 16) >> 2)]!;
  }
  get comm(): string {
    return decodeCString16(this.#words, this.#bytes, this.#at + 20);
  }
}

export type How = "returned" | "failed" | "killed";
const howNames = ["returned", "failed", "killed"] as const;

export interface TotalsKey {
  readonly value: How;
}

export class TotalsKeyCursor implements TotalsKey, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get value(): How {
    return howNames[this.#words[((this.#at) >> 2)]!]!;
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
