// Written by tools/btfgen.ts from netqtop.bpf.c. Do not edit.
import { HistogramCursor, netnsFilterLayout, wayNames, type Histogram, type Way } from "../../bpf/include/wirespan/structs.skel.ts";
import { decodeCString, decodeCString16, readU64Array, StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export type { Histogram, Way } from "../../bpf/include/wirespan/structs.skel.ts";

export interface Queue {
  readonly tag: number;
  readonly netnsCookie: number;
  readonly frames: number;
  readonly morePackets: number;
  readonly bytes: number;
  readonly ignored: number;
  readonly classes: Float64Array;
  readonly zeros: number;
  readonly sizes: Float64Array;
  readonly name: string;
  readonly ifindex: number;
  readonly netns: number;
  readonly queue: number;
  readonly way: Way;
  readonly kind: string;
  readonly handsOn: number;
}

export class QueueCursor extends StructCursor implements Queue {
  static readonly fields: Fields = { tag: { at: 0, is: "u64" }, netnsCookie: { at: 8, is: "u64" }, frames: { at: 16, is: "u64" }, morePackets: { at: 24, is: "u64" }, bytes: { at: 32, is: "u64" }, ignored: { at: 40, is: "u64" }, classes: { at: 48, is: "array", size: 48 }, zeros: { at: 96, is: "u64" }, sizes: { at: 104, is: "array", size: 1024 }, name: { at: 1128, is: "text", size: 16 }, ifindex: { at: 1144, is: "u32" }, netns: { at: 1148, is: "u32" }, queue: { at: 1152, is: "u32" }, way: { at: 1156, names: wayNames }, kind: { at: 1160, is: "text", size: 8 }, handsOn: { at: 1168, is: "u32" } };
  get tag(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get netnsCookie(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get frames(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
  get morePackets(): number {
    return this.$words[((this.$at + 24) >> 2)]! + this.$words[((this.$at + 24) >> 2) + 1]! * 4294967296;
  }
  get bytes(): number {
    return this.$words[((this.$at + 32) >> 2)]! + this.$words[((this.$at + 32) >> 2) + 1]! * 4294967296;
  }
  get ignored(): number {
    return this.$words[((this.$at + 40) >> 2)]! + this.$words[((this.$at + 40) >> 2) + 1]! * 4294967296;
  }
  get classes(): Float64Array {
    return readU64Array(this.$words, this.$at + 48 >> 2, 6);
  }
  get zeros(): number {
    return this.$words[((this.$at + 96) >> 2)]! + this.$words[((this.$at + 96) >> 2) + 1]! * 4294967296;
  }
  get sizes(): Float64Array {
    return readU64Array(this.$words, this.$at + 104 >> 2, 128);
  }
  get name(): string {
    return decodeCString16(this.$words, this.$bytes, this.$at + 1128);
  }
  get ifindex(): number {
    return this.$words[((this.$at + 1144) >> 2)]!;
  }
  get netns(): number {
    return this.$words[((this.$at + 1148) >> 2)]!;
  }
  get queue(): number {
    return this.$words[((this.$at + 1152) >> 2)]!;
  }
  get way(): Way {
    return wayNames[this.$words[((this.$at + 1156) >> 2)]!]!;
  }
  get kind(): string {
    return decodeCString(this.$words, this.$bytes, this.$at + 1160, 8);
  }
  get handsOn(): number {
    return this.$words[((this.$at + 1168) >> 2)]!;
  }
}

export interface QueueId {
  readonly netnsCookie: number;
  readonly name: string;
  readonly ifindex: number;
  readonly netns: number;
  readonly queue: number;
}

export class QueueIdCursor extends StructCursor implements QueueId {
  static readonly fields: Fields = { netnsCookie: { at: 0, is: "u64" }, name: { at: 8, is: "text", size: 16 }, ifindex: { at: 24, is: "u32" }, netns: { at: 28, is: "u32" }, queue: { at: 32, is: "u32" } };
  get netnsCookie(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get name(): string {
    return decodeCString16(this.$words, this.$bytes, this.$at + 8);
  }
  get ifindex(): number {
    return this.$words[((this.$at + 24) >> 2)]!;
  }
  get netns(): number {
    return this.$words[((this.$at + 28) >> 2)]!;
  }
  get queue(): number {
    return this.$words[((this.$at + 32) >> 2)]!;
  }
}

export interface Link {
  readonly since: number;
  readonly busy: number;
  readonly dropped: number;
  readonly congested: number;
  readonly errors: number;
  readonly polls: number;
  readonly packets: number;
  readonly exhausted: number;
}

export class LinkCursor extends StructCursor implements Link {
  static readonly fields: Fields = { since: { at: 0, is: "u64" }, busy: { at: 8, is: "u64" }, dropped: { at: 16, is: "u64" }, congested: { at: 24, is: "u64" }, errors: { at: 32, is: "u64" }, polls: { at: 40, is: "u64" }, packets: { at: 48, is: "u64" }, exhausted: { at: 56, is: "u64" } };
  get since(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get busy(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get dropped(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
  get congested(): number {
    return this.$words[((this.$at + 24) >> 2)]! + this.$words[((this.$at + 24) >> 2) + 1]! * 4294967296;
  }
  get errors(): number {
    return this.$words[((this.$at + 32) >> 2)]! + this.$words[((this.$at + 32) >> 2) + 1]! * 4294967296;
  }
  get polls(): number {
    return this.$words[((this.$at + 40) >> 2)]! + this.$words[((this.$at + 40) >> 2) + 1]! * 4294967296;
  }
  get packets(): number {
    return this.$words[((this.$at + 48) >> 2)]! + this.$words[((this.$at + 48) >> 2) + 1]! * 4294967296;
  }
  get exhausted(): number {
    return this.$words[((this.$at + 56) >> 2)]! + this.$words[((this.$at + 56) >> 2) + 1]! * 4294967296;
  }
}

export interface Wait {
  readonly since: number;
  readonly time: Histogram;
}

export class WaitCursor extends StructCursor implements Wait {
  static readonly fields: Fields = { since: { at: 0, is: "u64" }, time: { at: 8, fields: HistogramCursor.fields } };
  get since(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  readonly #time = new HistogramCursor();
  get time(): Histogram {
    this.#time.at(this.$words, this.$bytes, this.$at + 8);
    return this.#time;
  }
}

export const skeleton = {
  hash: "c5e1b0942781a679",
  programs: {
    on_dequeue: "tp_btf/qdisc_dequeue",
    on_enqueue: "tp_btf/qdisc_enqueue",
    on_handed_over: "tp_btf/net_dev_xmit",
    on_poll: "tp_btf/napi_poll",
    on_receive: "tp_btf/netif_receive_skb",
    on_transmit: "tp_btf/net_dev_start_xmit",
  },
  constants: {
    agent_netns: netnsFilterLayout,
    histogram_edges: { kind: "array", size: 4096, element: {"kind":"int","size":8,"signed":false}, length: 512 },
    histogram_first: { kind: "array", size: 2048, element: {"kind":"int","size":2,"signed":false}, length: 1024 },
    log2_of_byte: { kind: "array", size: 256, element: {"kind":"int","size":1,"signed":false}, length: 256 },
    loopback: {"kind":"bool","size":1},
    name: { kind: "array", size: 128, element: { kind: "array", size: 16, element: {"kind":"int","size":1,"signed":false}, length: 16 }, length: 8 },
    names: {"kind":"int","size":4,"signed":false},
    plugin_netns: netnsFilterLayout,
  },
  counters: ["evicted_rows","refused_rows","refused_details"],
  records: {
    evicted: { kind: "ring", size: 1176, record: QueueCursor } as RingRecords<Queue>,
    links: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: QueueIdCursor,
      value: LinkCursor,
    } as TableRecords<QueueId, Link>,
    queues: {
      kind: "table",
      perCpu: true,
      maxWords: [],
      key: U32Cursor,
      value: QueueCursor,
    } as TableRecords<Value, Queue>,
    waits: {
      kind: "table",
      perCpu: false,
      maxWords: [3],
      key: QueueIdCursor,
      value: WaitCursor,
    } as TableRecords<QueueId, Wait>,
  },
} as const;
