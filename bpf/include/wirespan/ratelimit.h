/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* A rate limit for events: a token bucket, and a count of those that were suppressed. */
#include <wirespan/kernel.h>

/* Events per second of each bucket, also its burst; 0: none. */
const volatile u64 event_rate = 0;

#define NS_PER_SECOND 1000000000ull

struct bucket {
	/* When the bucket will be full again. */
	u64 full_at;
	/* Suppressed since the last event that was reported. */
	u64 suppressed;
};

/* Takes a token, or counts the event as suppressed. Safe for buckets shared by CPUs. */
static __always_inline bool admits(struct bucket *b, u64 now)
{
	u64 before, from;

	if (!event_rate)
		return false;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		before = b->full_at;
		from = before > now ? before : now;
		if (from - now >= NS_PER_SECOND)
			break;
		if (__sync_val_compare_and_swap(&b->full_at, before,
						from + NS_PER_SECOND / event_rate) == before)
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
