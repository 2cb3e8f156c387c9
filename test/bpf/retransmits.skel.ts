// Written by tools/btfgen.ts from retransmits.bpf.c. Do not edit.
import { StructCursor } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords } from "../../core/plugin/skeleton.ts";

export interface Message {
  readonly localPort: number;
  readonly peerPort: number;
  readonly sequence: number;
  readonly bytes: number;
}

export class MessageCursor extends StructCursor implements Message {
  static readonly fields: Fields = { localPort: { at: 0, is: "u32" }, peerPort: { at: 4, is: "u32" }, sequence: { at: 8, is: "u32" }, bytes: { at: 12, is: "u32" } };
  get localPort(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get peerPort(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get sequence(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
  get bytes(): number {
    return this.$words[((this.$at + 12) >> 2)]!;
  }
}

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
  hash: "af21cdfaa4526869",
  programs: {
    message: "tp_btf/tcp_sendmsg_locked",
    retransmit: "tp_btf/tcp_retransmit_skb",
  },
  constants: {
  },
  counters: ["lost_records"],
  records: {
    messages: { kind: "ring", size: 16, record: MessageCursor } as RingRecords<Message>,
    shown: { kind: "ring", size: 12, record: ShownCursor } as RingRecords<Shown>,
  },
} as const;
