// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Time in each softirq, and the wait between its raise and its run. Nothing leaves but sums.
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "histogram.h"
#include "wire.h"

/* One more than the kernel's NR_SOFTIRQS has ever been needs; a power of two keeps the verifier content. */
#define VECTORS 16

struct softirq {
	/* Runs begun: what /proc/softirqs counts. */
	u64 runs;
	struct histogram time;
	struct histogram wait;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VECTORS);
	__type(key, u32);
	__type(value, struct softirq);
} vectors SEC(".maps");
WIRE_TABLE(vectors, u32, struct softirq);

/* A CPU runs one softirq at a time; each vector may have been raised meanwhile. */
struct pending {
	u64 entered_at;
	u64 raised_at[VECTORS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct pending);
} cpu SEC(".maps");

SEC("tp_btf/softirq_raise")
int BPF_PROG(on_raise, unsigned int vector)
{
	u32 zero = 0;
	struct pending *p = bpf_map_lookup_elem(&cpu, &zero);

	/* The wait runs from the first raise; later ones are served by the same run. */
	if (p && vector < VECTORS && !p->raised_at[MASKED(vector, VECTORS - 1)])
		p->raised_at[MASKED(vector, VECTORS - 1)] = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(on_entry, unsigned int vector)
{
	u32 zero = 0, key = vector;
	struct pending *p = bpf_map_lookup_elem(&cpu, &zero);
	struct softirq *s = bpf_map_lookup_elem(&vectors, &key);
	u64 now, raised;

	if (!p || !s || vector >= VECTORS)
		return 0;
	now = bpf_ktime_get_ns();
	s->runs++;
	p->entered_at = now;
	raised = p->raised_at[MASKED(vector, VECTORS - 1)];
	p->raised_at[MASKED(vector, VECTORS - 1)] = 0;
	if (raised)
		histogram_add(&s->wait, now - raised);
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(on_exit, unsigned int vector)
{
	u32 zero = 0, key = vector;
	struct pending *p = bpf_map_lookup_elem(&cpu, &zero);
	struct softirq *s = bpf_map_lookup_elem(&vectors, &key);

	/* The first exit after the start may be of a run that was not seen to begin. */
	if (!p || !s || !p->entered_at)
		return 0;
	histogram_add(&s->time, bpf_ktime_get_ns() - p->entered_at);
	p->entered_at = 0;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
