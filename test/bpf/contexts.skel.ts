// Written by tools/btfgen.ts from contexts.bpf.c. Do not edit.
import { contextSourceNames, siphashKeyLayout, type ContextSource } from "../../bpf/include/wirespan/structs.skel.ts";
import { Bytes16, Bytes8, StructCursor } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords } from "../../core/plugin/skeleton.ts";

export type { ContextSource } from "../../bpf/include/wirespan/structs.skel.ts";

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

export class KeptCursor extends StructCursor implements Kept {
  static readonly fields: Fields = { traceId: { at: 0, is: "array", size: 16 }, spanId: { at: 16, is: "array", size: 8 }, flags: { at: 24, is: "u32" }, source: { at: 28, names: contextSourceNames }, localPort: { at: 32, is: "u32" }, peerPort: { at: 36, is: "u32" }, first: { at: 40, is: "u32" }, offset: { at: 44, is: "u32" }, received: { at: 48, is: "bool" }, answers: { at: 49, is: "bool" } };
  readonly #traceId = new Bytes16();
  get traceId(): Uint8Array {
    return this.#traceId.read(this.$words, this.$at);
  }
  readonly #spanId = new Bytes8();
  get spanId(): Uint8Array {
    return this.#spanId.read(this.$words, this.$at + 16);
  }
  get flags(): number {
    return this.$words[((this.$at + 24) >> 2)]!;
  }
  get source(): ContextSource {
    return contextSourceNames[this.$words[((this.$at + 28) >> 2)]!]!;
  }
  get localPort(): number {
    return this.$words[((this.$at + 32) >> 2)]!;
  }
  get peerPort(): number {
    return this.$words[((this.$at + 36) >> 2)]!;
  }
  get first(): number {
    return this.$words[((this.$at + 40) >> 2)]!;
  }
  get offset(): number {
    return this.$words[((this.$at + 44) >> 2)]!;
  }
  get received(): boolean {
    return this.$bytes[this.$at + 48]! !== 0;
  }
  get answers(): boolean {
    return this.$bytes[this.$at + 49]! !== 0;
  }
}

export const skeleton = {
  hash: "2c8e864b91d110d0",
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
