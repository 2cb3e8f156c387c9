/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * io_uring completes everything at one tracepoint, possibly millions of reads per second: the tracker's program there
 * calls the plugins' programs and its emitter, as in chain.h, only if an accept() has ended.
 */
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>

/* One program for both: the verifier checks it once. */
#define ACCEPT_EXITS "tp/syscalls/sys_exit_accept4,syscalls/sys_exit_accept"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} next_accept SEC(".maps");

/* Does not return if there is a next one. */
#define CALL_NEXT_ACCEPT(ctx) bpf_tail_call_static(ctx, &next_accept, 0)
