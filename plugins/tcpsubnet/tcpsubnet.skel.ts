// Written by tools/btfgen.ts from tcpsubnet.bpf.c. Do not edit.
import type { Cursor, RowRecords, TableRecords } from "../../core/plugin/skeleton.ts";

const empty = new Uint32Array(0);
const none = new Uint8Array(0);

export interface SumsKey {
  readonly value: number;
}

export class SumsKeyCursor implements SumsKey, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get value(): number {
    return this.#words[((this.#at) >> 2)]!;
  }
}

export interface Sum {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly retransmits: number;
  readonly outbound: number;
  readonly inbound: number;
  readonly droppedSent: number;
  readonly droppedReceived: number;
}

export class SumCursor implements Sum, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get sentBytes(): number {
    return this.#words[((this.#at) >> 2)]! + this.#words[((this.#at) >> 2) + 1]! * 4294967296;
  }
  get receivedBytes(): number {
    return this.#words[((this.#at + 8) >> 2)]! + this.#words[((this.#at + 8) >> 2) + 1]! * 4294967296;
  }
  get retransmits(): number {
    return this.#words[((this.#at + 16) >> 2)]! + this.#words[((this.#at + 16) >> 2) + 1]! * 4294967296;
  }
  get outbound(): number {
    return this.#words[((this.#at + 24) >> 2)]! + this.#words[((this.#at + 24) >> 2) + 1]! * 4294967296;
  }
  get inbound(): number {
    return this.#words[((this.#at + 32) >> 2)]! + this.#words[((this.#at + 32) >> 2) + 1]! * 4294967296;
  }
  get droppedSent(): number {
    return this.#words[((this.#at + 40) >> 2)]! + this.#words[((this.#at + 40) >> 2) + 1]! * 4294967296;
  }
  get droppedReceived(): number {
    return this.#words[((this.#at + 48) >> 2)]! + this.#words[((this.#at + 48) >> 2) + 1]! * 4294967296;
  }
}

export interface SweepRecord {
  readonly value: number;
}

export class SweepRecordCursor implements SweepRecord, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get value(): number {
    return this.#words[((this.#at) >> 2)]! + this.#words[((this.#at) >> 2) + 1]! * 4294967296;
  }
}

export const skeleton = {
  hash: "05b3a5fdec142163",
  programs: {
    on_close: "tp_btf/inet_sock_set_state",
    on_close_found: "iter/bpf_sk_storage_map",
    on_drop_with_socket: "tp_btf/kfree_skb",
    on_drop_with_socket_nested: "tp_btf/kfree_skb",
    on_drop_without: "tp_btf/kfree_skb",
    on_drop_without_nested: "tp_btf/kfree_skb",
    sweep: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: {"kind":"struct","name":"filter","size":5496,"fields":[{"name":"include","offset":0,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"exclude","offset":2736,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"min_duration_ns","offset":5472,"layout":{"kind":"int","size":8,"signed":false}},{"name":"failures_only","offset":5480,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_cgroup_map","offset":5484,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_mntns_map","offset":5488,"layout":{"kind":"int","size":4,"signed":false}},{"name":"padding","offset":5492,"layout":{"kind":"int","size":4,"signed":false}}]},
    loaded_at: {"kind":"int","size":8,"signed":false},
    name_key: {"kind":"struct","name":"siphash_key","size":16,"fields":[{"name":"k0","offset":0,"layout":{"kind":"int","size":8,"signed":false}},{"name":"k1","offset":8,"layout":{"kind":"int","size":8,"signed":false}}]},
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: {"kind":"struct","name":"filter","size":5496,"fields":[{"name":"include","offset":0,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"exclude","offset":2736,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"min_duration_ns","offset":5472,"layout":{"kind":"int","size":8,"signed":false}},{"name":"failures_only","offset":5480,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_cgroup_map","offset":5484,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_mntns_map","offset":5488,"layout":{"kind":"int","size":4,"signed":false}},{"name":"padding","offset":5492,"layout":{"kind":"int","size":4,"signed":false}}]},
  },
  counters: [],
  inputs: {
    subnets: {"key":{"kind":"struct","name":"subnet_key","size":24,"fields":[{"name":"bits","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"family","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"address","offset":8,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"value":{"kind":"int","size":4,"signed":false}},
  },
  kept: ["io_marks"],
  records: {
    sums: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: SumsKeyCursor,
      value: SumCursor,
    } as TableRecords<SumsKey, Sum>,
    sweep: { kind: "rows", size: 8, record: SweepRecordCursor } as RowRecords<SweepRecord>,
  },
} as const;
