/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Sums of packets, and what the tables have no room for. */
#include <wirespan/ring.h>
#include <wirespan/aggregate.h>
#include <wirespan/skeleton.h>

struct counters {
	u64 seen_drops;
	u64 lost_drops;
	u64 suppressed_drops;
	u64 overflows;
};
EXPORT_COUNTERS(struct counters);

struct total {
	u64 packets;
};

enum { OVERFLOW_TOTALS, OVERFLOW_LISTENERS };
SPARE_SUMS(overflow, struct total, 2);

static __always_inline struct total *row_of(void *table, const void *key, u32 spare)
{
	struct total *row, new = {};

	row = row_at(table, key, &new);
	if (row)
		return row;
	COUNT(overflows);
	return bpf_map_lookup_elem(&overflow, &spare);
}
