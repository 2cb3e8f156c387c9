/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Sums by key: tables that the agent reads as a whole, with spare rows for keys that don't fit. */
#include <wirespan/kernel.h>
#include <wirespan/skeleton.h>
#include <bpf/bpf_helpers.h>

/* The row of a key; a new one is a copy of the blank row. NULL: the table is full. */
static __always_inline void *row_at(void *table, const void *key, void *blank)
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

#define SUMS_ARRAY(name, value_type, rows)        \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, rows);        \
		__type(key, u32);                 \
		__type(value, value_type);        \
	} name SEC(".maps")

/*
 * Defines a table `name` with room for `rows` keys, `name`_overflow with `spares` rows for keys that do not fit, and
 * `name`_row(key, spare), which returns the key's row or else that spare row and counts the overflow: EXPORT_COUNTERS
 * must precede it, with a counter `overflows`. A new row is copied from a blank one, because it may be too large for
 * the stack.
 */
#define SUMS_BY(name, key_type, value_type, rows, spares)                             \
	struct {                                                                      \
		__uint(type, BPF_MAP_TYPE_HASH);                                      \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                 \
		__uint(max_entries, rows);                                            \
		__type(key, key_type);                                                \
		__type(value, value_type);                                            \
	} name SEC(".maps");                                                          \
	EXPORT_TABLE(name, key_type, value_type);                                     \
	SUMS_ARRAY(name##_overflow, value_type, spares);                              \
	EXPORT_TABLE(name##_overflow, u32, value_type);                               \
	SUMS_ARRAY(name##_blank, value_type, 1);                                      \
	static __always_inline value_type *name##_row(const key_type *key, u32 spare) \
	{                                                                             \
		value_type *row = row_at(&name, key, &name##_blank);                  \
                                                                                      \
		if (row)                                                              \
			return row;                                                   \
		COUNT(overflows);                                                     \
		return bpf_map_lookup_elem(&name##_overflow, &spare);                 \
	}
