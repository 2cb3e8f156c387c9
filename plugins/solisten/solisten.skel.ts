// Written by tools/btfgen.ts from solisten.bpf.c. Do not edit.
import { EndpointsCursor, TaskCursor, filterLayout, siphashKeyLayout, watchedCgroupLayout, type Endpoints, type Task } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, RowRecords } from "../../core/plugin/skeleton.ts";

export type { Endpoints, Task } from "../../bpf/include/wirespan/structs.skel.ts";

export type ListenKind = "call" | "end";
const listenKindNames = ["call", "end"] as const;

export interface Queue {
  readonly protocol: number;
  readonly usage: number;
  readonly limit: number;
  readonly drops: number;
  readonly ipv6Only: boolean;
}

export class QueueCursor extends StructCursor implements Queue {
  static readonly fields: Fields = { protocol: { at: 0, is: "u32" }, usage: { at: 4, is: "u32" }, limit: { at: 8, is: "u32" }, drops: { at: 12, is: "u32" }, ipv6Only: { at: 16, is: "bool" } };
  get protocol(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get usage(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
  get limit(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
  get drops(): number {
    return this.$words[((this.$at + 12) >> 2)]!;
  }
  get ipv6Only(): boolean {
    return this.$bytes[this.$at + 16]! !== 0;
  }
}

export interface Listen {
  readonly happenedAt: number;
  readonly cookie: number;
  readonly openedAt: number;
  readonly arrived: number;
  readonly ends: Endpoints;
  readonly task: Task;
  readonly netnsCookie: number;
  readonly kind: ListenKind;
  readonly netns: number;
  readonly error: number;
  readonly backlog: number;
  readonly backlogKnown: boolean;
  readonly again: boolean;
  readonly beforeStart: boolean;
  readonly queue: Queue;
}

export class ListenCursor extends StructCursor implements Listen {
  static readonly fields: Fields = { happenedAt: { at: 0, is: "u64" }, cookie: { at: 8, is: "u64" }, openedAt: { at: 16, is: "u64" }, arrived: { at: 24, is: "u64" }, ends: { at: 32, fields: EndpointsCursor.fields }, task: { at: 80, fields: TaskCursor.fields }, netnsCookie: { at: 144, is: "u64" }, kind: { at: 152, names: listenKindNames }, netns: { at: 156, is: "u32" }, error: { at: 160, is: "u32" }, backlog: { at: 164, is: "i32" }, backlogKnown: { at: 168, is: "bool" }, again: { at: 169, is: "bool" }, beforeStart: { at: 170, is: "bool" }, queue: { at: 172, fields: QueueCursor.fields } };
  get happenedAt(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get cookie(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get openedAt(): number {
    return this.$words[((this.$at + 16) >> 2)]! + this.$words[((this.$at + 16) >> 2) + 1]! * 4294967296;
  }
  get arrived(): number {
    return this.$words[((this.$at + 24) >> 2)]! + this.$words[((this.$at + 24) >> 2) + 1]! * 4294967296;
  }
  readonly #ends = new EndpointsCursor();
  get ends(): Endpoints {
    this.#ends.at(this.$words, this.$bytes, this.$at + 32);
    return this.#ends;
  }
  readonly #task = new TaskCursor();
  get task(): Task {
    this.#task.at(this.$words, this.$bytes, this.$at + 80);
    return this.#task;
  }
  get netnsCookie(): number {
    return this.$words[((this.$at + 144) >> 2)]! + this.$words[((this.$at + 144) >> 2) + 1]! * 4294967296;
  }
  get kind(): ListenKind {
    return listenKindNames[this.$words[((this.$at + 152) >> 2)]!]!;
  }
  get netns(): number {
    return this.$words[((this.$at + 156) >> 2)]!;
  }
  get error(): number {
    return this.$words[((this.$at + 160) >> 2)]!;
  }
  get backlog(): number {
    return this.$words[((this.$at + 164) >> 2)]! | 0;
  }
  get backlogKnown(): boolean {
    return this.$bytes[this.$at + 168]! !== 0;
  }
  get again(): boolean {
    return this.$bytes[this.$at + 169]! !== 0;
  }
  get beforeStart(): boolean {
    return this.$bytes[this.$at + 170]! !== 0;
  }
  readonly #queue = new QueueCursor();
  get queue(): Queue {
    this.#queue.at(this.$words, this.$bytes, this.$at + 172);
    return this.#queue;
  }
}

export interface Listener {
  readonly cookie: number;
  readonly unattended: number;
  readonly ends: Endpoints;
  readonly owner: Task;
  readonly netnsCookie: number;
  readonly netns: number;
  readonly queue: Queue;
}

export class ListenerCursor extends StructCursor implements Listener {
  static readonly fields: Fields = { cookie: { at: 0, is: "u64" }, unattended: { at: 8, is: "u64" }, ends: { at: 16, fields: EndpointsCursor.fields }, owner: { at: 64, fields: TaskCursor.fields }, netnsCookie: { at: 128, is: "u64" }, netns: { at: 136, is: "u32" }, queue: { at: 144, fields: QueueCursor.fields } };
  get cookie(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get unattended(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  readonly #ends = new EndpointsCursor();
  get ends(): Endpoints {
    this.#ends.at(this.$words, this.$bytes, this.$at + 16);
    return this.#ends;
  }
  readonly #owner = new TaskCursor();
  get owner(): Task {
    this.#owner.at(this.$words, this.$bytes, this.$at + 64);
    return this.#owner;
  }
  get netnsCookie(): number {
    return this.$words[((this.$at + 128) >> 2)]! + this.$words[((this.$at + 128) >> 2) + 1]! * 4294967296;
  }
  get netns(): number {
    return this.$words[((this.$at + 136) >> 2)]!;
  }
  readonly #queue = new QueueCursor();
  get queue(): Queue {
    this.#queue.at(this.$words, this.$bytes, this.$at + 144);
    return this.#queue;
  }
}

export const skeleton = {
  hash: "119d85fb42a48409",
  programs: {
    on_inet_listen: "fexit/inet_listen",
    on_listen_exit: "tp/syscalls/sys_exit_listen",
    on_state: "tp_btf/inet_sock_set_state",
    on_state_found: "iter/bpf_sk_storage_map",
    sweep: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: filterLayout,
    has_on_inet_listen: {"kind":"bool","size":1},
    has_on_listen_exit: {"kind":"bool","size":1},
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
    watched_cgroups: { kind: "array", size: 256, element: watchedCgroupLayout, length: 16 },
  },
  counters: ["seen_listens","lost_listens","overflows"],
  links: {"on_state":2,"sweep":1},
  records: {
    listens: { kind: "ring", size: 192, record: ListenCursor } as RingRecords<Listen>,
    sweep: { kind: "rows", size: 168, record: ListenerCursor } as RowRecords<Listener>,
  },
} as const;
