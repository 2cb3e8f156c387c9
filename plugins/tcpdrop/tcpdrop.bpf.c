// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// TCP packets that the kernel drops, and why; and connections that listeners reject, for which there is no event.
// Hooks: tp_btf/kfree_skb, tp_btf/inet_sock_set_state (in the tracker's chain), iter/bpf_sk_storage_map.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/chain.h>
#include <wirespan/conn.h>
#include <wirespan/conn_record.h>
#include <wirespan/hooks/drop.h>
#include <wirespan/filter.h>
#include <wirespan/in_trace.h>
#include <wirespan/ratelimit.h>
#include <wirespan/ring.h>
#include <wirespan/aggregate.h>
#include <wirespan/skeleton.h>
#include <wirespan/sweep.h>
#include "listeners.h"
#include "owner.h"
#include "totals.h"

/* Whether events carry the kernel's stack. */
const volatile bool stacks = false;

#define FRAMES 32

struct drop {
	struct conn_record connection;
	struct packet packet;
	u32 segments;
	u32 reason;
	enum way way;
	/* 0: no socket. */
	u32 state;
	u32 ifindex;
	char interface[16];
	/* Addresses, least significant half first, because doubles can't hold them. */
	u32 location[2];
	u32 stack[FRAMES * 2];
	u32 frames;
	/* Whether the connection, and thus its ids, are known. */
	bool has_connection;
	bool has_ids;
	u64 happened_at;
	/* Suppressed events of this reason since the last one reported. */
	u64 suppressed;
};

EXPORT_RING(drops, struct drop, 256 * 1024);

struct total_key {
	u32 workload;
	u32 reason;
	u32 state;
	enum way way;
	u32 family;
};

SUMS_BY(totals, struct total_key, struct total, 2048, 1)

/* One per reason; some reasons of subsystems share one. */
#define BUCKETS 256
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BUCKETS);
	__type(key, u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

static __always_inline void fill_drop(void *ctx, struct drop *r, const struct dropped *d,
				      const struct sk_buff *skb, void *location, u32 reason)
{
	struct net_device *dev = d->site.dev;
	long size = 0;
	u32 ifindex;

	r->packet = d->packet;
	r->segments = segments_of(skb);
	r->reason = reason;
	r->way = d->way;
	r->state = d->state;
	r->ifindex = skb->skb_iif;
	r->interface[0] = 0;
	if (dev) {
		BPF_CORE_READ_INTO(&r->interface, dev, name);
		ifindex = BPF_CORE_READ(dev, ifindex);
		if (!r->ifindex)
			r->ifindex = ifindex;
		else if (r->ifindex != ifindex)
			r->interface[0] = 0;
	}
	r->location[0] = (u64)location;
	r->location[1] = (u64)location >> 32;
	if (stacks)
		size = bpf_get_stack(ctx, r->stack, sizeof(r->stack), 0);
	r->frames = size > 0 ? size / 8 : 0;
	r->happened_at = bpf_ktime_get_boot_ns();
	r->suppressed = 0;
	r->has_connection = d->is_known;
	r->has_ids = d->is_known && has_numbers(&d->conn);
	r->connection.wanted = 0;
	read_record_without_socket(&r->connection, SPAN_CONNECTION, &d->conn);
}

static __always_inline void submit_drop(void *ctx, const struct dropped *d,
					const struct sk_buff *skb, void *location, u32 reason)
{
	u32 slot = (reason ^ reason >> 16 << 5) & (BUCKETS - 1);
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &slot);
	struct drop *r;

	COUNT(seen_drops);
	if (!bucket || !admits(bucket, bpf_ktime_get_boot_ns())) {
		COUNT(suppressed_drops);
		return;
	}
	r = RESERVE(drops);
	if (!r)
		return;
	fill_drop(ctx, r, d, skb, location, reason);
	r->suppressed = take_suppressed(bucket);
	SUBMIT(drops, r);
}

/* A drop that is reported in requests' traces. */
struct report {
	struct places places;
	void *ctx;
	const struct dropped *dropped;
	struct sock *sk;
	const struct sk_buff *skb;
	void *location;
	u32 reason;
};

static long report_in_trace(u32 place, struct report *report)
{
	struct drop *r;

	if (!has_place(&report->places, place))
		return 0;
	r = RESERVE_IN_TRACE(&drops, sizeof(*r));
	if (!r)
		return 0;
	fill_drop(report->ctx, r, report->dropped, report->skb, report->location, report->reason);
	SUBMIT_IN_TRACE(&drops, r, report->sk, place, IN_TRACE_DROP,
			IN_TRACE_EVENT(report->dropped->packet.sequence, bpf_jiffies64()));
	return 0;
}

/* In the trace of each request whose bytes the packet contains. */
static __always_inline void submit_in_trace(void *ctx, const struct dropped *d, struct sock *sk,
					    const struct sk_buff *skb, void *location, u32 reason)
{
	struct report report = {
		.ctx = ctx,
		.dropped = d,
		.sk = sk,
		.skb = skb,
		.location = location,
		.reason = reason,
	};

	if (contexts_at(&report.places, sk, d->packet.sequence, d->packet.payload,
			d->way == WAY_RECEIVE))
		IN_EACH(report_in_trace, &report);
}

static __always_inline void on_drop(void *ctx, struct sk_buff *skb, void *location, u32 reason,
				    struct sock *rx_sk, enum drop_hook hook, bool is_nested)
{
	struct total_key key = {};
	struct dropped *d;
	struct total *row;
	struct sock *sk = sender_of(skb);

	if (hook == DROP_WITH_SOCKET)
		note_other(skb, reason, rx_sk);
	else
		note_other_of_port(skb, reason);
	d = read_drop(&sk, skb, reason, rx_sk, hook, is_nested);
	if (!d)
		return;
	if (!d->is_known && find_by_tuple(d, skb) && d->conn.excluded)
		return;
	if (!passes(&d->conn, 0))
		return;
	key.workload = workload_of(&d->conn.owner);
	key.reason = reason;
	key.state = d->state;
	key.way = d->way;
	key.family = d->packet.family;
	row = totals_row(&key, 0);
	if (row)
		__sync_fetch_and_add(&row->packets, 1);
	submit_drop(ctx, d, skb, location, reason);
	if (sk && d->is_known && d->packet.payload)
		submit_in_trace(ctx, d, sk, skb, location, reason);
}

DROP_PROGRAMS(on_drop)

static __always_inline void see_listener_close(struct sock *sk, int old, int new)
{
	struct conn *c;

	if (old != TCP_LISTEN || new != TCP_CLOSE)
		return;
	c = conn_of(sk);
	if (c)
		count_listener(sk, c);
}

STATE_PROGRAM(on_listener_close, WANTS(LISTEN), see_listener_close)

/* Updates the listeners' sums. */
static __always_inline void see_living(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn *c = ctx->value;

	if (sk && c && !c->excluded && sk->__sk_common.skc_state == TCP_LISTEN)
		count_listener(sk, c);
}

SWEEP_PROGRAM(see_living)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
