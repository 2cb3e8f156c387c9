// Written by tools/btfgen.ts from tcpconnlat.bpf.c. Do not edit.
import { u64s } from "../../core/bridge/runtime.ts";
import type { Cursor, TableRecords } from "../../core/plugin/skeleton.ts";

const empty = new Uint32Array(0);
const none = new Uint8Array(0);

export type CloseReason = "none" | "fin_local" | "fin_remote" | "rst_sent" | "rst_received" | "timeout" | "refused" | "unreachable" | "aborted" | "killed" | "unknown";
const closeReasonNames = ["none", "fin_local", "fin_remote", "rst_sent", "rst_received", "timeout", "refused", "unreachable", "aborted", "killed", "unknown"] as const;

export interface HandshakeKey {
  readonly workload: number;
  readonly closeReason: CloseReason;
  readonly error: number;
  readonly family: number;
}

export class HandshakeKeyCursor implements HandshakeKey, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get workload(): number {
    return this.#words[((this.#at) >> 2)]!;
  }
  get closeReason(): CloseReason {
    return closeReasonNames[this.#words[((this.#at + 4) >> 2)]!]!;
  }
  get error(): number {
    return this.#words[((this.#at + 8) >> 2)]!;
  }
  get family(): number {
    return this.#words[((this.#at + 12) >> 2)]!;
  }
}

export interface Histogram {
  readonly count: number;
  readonly sumNs: number;
  readonly maxNs: number;
  readonly zeros: number;
  readonly buckets: Float64Array;
}

export class HistogramCursor implements Histogram, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get count(): number {
    return this.#words[((this.#at) >> 2)]! + this.#words[((this.#at) >> 2) + 1]! * 4294967296;
  }
  get sumNs(): number {
    return this.#words[((this.#at + 8) >> 2)]! + this.#words[((this.#at + 8) >> 2) + 1]! * 4294967296;
  }
  get maxNs(): number {
    return this.#words[((this.#at + 16) >> 2)]! + this.#words[((this.#at + 16) >> 2) + 1]! * 4294967296;
  }
  get zeros(): number {
    return this.#words[((this.#at + 24) >> 2)]! + this.#words[((this.#at + 24) >> 2) + 1]! * 4294967296;
  }
  get buckets(): Float64Array {
    return u64s(this.#words, this.#at + 32 >> 2, 384);
  }
}

export interface OverflowKey {
  readonly value: number;
}

export class OverflowKeyCursor implements OverflowKey, Cursor {
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

export const skeleton = {
  hash: "28852d98966f36be",
  programs: {
    on_failed_at_once: "tp/syscalls/sys_exit_connect",
    on_handshake: "tp_btf/inet_sock_set_state",
    on_handshake_found: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: {"kind":"struct","name":"filter","size":5496,"fields":[{"name":"include","offset":0,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"exclude","offset":2736,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"min_duration_ns","offset":5472,"layout":{"kind":"int","size":8,"signed":false}},{"name":"failures_only","offset":5480,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_cgroup_map","offset":5484,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_mntns_map","offset":5488,"layout":{"kind":"int","size":4,"signed":false}},{"name":"padding","offset":5492,"layout":{"kind":"int","size":4,"signed":false}}]},
    histogram_edges: {"kind":"array","size":4096,"element":{"kind":"int","size":8,"signed":false},"length":512},
    histogram_first: {"kind":"array","size":2048,"element":{"kind":"int","size":2,"signed":false},"length":1024},
    log2_of_byte: {"kind":"array","size":256,"element":{"kind":"int","size":1,"signed":false},"length":256},
    name_key: {"kind":"struct","name":"siphash_key","size":16,"fields":[{"name":"k0","offset":0,"layout":{"kind":"int","size":8,"signed":false}},{"name":"k1","offset":8,"layout":{"kind":"int","size":8,"signed":false}}]},
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: {"kind":"struct","name":"filter","size":5496,"fields":[{"name":"include","offset":0,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"exclude","offset":2736,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"min_duration_ns","offset":5472,"layout":{"kind":"int","size":8,"signed":false}},{"name":"failures_only","offset":5480,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_cgroup_map","offset":5484,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_mntns_map","offset":5488,"layout":{"kind":"int","size":4,"signed":false}},{"name":"padding","offset":5492,"layout":{"kind":"int","size":4,"signed":false}}]},
  },
  counters: ["overflows"],
  records: {
    handshakes: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [2],
      key: HandshakeKeyCursor,
      value: HistogramCursor,
    } as TableRecords<HandshakeKey, Histogram>,
    overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [2],
      key: OverflowKeyCursor,
      value: HistogramCursor,
    } as TableRecords<OverflowKey, Histogram>,
  },
} as const;
