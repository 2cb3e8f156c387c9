// Written by tools/btfgen.ts from solisten.bpf.c. Do not edit.
import { text } from "../../core/bridge/runtime.ts";
import type { Cursor, RingRecords, RowRecords } from "../../core/plugin/skeleton.ts";

const empty = new Uint32Array(0);
const none = new Uint8Array(0);

export interface Endpoints {
  readonly local: Uint8Array;
  readonly peer: Uint8Array;
  readonly localPort: number;
  readonly peerPort: number;
  readonly family: number;
  readonly mapped: boolean;
  readonly ifindex: number;
}

export class EndpointsCursor implements Endpoints, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get local(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + 16);
  }
  get peer(): Uint8Array {
    return this.#bytes.subarray(this.#at + 16, this.#at + 16 + 16);
  }
  get localPort(): number {
    return this.#bytes[(this.#at + 32)]! | (this.#bytes[(this.#at + 32) + 1]! << 8);
  }
  get peerPort(): number {
    return this.#bytes[(this.#at + 34)]! | (this.#bytes[(this.#at + 34) + 1]! << 8);
  }
  get family(): number {
    return this.#bytes[(this.#at + 36)]!;
  }
  get mapped(): boolean {
    return this.#bytes[this.#at + 37]! !== 0;
  }
  get ifindex(): number {
    return this.#words[((this.#at + 40) >> 2)]!;
  }
}

export interface Task {
  readonly pid: number;
  readonly tid: number;
  readonly uid: number;
  readonly cgroups: number;
  readonly cgroupId: number;
  readonly mntns: number;
  readonly workload: number;
  readonly startedAt: number;
  readonly comm: string;
  readonly exe: number;
}

export class TaskCursor implements Task, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get pid(): number {
    return this.#words[((this.#at) >> 2)]!;
  }
  get tid(): number {
    return this.#words[((this.#at + 4) >> 2)]!;
  }
  get uid(): number {
    return this.#words[((this.#at + 8) >> 2)]!;
  }
  get cgroups(): number {
    return this.#words[((this.#at + 12) >> 2)]!;
  }
  get cgroupId(): number {
    return this.#words[((this.#at + 16) >> 2)]! + this.#words[((this.#at + 16) >> 2) + 1]! * 4294967296;
  }
  get mntns(): number {
    return this.#words[((this.#at + 24) >> 2)]!;
  }
  get workload(): number {
    return this.#words[((this.#at + 28) >> 2)]!;
  }
  get startedAt(): number {
    return this.#words[((this.#at + 32) >> 2)]! + this.#words[((this.#at + 32) >> 2) + 1]! * 4294967296;
  }
  get comm(): string {
    return text(this.#words, this.#bytes, this.#at + 40, 16);
  }
  get exe(): number {
    return this.#words[((this.#at + 56) >> 2)]! + this.#words[((this.#at + 56) >> 2) + 1]! * 4294967296;
  }
}

export type ListenKind = "call" | "end";
const listenKindNames = ["call", "end"] as const;

export interface Queue {
  readonly protocol: number;
  readonly usage: number;
  readonly limit: number;
  readonly drops: number;
  readonly ipv6Only: boolean;
}

