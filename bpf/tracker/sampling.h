/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Which traces are kept, decided before a span's record is reserved and after metrics were counted. Both ends make the
 * same decision from the trace id; docs/traces.md lists what else is kept.
 */
#include <wirespan/bucket.h>
#include <wirespan/conn_record.h>
#include "shared.h"

/*
 * By the lowest bits of the workload's number, so that one that fails all the time leaves room for the others. A process
 * has its image's number until the agent has assigned its workload's. Both count up from 1, so images have buckets of
 * their own: otherwise a new process would often share a bucket that a failing workload has emptied.
 */
#define KEPT_BUCKETS 1024
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * KEPT_BUCKETS);
	__type(key, u32);
	__type(value, struct bucket);
} kept_always SEC(".maps");

static __always_inline bool has_share(const struct conn *c)
{
	u32 number = workload_of(&c->owner);
	u32 which = (number & (KEPT_BUCKETS - 1)) | (number & IMAGE ? KEPT_BUCKETS : 0);
	struct bucket *b = bpf_map_lookup_elem(&kept_always, &which);

	return b && take_token(b, bpf_ktime_get_boot_ns(), runtime_config.kept_rate);
}

#define ID_BITS ((1ull << 56) - 1)

/* Conditions that hold before the end of a connection also hold at its end. */
static __always_inline bool is_always_kept(const struct conn *c, u32 retransmits, u64 until)
{
	return retransmits ||
	       (runtime_config.slow_ns && until - c->opened_at > runtime_config.slow_ns) ||
	       (c->closed_at && (c->queued || failed(c)));
}

/* Whether a plugin reports it, or has promised to: connections that filters leave out do not use up a share. */
static __always_inline bool is_wanted(const struct conn *c)
{
	return c->wanted_connection | c->wanted_connect | c->wanted_accept |
	       (c->closed_at ? 0 : c->promised);
}

/* Global: the verifier checks the hash once, not for each caller. */
__noinline int has_sampled_id(const struct conn *c)
{
	u64 id[2];

	if (!c)
		return 0;
	read_id(id, ID_TRACE, c);
	return (bpf_be64_to_cpu(id[1]) & ID_BITS) >= runtime_config.sampling_threshold;
}

/*
 * Whether a span with this duration is sent. If it is, so are all later spans of the connection. `in_trace`: it
 * carried a request whose trace its application samples.
 */
static __always_inline bool samples(struct conn *c, bool in_trace, u32 retransmits, u64 until)
{
	if (!runtime_config.sampling_threshold)
		return true;
	if (!c->kept_always &&
	    (in_trace || (is_wanted(c) && is_always_kept(c, retransmits, until)))) {
		c->kept_always = has_share(c);
		if (!c->kept_always && c->closed_at)
			COUNT(beyond_kept_rate);
	}
	return c->kept_always || has_sampled_id(c);
}
