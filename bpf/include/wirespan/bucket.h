/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* A token bucket that holds a second's worth, and a count of what it refused. */
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>

#define NS_PER_SECOND 1000000000ull

struct bucket {
	/* When the bucket will be full again. */
	u64 full_at;
	/* Suppressed since the last event that was reported. */
	u64 suppressed;
};

/*
 * Takes a token, or counts the event as suppressed. `rate`: tokens per second, also the burst; 0: none. Safe for
 * buckets shared by CPUs.
 */
static __always_inline bool take_token(struct bucket *b, u64 now, u64 rate)
{
	u64 before, from;

	if (!rate)
		return false;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		before = b->full_at;
		from = before > now ? before : now;
		if (from - now >= NS_PER_SECOND)
			break;
		if (__sync_val_compare_and_swap(&b->full_at, before, from + NS_PER_SECOND / rate) ==
		    before)
			return true;
	}
	__sync_fetch_and_add(&b->suppressed, 1);
	return false;
}

/* Returns and resets the number of events suppressed since the last one. */
static __always_inline u64 take_suppressed(struct bucket *b)
{
	return __sync_lock_test_and_set(&b->suppressed, 0);
}
