// Written by tools/btfgen.ts from tcpconnect.bpf.c. Do not edit.
import type { Cursor, RingRecords, TableRecords } from "../../core/plugin/skeleton.ts";

const empty = new Uint32Array(0);
const none = new Uint8Array(0);

export type CloseReason = "none" | "fin_local" | "fin_remote" | "rst_sent" | "rst_received" | "timeout" | "refused" | "unreachable" | "aborted" | "killed" | "unknown";
const closeReasonNames = ["none", "fin_local", "fin_remote", "rst_sent", "rst_received", "timeout", "refused", "unreachable", "aborted", "killed", "unknown"] as const;

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

export interface AttemptKey {
  readonly workload: number;
  readonly closeReason: CloseReason;
  readonly error: number;
  readonly ends: Endpoints;
}

export class AttemptKeyCursor implements AttemptKey, Cursor {
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
  readonly #ends = new EndpointsCursor();
  get ends(): Endpoints {
    this.#ends.at(this.#words, this.#bytes, this.#at + 12);
    return this.#ends;
  }
}

export interface Attempts {
  readonly count: number;
}

export class AttemptsCursor implements Attempts, Cursor {
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
}

export interface Dns {
  readonly serial: number;
  readonly happenedAt: number;
  readonly pid: number;
  readonly size: number;
  readonly startedAt: number;
  readonly netnsCookie: number;
  readonly message: Uint8Array;
}

export class DnsCursor implements Dns, Cursor {
  #words: Uint32Array = empty;
  #bytes: Uint8Array = none;
  #at = 0;
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.#words = words;
    this.#bytes = bytes;
    this.#at = offset;
  }
  get serial(): number {
    return this.#words[((this.#at) >> 2)]! + this.#words[((this.#at) >> 2) + 1]! * 4294967296;
  }
  get happenedAt(): number {
    return this.#words[((this.#at + 8) >> 2)]! + this.#words[((this.#at + 8) >> 2) + 1]! * 4294967296;
  }
  get pid(): number {
    return this.#words[((this.#at + 16) >> 2)]!;
  }
  get size(): number {
    return this.#words[((this.#at + 20) >> 2)]!;
  }
  get startedAt(): number {
    return this.#words[((this.#at + 24) >> 2)]! + this.#words[((this.#at + 24) >> 2) + 1]! * 4294967296;
  }
  get netnsCookie(): number {
    return this.#words[((this.#at + 32) >> 2)]! + this.#words[((this.#at + 32) >> 2) + 1]! * 4294967296;
  }
  get message(): Uint8Array {
    return this.#bytes.subarray(this.#at + 40, this.#at + 40 + 1232);
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
  hash: "b580404fc28a0d39",
  programs: {
    on_datagram: "tp_btf/sock_recv_length",
    on_failed_at_once: "tp/syscalls/sys_exit_connect",
    on_handshake: "tp_btf/inet_sock_set_state",
    on_handshake_found: "iter/bpf_sk_storage_map",
    on_packet: "tp_btf/netif_receive_skb",
  },
  constants: {
    agent_filter: {"kind":"struct","name":"filter","size":5496,"fields":[{"name":"include","offset":0,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"exclude","offset":2736,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"min_duration_ns","offset":5472,"layout":{"kind":"int","size":8,"signed":false}},{"name":"failures_only","offset":5480,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_cgroup_map","offset":5484,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_mntns_map","offset":5488,"layout":{"kind":"int","size":4,"signed":false}},{"name":"padding","offset":5492,"layout":{"kind":"int","size":4,"signed":false}}]},
    count_flows: {"kind":"bool","size":1},
    count_source_ports: {"kind":"bool","size":1},
    name_key: {"kind":"struct","name":"siphash_key","size":16,"fields":[{"name":"k0","offset":0,"layout":{"kind":"int","size":8,"signed":false}},{"name":"k1","offset":8,"layout":{"kind":"int","size":8,"signed":false}}]},
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: {"kind":"struct","name":"filter","size":5496,"fields":[{"name":"include","offset":0,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"exclude","offset":2736,"layout":{"kind":"struct","name":"match","size":2736,"fields":[{"name":"pids","offset":0,"layout":{"kind":"int","size":4,"signed":false}},{"name":"comms","offset":4,"layout":{"kind":"int","size":4,"signed":false}},{"name":"uids","offset":8,"layout":{"kind":"int","size":4,"signed":false}},{"name":"netns","offset":12,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_ports","offset":16,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_ports","offset":20,"layout":{"kind":"int","size":4,"signed":false}},{"name":"local_cidrs","offset":24,"layout":{"kind":"int","size":4,"signed":false}},{"name":"remote_cidrs","offset":28,"layout":{"kind":"int","size":4,"signed":false}},{"name":"cgroups","offset":32,"layout":{"kind":"int","size":4,"signed":false}},{"name":"families","offset":36,"layout":{"kind":"int","size":4,"signed":false}},{"name":"directions","offset":40,"layout":{"kind":"int","size":4,"signed":false}},{"name":"either_cidrs","offset":44,"layout":{"kind":"int","size":4,"signed":false}},{"name":"pid","offset":48,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"uid","offset":112,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"netns_inode","offset":176,"layout":{"kind":"array","size":64,"element":{"kind":"int","size":4,"signed":false},"length":16}},{"name":"comm","offset":240,"layout":{"kind":"array","size":512,"element":{"kind":"struct","name":"name_pattern","size":32,"fields":[{"name":"value","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}}]},"length":16}},{"name":"local_port","offset":752,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"remote_port","offset":880,"layout":{"kind":"array","size":128,"element":{"kind":"struct","name":"port_range","size":4,"fields":[{"name":"first","offset":0,"layout":{"kind":"int","size":2,"signed":false}},{"name":"last","offset":2,"layout":{"kind":"int","size":2,"signed":false}}]},"length":32}},{"name":"local_cidr","offset":1008,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"remote_cidr","offset":1584,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}},{"name":"either_cidr","offset":2160,"layout":{"kind":"array","size":576,"element":{"kind":"struct","name":"cidr","size":36,"fields":[{"name":"address","offset":0,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"mask","offset":16,"layout":{"kind":"array","size":16,"element":{"kind":"int","size":1,"signed":false},"length":16}},{"name":"family","offset":32,"layout":{"kind":"int","size":4,"signed":false}}]},"length":16}}]}},{"name":"min_duration_ns","offset":5472,"layout":{"kind":"int","size":8,"signed":false}},{"name":"failures_only","offset":5480,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_cgroup_map","offset":5484,"layout":{"kind":"int","size":4,"signed":false}},{"name":"by_mntns_map","offset":5488,"layout":{"kind":"int","size":4,"signed":false}},{"name":"padding","offset":5492,"layout":{"kind":"int","size":4,"signed":false}}]},
  },
  counters: ["overflows","seen_answers","lost_answers"],
  records: {
    attempts: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [],
      key: AttemptKeyCursor,
      value: AttemptsCursor,
    } as TableRecords<AttemptKey, Attempts>,
    dns: { kind: "ring", size: 1272, record: DnsCursor } as RingRecords<Dns>,
    overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: OverflowKeyCursor,
      value: AttemptsCursor,
    } as TableRecords<OverflowKey, Attempts>,
  },
} as const;
