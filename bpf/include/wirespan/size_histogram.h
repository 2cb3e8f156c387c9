/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * OpenTelemetry exponential histograms of scale 3 for sizes in bytes, alongside histogram.h, which is for
 * times: whole numbers over a few powers of two, so that a bucket is found in a few steps and needs no
 * table.
 */
#include <wirespan/log2.h>

/* 2^4 and 2^20: sizes at or below the first count as zero, above the second in the last bucket. */
#define SIZES_LOWEST  4
#define SIZES_HIGHEST 20
#define SIZES_BUCKETS 128

/* floor(2^(20 + j / 8)): the upper edges of the eight buckets of an octave that is scaled to (2^20, 2^21]. */
#define EDGE_1 1143480
#define EDGE_2 1246974
#define EDGE_3 1359834
#define EDGE_4 1482910
#define EDGE_5 1617125
#define EDGE_6 1763487
#define EDGE_7 1923096

/* Buckets are (lower, upper], as OTLP's are; `size` is above 2^SIZES_LOWEST. */
static __always_inline u32 size_bucket(u32 size)
{
	u32 octave, index;

	if (size > 1u << SIZES_HIGHEST)
		return SIZES_BUCKETS - 1;
	octave = log2_of(size - 1);
	size <<= 20 - octave;
	if (size > EDGE_4)
		index = size > EDGE_6 ? (size > EDGE_7 ? 7 : 6) : (size > EDGE_5 ? 5 : 4);
	else
		index = size > EDGE_2 ? (size > EDGE_3 ? 3 : 2) : (size > EDGE_1 ? 1 : 0);
	return (octave - SIZES_LOWEST) * 8 + index;
}
