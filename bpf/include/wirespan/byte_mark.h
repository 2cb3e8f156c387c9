/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Bytes of living connections are summed by a sweep, and the rest at the close, maybe at the same moment on
 * another CPU. A mark says what is in the sums already.
 */
#include <wirespan/kernel.h>

/* Whoever moves the mark adds the difference: of the two never both, and never neither. */
static __always_inline u64 claim(u64 *mark, u64 now)
{
	/* Only two meet here, so the second try is the last that is needed. */
	for (int i = 0; i < 4; i++) {
		u64 before = *(volatile u64 *)mark;

		if (now <= before)
			return 0;
		if (__sync_val_compare_and_swap(mark, before, now) == before)
			return now - before;
	}
	return 0;
}

/*
 * What was written before it is seen by all before anything is read behind it. The close writes closed_at and
 * then looks for the mark; the sweep makes the mark and then looks at closed_at: one sees the other.
 */
static __always_inline void full_barrier(void)
{
	u64 word = 0;

	__sync_val_compare_and_swap(&word, 0, 1);
	/* Else the compiler could drop the word, and the instruction with it. */
	asm volatile("" : : "r"(&word) : "memory");
}
