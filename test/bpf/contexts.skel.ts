// Written by tools/btfgen.ts from contexts.bpf.c. Do not edit.
import { contextSourceNames, siphashKeyLayout, type ContextSource } from "../../bpf/include/wirespan/structs.skel.ts";
import { Bytes16, Bytes8 } from "../../core/bridge/runtime.ts";
import type { Cursor, RingRecords } from "../../core/plugin/skeleton.ts";

export type { ContextSource } from "../../bpf/include/wirespan/structs.skel.ts";

const empty = new Uint32Array(0);
const none = new Uint8Array(0);

export interface Kept {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly flags: number;
  readonly source: ContextSource;
  readonly localPort: number;
  readonly peerPort: number;
  readonly first: number;
  readonly offset: number;
  readonly received: boolean;
  readonly answers: boolean;
}

export class KeptCursor implements Kept, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  readonly #traceId = new Bytes16();
  get traceId(): Uint8Array {
    return this.#traceId.read(this.#words, this.#at);
  }
  readonly #spanId = new Bytes8();
  get spanId(): Uint8Array {
    return this.#spanId.read(this.#words, this.#at + 16);
  }
  get flags(): number {
    return this.#words[((this.#at + 24) >> 2)]!;
  }
  get source(): ContextSource {
    return contextSourceNames[this.#words[((this.#at + 28) >> 2)]!]!;
  }
  get localPort(): number {
    return this.#words[((this.#at + 32) >> 2)]!;
  }
  get peerPort(): number {
    return this.#words[((this.#at + 36) >> 2)]!;
  }
  get first(): number {
    return this.#words[((this.#at + 40) >> 2)]!;
  }
  get offset(): number {
    return this.#words[((this.#at + 44) >> 2)]!;
  }
  get received(): boolean {
    return this.#bytes[this.#at + 48]! !== 0;
  }
  get answers(): boolean {
    return this.#bytes[this.#at + 49]! !== 0;
  }
}

export const skeleton = {
  hash: "189e2ced7bf45a01",
  programs: {
    received: "tp_btf/tcp_probe",
    sent: "tp_btf/tcp_sendmsg_locked",
  },
  constants: {
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
  },
  counters: [],
  records: {
    kept: { kind: "ring", size: 52, record: KeptCursor } as RingRecords<Kept>,
  },
} as const;
