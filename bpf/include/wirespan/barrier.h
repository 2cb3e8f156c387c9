/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include <wirespan/kernel.h>

/* A full memory barrier: every CPU sees what was written before it before anything behind it is read. */
static __always_inline void full_barrier(void)
{
	u64 word = 0;

	__sync_val_compare_and_swap(&word, 0, 1);
	/* Otherwise the compiler could drop the word, and the instruction with it. */
	asm volatile("" : : "r"(&word) : "memory");
}