export class QueueCursor implements Queue, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get protocol(): number {
    return this.#words[((this.#at) >> 2)]!;
  }
  get usage(): number {
    return this.#words[((this.#at + 4) >> 2)]!;
  }
  get limit(): number {
    return this.#words[((this.#at + 8) >> 2)]!;
  }
  get drops(): number {
    return this.#words[((this.#at + 12) >> 2)]!;
  }
  get ipv6Only(): boolean {
    return this.#bytes[this.#at + 16]! !== 0;
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

export class ListenCursor implements Listen, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get happenedAt(): number {
    return this.#words[((this.#at) >> 2)]! + this.#words[((this.#at) >> 2) + 1]! * 4294967296;
  }
  get cookie(): number {
    return this.#words[((this.#at + 8) >> 2)]! + this.#words[((this.#at + 8) >> 2) + 1]! * 4294967296;
  }
  get openedAt(): number {
    return this.#words[((this.#at + 16) >> 2)]! + this.#words[((this.#at + 16) >> 2) + 1]! * 4294967296;
  }
  get arrived(): number {
    return this.#words[((this.#at + 24) >> 2)]! + this.#words[((this.#at + 24) >> 2) + 1]! * 4294967296;
  }
  readonly #ends = new EndpointsCursor();
  get ends(): Endpoints {
    this.#ends.at(this.#words, this.#bytes, this.#at + 32);
    return this.#ends;
  }
  readonly #task = new TaskCursor();
  get task(): Task {
    this.#task.at(this.#words, this.#bytes, this.#at + 80);
    return this.#task;
  }
  get netnsCookie(): number {
    return this.#words[((this.#at + 144) >> 2)]! + this.#words[((this.#at + 144) >> 2) + 1]! * 4294967296;
  }
  get kind(): ListenKind {
    return listenKindNames[this.#words[((this.#at + 152) >> 2)]!]!;
  }
  get netns(): number {
    return this.#words[((this.#at + 156) >> 2)]!;
  }
  get error(): number {
    return this.#words[((this.#at + 160) >> 2)]!;
  }
  get backlog(): number {
    return this.#words[((this.#at + 164) >> 2)]! | 0;
  }
  get backlogKnown(): boolean {
    return this.#bytes[this.#at + 168]! !== 0;
  }
  get again(): boolean {
    return this.#bytes[this.#at + 169]! !== 0;
  }
  get beforeStart(): boolean {
    return this.#bytes[this.#at + 170]! !== 0;
  }
  readonly #queue = new QueueCursor();
  get queue(): Queue {
    this.#queue.at(this.#words, this.#bytes, this.#at + 172);
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

export class ListenerCursor implements Listener, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get cookie(): number {
    return this.#words[((this.#at) >> 2)]! + this.#words[((this.#at) >> 2) + 1]! * 4294967296;
  }
  get unattended(): number {
    return this.#words[((this.#at + 8) >> 2)]! + this.#words[((this.#at + 8) >> 2) + 1]! * 4294967296;
  }
  readonly #ends = new EndpointsCursor();
  get ends(): Endpoints {
    this.#ends.at(this.#words, this.#bytes, this.#at + 16);
    return this.#ends;
  }
  readonly #owner = new TaskCursor();
  get owner(): Task {
    this.#owner.at(this.#words, this.#bytes, this.#at + 64);
    return this.#owner;
  }
  get netnsCookie(): number {
    return this.#words[((this.#at + 128) >> 2)]! + this.#words[((this.#at + 128) >> 2) + 1]! * 4294967296;
  }
  get netns(): number {
    return this.#words[((this.#at + 136) >> 2)]!;
  }
  readonly #queue = new QueueCursor();
  get queue(): Queue {
    this.#queue.at(this.#words, this.#bytes, this.#at + 144);
    return this.#queue;
  }
}

export const skeleton = {
  hash: "adb2233e1f136e64",
  programs: {
    on_inet_listen: "fexit/inet_listen",
    on_listen_exit: "tp/syscalls/sys_exit_listen",
    on_state: "tp_btf/inet_sock_set_state",
    on_state_found: "iter/bpf_sk_storage_map",
    sweep: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: {"kind":"struct","name":"filter","size":5496,"fields":[{"name":"include","offset":0,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"exclude","offset":2736,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"min_duration_ns","offset":5472,"layout":{"kind":"int","size":8,"signed":false}},{"name":"failures_only","offset":5480,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_cgroup_map","offset":5484,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_mntns_map","offset":5488,"layout":{"kind":"int","size":4,"signed":false}},{"name":"padding","offset":5492,"layout":{"kind":"int","size":4,"signed":false}}]},
    has_on_inet_listen: {"kind":"bool","size":1},
    has_on_listen_exit: {"kind":"bool","size":1},
    name_key: {"kind":"struct","name":"siphash_key","size":16,"fields":[{"name":"k0","offset":0,"layout":{"kind":"int","size":8,"signed":false}},{"name":"k1","offset":8,"layout":{"kind":"int","size":8,"signed":false}}]},
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: {"kind":"struct","name":"filter","size":5496,"fields":[{"name":"include","offset":0,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"exclude","offset":2736,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"min_duration_ns","offset":5472,"layout":{"kind":"int","size":8,"signed":false}},{"name":"failures_only","offset":5480,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_cgroup_map","offset":5484,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_mntns_map","offset":5488,"layout":{"kind":"int","size":4,"signed":false}},{"name":"padding","offset":5492,"layout":{"kind":"int","size":4,"signed":false}}]},
    watched_cgroups: {"kind":"array","size":256,"element":{"kind":"struct","name":"watched_cgroup","size":16,"fields":[{"name":"id","offset":0,"layout":{"kind":"int","size":8,"signed":false}},{"name":"level","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"used","offset":12,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16},
  },
  counters: ["seen_listens","lost_listens","overflows"],
  records: {
    listens: { kind: "ring", size: 192, record: ListenCursor } as RingRecords<Listen>,
    sweep: { kind: "rows", size: 168, record: ListenerCursor } as RowRecords<Listener>,
  },
} as const;
