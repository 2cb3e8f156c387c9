// Written by tools/btfgen.ts from tcpconnect.bpf.c. Do not edit.
import { EndpointsCursor, closeReasonNames, filterLayout, siphashKeyLayout, type CloseReason, type Endpoints } from "../../bpf/include/wirespan/structs.skel.ts";
import { StructCursor, U32Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export type { CloseReason, Endpoints } from "../../bpf/include/wirespan/structs.skel.ts";

export interface AttemptKey {
  readonly workload: number;
  readonly closeReason: CloseReason;
  readonly error: number;
  readonly ends: Endpoints;
}

export class AttemptKeyCursor extends StructCursor implements AttemptKey {
  static readonly fields: Fields = { workload: { at: 0, is: "u32" }, closeReason: { at: 4, names: closeReasonNames }, error: { at: 8, is: "u32" }, ends: { at: 12, fields: EndpointsCursor.fields } };
  get workload(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get closeReason(): CloseReason {
    return closeReasonNames[this.$words[((this.$at + 4) >> 2)]!]!;
  }
  get error(): number {
    return this.$words[((this.$at + 8) >> 2)]!;
  }
  readonly #ends = new EndpointsCursor();
  get ends(): Endpoints {
    this.#ends.at(this.$words, this.$bytes, this.$at + 12);
    return this.#ends;
  }
}

export interface Attempts {
  readonly count: number;
}

export class AttemptsCursor extends StructCursor implements Attempts {
  static readonly fields: Fields = { count: { at: 0, is: "u64" } };
  get count(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
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

export class DnsCursor extends StructCursor implements Dns {
  static readonly fields: Fields = { serial: { at: 0, is: "u64" }, happenedAt: { at: 8, is: "u64" }, pid: { at: 16, is: "u32" }, size: { at: 20, is: "u32" }, startedAt: { at: 24, is: "u64" }, netnsCookie: { at: 32, is: "u64" }, message: { at: 40, is: "array", size: 1232 } };
  get serial(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get happenedAt(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  get pid(): number {
    return this.$words[((this.$at + 16) >> 2)]!;
  }
  get size(): number {
    return this.$words[((this.$at + 20) >> 2)]!;
  }
  get startedAt(): number {
    return this.$words[((this.$at + 24) >> 2)]! + this.$words[((this.$at + 24) >> 2) + 1]! * 4294967296;
  }
  get netnsCookie(): number {
    return this.$words[((this.$at + 32) >> 2)]! + this.$words[((this.$at + 32) >> 2) + 1]! * 4294967296;
  }
  get message(): Uint8Array {
    return this.$bytes.subarray(this.$at + 40, this.$at + 40 + 1232);
  }
}

export const skeleton = {
  hash: "642d1744ed24f6a0",
  programs: {
    on_datagram: "tp_btf/sock_recv_length",
    on_failed_at_once: "tp/syscalls/sys_exit_connect",
    on_handshake: "tp_btf/inet_sock_set_state",
    on_handshake_found: "iter/bpf_sk_storage_map",
    on_packet: "tp_btf/netif_receive_skb",
  },
  constants: {
    agent_filter: filterLayout,
    count_flows: {"kind":"bool","size":1},
    count_source_ports: {"kind":"bool","size":1},
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
  },
  counters: ["overflows","seen_answers","lost_answers"],
  links: {"on_handshake":12},
  records: {
    attempts: {
      kind: "table",
      perCpu: false,
      byWorkload: true,
      maxWords: [],
      key: AttemptKeyCursor,
      value: AttemptsCursor,
    } as TableRecords<AttemptKey, Attempts>,
    attempts_overflow: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: U32Cursor,
      value: AttemptsCursor,
    } as TableRecords<Value, Attempts>,
    dns: { kind: "ring", size: 1272, record: DnsCursor } as RingRecords<Dns>,
  },
} as const;
