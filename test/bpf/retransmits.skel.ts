// Written by tools/btfgen.ts from retransmits.bpf.c. Do not edit.
import { StructCursor } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords } from "../../core/plugin/skeleton.ts";

export interface Shown {
  readonly localPort: number;
  readonly peerPort: number;
  readonly sequence: number;
}

export class ShownCursor extends StructCursor implements Shown {
  static readonly fields: Fields = { localPort: { at: 0, is: "u32" }, peerPort: { at: 4, is: "u32" }, sequence: { at: 8, is: "u32" } };
  get localPort(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get peerPort(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get sequence(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
}

export const skeleton = {
  hash: "87589924753e60d6",
  programs: {
    retransmit: "tp_btf/tcp_retransmit_skb",
  },
  constants: {
  },
  counters: [],
  records: {
    shown: { kind: "ring", size: 12, record: ShownCursor } as RingRecords<Shown>,
  },
} as const;
