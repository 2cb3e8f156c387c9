/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * OpenTelemetry exponential histograms of scale 3, made where the time is measured: they leave without
 * conversion. Values are nanoseconds, buckets are of seconds.
 */
#include "kernel.h"
#include "histogram_edges.h"

struct histogram {
	u64 count;
	u64 sum_ns;
	u64 max_ns;
	/* At or below the lowest edge (60 ns): OTLP's zero bucket. */
	u64 zeros;
	u64 buckets[HISTOGRAM_BUCKETS];
};

/*
 * The bucket of a value above the lowest edge: an estimate from the logarithm of the value in units of
 * 2^-30 s, at most one bucket off, set right by the exact edges. What is above the highest edge (194
 * days) goes into the last bucket. Global: its many ways are gone through by the verifier once, not once for
 * each of a caller's.
 */
__noinline u32 histogram_index(u64 ns)
{
	/* 1125900 / 2^20 = 2^30 / 10^9; the larger half is shifted first where the product would not fit. */
	u64 value = ns >> 43 ? (ns >> 20) * 1125900 : ns * 1125900 >> 20;
	u64 rest = value;
	u32 octave = 0, mantissa, index;

#pragma unroll
	for (u32 step = 32; step; step >>= 1) {
		if (rest >> step) {
			rest >>= step;
			octave += step;
		}
	}
	mantissa = octave >= 6 ? value >> (octave - 6) & 63 : value << (6 - octave) & 63;
	index = (octave - 30) * 8 + histogram_steps[mantissa] - HISTOGRAM_LOWEST;
	if (index >= HISTOGRAM_BUCKETS)
		index = (s32)index < 0 ? 0 : HISTOGRAM_BUCKETS - 1;
	if (ns > histogram_edges[MASKED(index + 1, 511)])
		return index < HISTOGRAM_BUCKETS - 1 ? index + 1 : index;
	if (ns <= histogram_edges[MASKED(index, 511)])
		return index ? index - 1 : 0;
	return index;
}

/* For histograms of one CPU. */
static __always_inline void histogram_add(struct histogram *h, u64 ns)
{
	h->count++;
	h->sum_ns += ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	if (ns <= histogram_edges[0]) {
		h->zeros++;
	} else {
		u32 index = MASKED(histogram_index(ns), 511);

		if (index < HISTOGRAM_BUCKETS)
			h->buckets[index]++;
	}
}

/* For histograms that CPUs share; the maximum may miss one of two that race. */
static __always_inline void histogram_add_shared(struct histogram *h, u64 ns)
{
	__sync_fetch_and_add(&h->count, 1);
	__sync_fetch_and_add(&h->sum_ns, ns);
	if (ns > h->max_ns)
		h->max_ns = ns;
	if (ns <= histogram_edges[0]) {
		__sync_fetch_and_add(&h->zeros, 1);
	} else {
		u32 index = MASKED(histogram_index(ns), 511);

		if (index < HISTOGRAM_BUCKETS)
			__sync_fetch_and_add(&h->buckets[index], 1);
	}
}
