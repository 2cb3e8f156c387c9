// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Time in each softirq, and the time between its raise and its run. Only sums leave the kernel.
// Hooks: tp_btf/softirq_raise, tp_btf/softirq_entry, tp_btf/softirq_exit, tp_btf/napi_poll.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/histogram.h>
#include <wirespan/skeleton.h>

/* More than NR_SOFTIRQS of any kernel. */
#define VECTORS 16

struct softirq {
	/* Runs begun, as /proc/softirqs counts them. */
	u64 runs;
	struct histogram time;
	struct histogram wait;
};

/* Per CPU. Softirqs do not migrate, and only the two marks are ever cleared. */
struct vector {
	struct softirq sums;
	u64 raised_at;
	/* 0 between runs: an exit whose entry was not seen adds nothing. */
	u64 entered_at;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VECTORS);
	__type(key, u32);
	__type(value, struct vector);
} vectors SEC(".maps");
EXPORT_TABLE(vectors, u32, struct softirq);

struct poll {
	u64 polls;
	u64 packets;
	/* Polls that used up their budget, so that more packets were waiting. */
	u64 exhausted;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct poll);
} polls SEC(".maps");
EXPORT_TABLE(polls, u32, struct poll);

/* One bit per CPU; the verifier removes the test if all CPUs are observed. */
const volatile bool only_some_cpus = false;
const volatile u8 watched_cpus[1024] = {};

static __always_inline bool is_watched(void)
{
	u32 cpu;

	if (!only_some_cpus)
		return true;
	cpu = bpf_get_smp_processor_id();
	return watched_cpus[MASKED(cpu >> 3, 1023)] >> (cpu & 7) & 1;
}

SEC("tp_btf/softirq_raise")
int BPF_PROG(on_raise, unsigned int number)
{
	u32 key = number;
	struct vector *v;

	if (!is_watched())
		return 0;
	v = bpf_map_lookup_elem(&vectors, &key);
	/* The wait begins at the first raise; one run serves all. */
	if (v && !v->raised_at)
		v->raised_at = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(on_entry, unsigned int number)
{
	u32 key = number;
	struct vector *v;
	u64 raised;

	if (!is_watched())
		return 0;
	v = bpf_map_lookup_elem(&vectors, &key);
	if (!v)
		return 0;
	raised = v->raised_at;
	v->raised_at = 0;
	v->sums.runs++;
	v->entered_at = bpf_ktime_get_ns();
	if (raised)
		histogram_add(&v->sums.wait, v->entered_at - raised);
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(on_exit, unsigned int number)
{
	u32 key = number;
	struct vector *v;

	if (!is_watched())
		return 0;
	v = bpf_map_lookup_elem(&vectors, &key);
	if (!v || !v->entered_at)
		return 0;
	histogram_add(&v->sums.time, bpf_ktime_get_ns() - v->entered_at);
	v->entered_at = 0;
	return 0;
}

SEC("tp_btf/napi_poll")
int BPF_PROG(on_poll, void *napi, int work, int budget)
{
	struct poll *p;
	u32 zero = 0;

	if (!is_watched())
		return 0;
	p = bpf_map_lookup_elem(&polls, &zero);
	if (!p)
		return 0;
	p->polls++;
	p->packets += work;
	if (work >= budget)
		p->exhausted++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
