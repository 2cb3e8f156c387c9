// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Passes values to bpf/include/wirespan/histogram.h, for its tests.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/histogram.h>

struct context {
	u64 ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct histogram);
} histograms SEC(".maps");

/* The bucket of a value above the lowest edge. */
SEC("syscall")
int bucket(struct context *ctx)
{
	return histogram_index(ctx->ns);
}

/* Adds to histogram 0 like one CPU, to histogram 1 like several. */
SEC("syscall")
int add(struct context *ctx)
{
	u32 own = 0, shared = 1;
	struct histogram *h;

	h = bpf_map_lookup_elem(&histograms, &own);
	if (h)
		histogram_add(h, ctx->ns);
	h = bpf_map_lookup_elem(&histograms, &shared);
	if (h)
		histogram_add_shared(h, ctx->ns);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
