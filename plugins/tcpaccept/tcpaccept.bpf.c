// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Connections that accept() returns: requests their span, and sums how long they took, which were never accepted and
// which calls failed.
// Hooks: tp_btf/inet_sock_set_state (in the tracker's chain); fentry/security_sock_graft and fexit/__sys_accept4, or else
// tp/syscalls/sys_exit_accept4,syscalls/sys_exit_accept and tp_btf/io_uring_complete.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/hooks/accept.h>
#include <wirespan/chain.h>
#include <wirespan/conn.h>
#include <wirespan/filter.h>
#include <wirespan/histogram.h>
#include <wirespan/ratelimit.h>
#include <wirespan/ring.h>
#include <wirespan/aggregate.h>
#include <wirespan/skeleton.h>

/* Connections that ended in the queue count, too. */
const volatile bool count_queued = true;

struct counters {
	u64 seen_failures;
	u64 lost_failures;
	u64 suppressed_failures;
	u64 overflows;
};
EXPORT_COUNTERS(struct counters);

struct accept_key {
	u32 workload;
	u32 family;
	/* It ended in the queue. */
	u32 queued;
};

struct accepts {
	u64 connections;
	struct histogram duration;
};

/* Spare rows: accepted, and ended in the queue. */
SUMS_BY(accepts, struct accept_key, struct accepts, 2048, 2)

struct failure_key {
	u32 workload;
	u32 family;
	u32 error;
};

struct failures {
	u64 calls;
};

SUMS_BY(failures, struct failure_key, struct failures, 512, 1)

/* A call that failed: `conn` is the listener, the caller its owner. */
struct failed_accept {
	u64 suppressed;
	struct conn conn;
};
EXPORT_RING(failed_accepts, struct failed_accept, 64 * 1024);

/* By error. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ERESTARTSYS);
	__type(key, u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

static __always_inline struct accepts *row_of(const struct conn *c)
{
	struct accept_key key = {
		.workload = workload_of(&c->owner),
		.family = c->ends.family,
		.queued = c->queued,
	};

	return accepts_row(&key, c->queued);
}

static __always_inline void on_outcome(struct conn *c, u64 ended_at)
{
	u64 duration = ended_at - c->opened_at;
	struct accepts *row;

	if (!passes(c, duration))
		return;
	c->wanted_accept |= plugin_bit;
	row = row_of(c);
	if (!row)
		return;
	__sync_fetch_and_add(&row->connections, 1);
	if (is_start_known(c))
		histogram_add_shared(&row->duration, duration);
}

static __noinline int on_accepted(struct conn *c)
{
	if (c)
		on_outcome(c, c->accepted_at);
	return 0;
}

static __always_inline struct failures *failures_of(const struct conn *c)
{
	struct failure_key key = {
		.workload = workload_of(&c->owner),
		.family = c->ends.family,
		.error = c->error,
	};

	return failures_row(&key, 0);
}

/* A server that has run out of descriptors may call accept() in a busy loop. */
static __noinline int on_failed(struct conn *c)
{
	struct failed_accept *record;
	struct failures *row;
	struct bucket *bucket;
	u32 error;

	if (!c || !passes(c, 0))
		return 0;
	row = failures_of(c);
	if (row)
		__sync_fetch_and_add(&row->calls, 1);
	error = c->error;
	bucket = bpf_map_lookup_elem(&buckets, &error);
	COUNT(seen_failures);
	if (!bucket || !admits(bucket, c->opened_at)) {
		COUNT(suppressed_failures);
		return 0;
	}
	record = RESERVE_OR_COUNT(failed_accepts, lost_failures);
	if (!record)
		return 0;
	record->conn = *c;
	record->suppressed = take_suppressed(bucket);
	SUBMIT(failed_accepts, record);
	return 0;
}

ACCEPT_PROGRAMS(on_accepted, on_failed)

static __always_inline void see_end(struct sock *sk, int old, int new)
{
	struct conn *c;

	if (new != TCP_CLOSE || !count_queued)
		return;
	c = conn_of(sk);
	if (c && c->queued)
		on_outcome(c, c->closed_at);
}

STATE_PROGRAM(on_end_in_queue, WANTS(CLOSE), see_end)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
