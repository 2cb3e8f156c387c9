/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include <bpf/bpf_helpers.h>

/*
 * What the programs of an object export to the agent, and what the agent fills. Each macro defines a pointer that
 * is never read: it keeps the types in BTF, from which tools/btfgen.ts generates the object's skeleton.
 */

/* A map, defined above, that is read whole at each collection. */
#define EXPORT_TABLE(name, key, value)                         \
	key *const export_table_key_##name SEC(".export") = 0; \
	value *const export_table_value_##name SEC(".export") = 0

/* A map, defined above, that the agent fills before the programs are attached. */
#define AGENT_INPUT(name, key, value)                         \
	key *const agent_input_key_##name SEC(".export") = 0; \
	value *const agent_input_value_##name SEC(".export") = 0

/* The records that the iterator program of this name writes with bpf_seq_write. */
#define EXPORT_ROWS(name, record) record *const export_rows_##name SEC(".export") = 0

/* A program that joins a chain (core/bridge/tail-chain.ts), and which of its kinds of event it wants, one bit each. */
#define CHAIN_LINK(program, wants) char(*const chain_link_##program)[wants] SEC(".export") = 0

/*
 * The object's own counters: u64 fields, per CPU, exported as internal metrics of the agent. Those named `unseen_...`
 * count events that no program was shown.
 */
#define EXPORT_COUNTERS(record)                               \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);      \
		__uint(max_entries, 1);                       \
		__type(key, u32);                             \
		__type(value, record);                        \
	} counters SEC(".maps");                              \
	record *const export_counters SEC(".export") = 0;     \
	static __always_inline record *counters_of(void)      \
	{                                                     \
		u32 zero = 0;                                 \
		return bpf_map_lookup_elem(&counters, &zero); \
	}

/* Atomic although per CPU: an interrupt may run the program, or its nested twin, meanwhile. */
#define COUNT_MANY(field, number)                                        \
	do {                                                             \
		typeof(counters_of()) counters_ = counters_of();         \
		if (counters_)                                           \
			__sync_fetch_and_add(&counters_->field, number); \
	} while (0)
#define COUNT(field) COUNT_MANY(field, 1)
