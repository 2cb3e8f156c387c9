/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include <bpf/bpf_helpers.h>

/*
 * What leaves a program. Each macro leaves a pointer that holds no data: it keeps the types in BTF,
 * where tools/btfgen.ts finds them and writes the TypeScript side.
 */

/* Marks a map, defined before it, whose rows are read as a whole at each collection. */
#define WIRE_TABLE(name, key, value)                       \
	key *const wire_table_key_##name SEC(".wire") = 0; \
	value *const wire_table_value_##name SEC(".wire") = 0

/* Marks a map, defined before it, that the agent fills before the programs are attached. */
#define WIRE_INPUT(name, key, value)                       \
	key *const wire_input_key_##name SEC(".wire") = 0; \
	value *const wire_input_value_##name SEC(".wire") = 0

/* Marks a map, defined before it, that goes on when the plugin is started anew with other settings. */
#define WIRE_KEPT(name) void *const wire_kept_##name SEC(".wire") = 0

/* Records that the iterator program of this name writes with bpf_seq_write. */
#define WIRE_ROWS(name, record) record *const wire_rows_##name SEC(".wire") = 0

/* The object's own account: u64 fields, per CPU, exported as metrics of the agent itself. */
#define WIRE_COUNTERS(record)                                 \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);      \
		__uint(max_entries, 1);                       \
		__type(key, u32);                             \
		__type(value, record);                        \
	} counters SEC(".maps");                              \
	record *const wire_counters SEC(".wire") = 0;         \
	static __always_inline record *account(void)          \
	{                                                     \
		u32 zero = 0;                                 \
		return bpf_map_lookup_elem(&counters, &zero); \
	}

/* Atomic although per CPU: an interrupt may bring the program, or its twin, a second time. */
#define COUNT(field)                                               \
	do {                                                       \
		typeof(account()) account_ = account();            \
		if (account_)                                      \
			__sync_fetch_and_add(&account_->field, 1); \
	} while (0)
