// Written by tools/btfgen.ts from tcptracer.bpf.c. Do not edit.
import { filterLayout, siphashKeyLayout } from "../../bpf/include/wirespan/structs.skel.ts";

export const skeleton = {
  hash: "e90b262896d1cb27",
  programs: {
    accept_exit: "tp/syscalls/sys_exit_accept4,syscalls/sys_exit_accept",
    accept_failed: "fexit/__sys_accept4",
    accept_graft: "fentry/security_sock_graft",
    accept_uring: "tp_btf/io_uring_complete",
    on_change: "tp_btf/inet_sock_set_state",
    on_change_found: "iter/bpf_sk_storage_map",
  },
  constants: {
    agent_filter: filterLayout,
    has_accept_failed: {"kind":"bool","size":1},
    name_key: siphashKeyLayout,
    plugin_bit: {"kind":"int","size":4,"signed":false},
    plugin_filter: filterLayout,
  },
  counters: [],
  links: {"accept_uring":1,"on_change":12},
  records: {
  },
} as const;
