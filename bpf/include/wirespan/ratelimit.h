/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The rate limit of a plugin's events, which a setting gives. */
#include <wirespan/bucket.h>

/* Events per second of each bucket, also its burst; 0: none. */
const volatile u64 event_rate = 0;

/* Takes a token, or counts the event as suppressed. */
static __always_inline bool admits(struct bucket *b, u64 now)
{
	return take_token(b, now, event_rate);
}
