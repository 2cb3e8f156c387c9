/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * OpenTelemetry exponential histograms of scale 3, filled where the time is measured and exported without
 * conversion. Values are nanoseconds, buckets are of seconds.
 */
#include <wirespan/kernel.h>
#include <wirespan/histogram_edges.h>
#include <wirespan/log2.h>

struct histogram {
	u64 count;
	u64 sum_ns;
	u64 max_ns;
	/* At or below the lowest edge (60 ns): OTLP's zero bucket. */
	u64 zeros;
	u64 buckets[HISTOGRAM_BUCKETS];
};

/*
 * The bucket of a value above the lowest edge: the highest bit and the four after it leave two candidates, between
 * which the exact edge decides. Values above the highest edge (194 days) go into the last bucket.
 */
static __always_inline u32 histogram_index(u64 ns)
{
	u32 octave = log2_of(ns), index;

	/* The lowest edge has more than four significant bits. */
	index = histogram_first[MASKED(octave << 4 | (ns >> (octave - 4) & 15), 1023)];
	if (index < HISTOGRAM_BUCKETS - 1 && ns > histogram_edges[MASKED(index + 1, 511)])
		index++;
	return index;
}

/* For per-CPU histograms. */
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

/* For histograms shared by CPUs; if two values race, the maximum may miss one. Global: verified once. */
__noinline int histogram_add_shared(struct histogram *h, u64 ns)
{
	if (!h)
		return 0;
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
	return 0;
}
