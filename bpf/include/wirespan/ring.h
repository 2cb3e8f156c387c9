/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include <wirespan/kernel.h>
#include <wirespan/skeleton.h>
#include <bpf/bpf_helpers.h>

/* A ring of records. `bytes` is the minimum; the agent may set a larger size before loading. */
#define EXPORT_RING(name, record, bytes)            \
	struct {                                    \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, bytes);         \
	} name SEC(".maps");                        \
	record *const export_ring_##name SEC(".export") = 0

/* Shared by all objects: 1 while the agent waits for a wake-up instead of polling by its timer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} agent_asleep SEC(".maps");

/*
 * The flags to submit a record with. A wake-up costs microseconds in the application's path, so records wait for the
 * agent's timer. Only the first record after an idle time wakes the agent, and a ring that fills up. Reservations of all
 * CPUs count as available data, so the threshold is a range that concurrent producers can't skip.
 */
static __always_inline u64 wakeup(void *ring)
{
	u32 zero = 0, *waits = bpf_map_lookup_elem(&agent_asleep, &zero);
	u64 full, edge = ((struct bpf_map *)ring)->max_entries / 4;

	if (waits && *waits) {
		*waits = 0;
		return BPF_RB_FORCE_WAKEUP;
	}
	full = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
	return full >= edge && full - edge < 4096 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* Reserves a record in an exported ring; NULL if it is full, which is counted as `lost`. */
#define RESERVE_OR_COUNT(ring, lost)                                                \
	({                                                                          \
		typeof(*export_ring_##ring) *record_ =                              \
			bpf_ringbuf_reserve(&ring, sizeof(*export_ring_##ring), 0); \
                                                                                    \
		if (!record_)                                                       \
			COUNT(lost);                                                \
		record_;                                                            \
	})

/* The same for a ring whose losses are counted under its own name: lost_RING. */
#define RESERVE(ring) RESERVE_OR_COUNT(ring, lost_##ring)

#define SUBMIT(ring, record) bpf_ringbuf_submit(record, wakeup(&ring))
