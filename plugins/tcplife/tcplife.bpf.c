// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The life of TCP connections: requests the connection's span, and sums durations, round trips and bytes.
// Hooks: tp_btf/inet_sock_set_state (in the tracker's chain), iter/bpf_sk_storage_map.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/chain.h>
#include <wirespan/conn.h>
#include <wirespan/conn_record.h>
#include <wirespan/io_delta.h>
#include <wirespan/filter.h>
#include <wirespan/histogram.h>
#include <wirespan/aggregate.h>
#include <wirespan/traffic.h>
#include <wirespan/skeleton.h>
#include <wirespan/sweep.h>

/* Age after which, and interval at which, an open connection is reported; 0: never. */
const volatile u64 checkpoint_ns = 0;

struct counters {
	u64 overflows;
};
EXPORT_COUNTERS(struct counters);

struct life_key {
	u32 workload;
	enum direction direction;
	enum close_reason close_reason;
	u32 family;
};

struct life {
	u64 connections;
	u64 sent_bytes;
	u64 received_bytes;
	struct histogram duration;
	struct histogram rtt;
};

SUMS_BY(lives, struct life_key, struct life, 2048, 1)

/* When an open connection was last reported. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} reports SEC(".maps");

static __always_inline struct life *row_of(const struct conn *c)
{
	struct life_key key = {
		.workload = workload_of(&c->owner),
		.direction = c->direction,
		.close_reason = c->close_reason,
		.family = c->ends.family,
	};

	return lives_row(&key, 0);
}

static __always_inline void see_open(struct sock *sk)
{
	struct conn *c = conn_of(sk);

	if (c && will_pass(c, c->established_at - c->opened_at))
		c->promised |= plugin_bit;
}

static __always_inline void see_change(struct sock *sk, int old, int new)
{
	struct io_delta delta;
	struct tcp_sock *tp;
	struct life *life;
	struct conn *c;
	u64 duration;
	u32 rtt_us;

	if (new == TCP_ESTABLISHED)
		see_open(sk);
	if (new != TCP_CLOSE || old == TCP_LISTEN)
		return;
	c = conn_of(sk);
	tp = bpf_skc_to_tcp_sock(sk);
	if (!c || !tp)
		return;
	duration = c->closed_at - c->opened_at;
	if (!passes(c, duration))
		return;
	c->wanted_connection |= plugin_bit;
	life = row_of(c);
	if (!life)
		return;
	take_closed(&delta, c, tp, old);
	__sync_fetch_and_add(&life->connections, 1);
	__sync_fetch_and_add(&life->sent_bytes, delta.sent_bytes);
	__sync_fetch_and_add(&life->received_bytes, delta.received_bytes);
	if (is_start_known(c))
		histogram_add_shared(&life->duration, duration);
	rtt_us = smoothed_rtt_us(tp, c);
	if (rtt_us)
		histogram_add_shared(&life->rtt, (u64)rtt_us * 1000);
}

STATE_PROGRAM(on_close, WANTS_OUTCOMES, see_change)

EXPORT_ROWS(sweep, struct conn_record);

/* Too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct conn_record);
} scratch SEC(".maps");

static __always_inline bool is_due(struct sock *sk, const struct conn *c, u64 now)
{
	/* A copy: Linux 6.1 does not accept the iterator's value here. */
	u64 opened_at = c->opened_at, *reported_at;

	if (!checkpoint_ns || now - opened_at < checkpoint_ns)
		return false;
	reported_at = bpf_sk_storage_get(&reports, sk, &opened_at, BPF_SK_STORAGE_GET_F_CREATE);
	if (!reported_at || now - *reported_at < checkpoint_ns)
		return false;
	*reported_at = now;
	return true;
}

/* Adds what open connections have transferred since the last time, in every network namespace. */
static __always_inline void see_living(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn *c = ctx->value;
	u64 now = bpf_ktime_get_boot_ns();
	struct conn_record *report;
	struct io_mark so_far;
	struct io_delta delta;
	struct tcp_sock *tp;
	struct life *life;
	u32 zero = 0;

	if (!sk || !c || c->excluded || c->closed_at || !c->established_at)
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || !passes(c, now - c->opened_at))
		return;
	if (!waits_for_owner(c, now) && take_living(&delta, sk, c)) {
		life = row_of(c);
		if (life) {
			__sync_fetch_and_add(&life->sent_bytes, delta.sent_bytes);
			__sync_fetch_and_add(&life->received_bytes, delta.received_bytes);
		}
	}
	if (!is_due(sk, c, now))
		return;
	report = bpf_map_lookup_elem(&scratch, &zero);
	if (!report)
		return;
	report->wanted = plugin_bit;
	read_record(report, SPAN_CONNECTION, c, tp, sk->__sk_common.skc_state);
	read_living(&so_far, tp, c);
	report->traffic.sent_bytes = so_far.sent_bytes;
	report->traffic.received_bytes = so_far.received_bytes;
	write_row(ctx, report, sizeof(*report));
}

SWEEP_PROGRAM(see_living)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
