/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The position of a number's highest bit; BPF has no instruction for it. */
#include <wirespan/kernel.h>

static const u8 log2_of_byte[256] = {
	[2 ... 3] = 1,   [4 ... 7] = 2,    [8 ... 15] = 3,    [16 ... 31] = 4,
	[32 ... 63] = 5, [64 ... 127] = 6, [128 ... 255] = 7,
};

/* Few branches, most of them predictable. Returns 0 for 0. */
static __always_inline u32 log2_of(u64 value)
{
	u32 place = 0;

#pragma unroll
	for (u32 step = 32; step >= 8; step >>= 1) {
		if (value >> step) {
			value >>= step;
			place += step;
		}
	}
	return place + log2_of_byte[MASKED(value, 255)];
}
