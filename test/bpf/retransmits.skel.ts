// Written by tools/btfgen.ts from retransmits.bpf.c. Do not edit.
import type { Cursor, RingRecords } from "../../core/plugin/skeleton.ts";

const empty = new Uint32Array(0);
const none = new Uint8Array(0);

export interface Shown {
  readonly localPort: number;
  readonly peerPort: number;
  readonly sequence: number;
}

export class ShownCursor implements Shown, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get localPort(): number {
    return this.#words[((this.#at) >> 2)]!;
  }
  get peerPort(): number {
    return this.#words[((this.#at + 4) >> 2)]!;
  }
  get sequence(): number {
    return this.#words[((this.#at + 8) >> 2)]!;
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
