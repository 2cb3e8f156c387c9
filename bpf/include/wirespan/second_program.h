/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The kernel does not enter a program that is already running on this CPU, and so may omit an event that interrupts
 * it. A second program on the hook, `name`_nested, is entered then and calls the first: tail calls are not refused,
 * and the verifier checks what both do once. core/bridge/loader.ts puts the first where the second finds it.
 */
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} first_program SEC(".maps");

/* Whether the second program is calling the first. Both are running then, so nothing comes between on this CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, bool);
} calls_first SEC(".maps");

/* Does not return, unless the first program has not been placed. */
static __always_inline void call_first(void *ctx)
{
	u32 zero = 0;
	bool *calls = bpf_map_lookup_elem(&calls_first, &zero);

	if (!calls)
		return;
	*calls = true;
	bpf_tail_call_static(ctx, &first_program, 0);
	*calls = false;
}

/* Must be called once in the first program, before anything else. */
static __always_inline bool is_called_by_second(void)
{
	u32 zero = 0;
	bool *calls = bpf_map_lookup_elem(&calls_first, &zero);

	if (!calls || !*calls)
		return false;
	*calls = false;
	return true;
}
