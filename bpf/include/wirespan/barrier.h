/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include <wirespan/kernel.h>

/* A full memory barrier: all writes before it are visible to every CPU before any read after it. */
static __always_inline void full_barrier(void)
{
	u64 word = 0;

	__sync_val_compare_and_swap(&word, 0, 1);
	/* Otherwise the compiler could drop the word, and the instruction with it. */
	asm volatile("" : : "r"(&word) : "memory");
}
