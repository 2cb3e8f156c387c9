/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Sums by key: tables whose rows begin with the first event of their key, and what these have no room for. */
#include <wirespan/kernel.h>
#include <wirespan/skeleton.h>
#include <bpf/bpf_helpers.h>

/* A table that the agent reads: its name, the types of its keys and rows, how many it has room for. */
#define SUMS(name, key_type, value_type, rows)        \
	struct {                                      \
		__uint(type, BPF_MAP_TYPE_HASH);      \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__uint(max_entries, rows);            \
		__type(key, key_type);                \
		__type(value, value_type);            \
	} name SEC(".maps");                          \
	EXPORT_TABLE(name, key_type, value_type)

/* Take what the tables have no room for. */
#define SPARE_SUMS(name, value_type, rows)        \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, rows);        \
		__type(key, u32);                 \
		__type(value, value_type);        \
	} name SEC(".maps");                      \
	EXPORT_TABLE(name, u32, value_type)

/* A new row, where it is too large for the stack. */
#define BLANK_SUM(value_type)                     \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, 1);           \
		__type(key, u32);                 \
		__type(value, value_type);        \
	} blank SEC(".maps")

/* The row of a key, a new one as `fresh` is; NULL: there is no room. */
static __always_inline void *row_at(void *table, const void *key, const void *fresh)
{
	void *row = bpf_map_lookup_elem(table, key);

	if (row)
		return row;
	bpf_map_update_elem(table, key, fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(table, key);
}

/* The same for rows that BLANK_SUM was said for: `&blank`. */
static __always_inline void *large_row_at(void *table, const void *key, void *blank)
{
	void *row = bpf_map_lookup_elem(table, key), *fresh;
	u32 zero = 0;

	if (row)
		return row;
	fresh = bpf_map_lookup_elem(blank, &zero);
	if (!fresh)
		return NULL;
	bpf_map_update_elem(table, key, fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(table, key);
}
