// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// TCP packets that the kernel throws away, and why; and what listeners turn away, for which there is no event.
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "chain.h"
#include "conn.h"
#include "connection.h"
#include "drop.h"
#include "filter.h"
#include "rate.h"
#include "ring.h"
#include "sums.h"
#include "tuples.h"
#include "wire.h"

/* Whether events carry the kernel's stack. */
const volatile u32 stacks = 0;

struct counters {
	u64 seen_drops;
	u64 lost_drops;
	u64 suppressed_drops;
	u64 overflows;
};
WIRE_COUNTERS(struct counters);

#define FRAMES 32

struct drop {
	struct connection connection;
	struct packet packet;
	u32 reason;
	enum way way;
	/* 0: no socket is concerned. */
	u32 state;
	u32 ifindex;
	char interface[16];
	/* Addresses, least significant half first: a double does not hold them. */
	u32 location[2];
	u32 stack[FRAMES * 2];
	u32 frames;
	/* Whether the connection is known, and so its ids. */
	bool has_connection;
	bool has_ids;
	u64 happened_at;
	/* Of this reason, since the last that was told. */
	u64 suppressed;
};

WIRE_RING(drops, struct drop, 256 * 1024);

struct total_key {
	u32 workload;
	u32 reason;
	u32 state;
	enum way way;
	u32 family;
};

struct total {
	u64 packets;
};

SUMS(totals, struct total_key, struct total, 2048);

/* What listeners have turned away, a SYN or the ACK that ends a handshake: ListenDrops. */
struct listener_key {
	u32 workload;
	u32 netns;
	u32 port;
};

SUMS(listeners, struct listener_key, struct total, 1024);

/* Take what the tables have no room for. */
enum { OVERFLOW_TOTALS, OVERFLOW_LISTENERS };
SPARE_SUMS(overflow, struct total, 2);

/* One for each reason, of subsystems' reasons some may share one. */
#define BUCKETS 256
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BUCKETS);
	__type(key, u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

static __always_inline struct total *row_of(void *table, const void *key, u32 spare)
{
	struct total *row, new = {};

	row = row_at(table, key, &new);
	if (row)
		return row;
	COUNT(overflows);
	return bpf_map_lookup_elem(&overflow, &spare);
}

static __always_inline bool is_in_tuples(struct dropped *d, enum way way)
{
	struct tuple tuple = { .netns_cookie = d->conn.netns_cookie };
	struct conn *c;

	take_ends(&tuple.ends, &d->packet, way);
	c = bpf_map_lookup_elem(&tuples, &tuple);
	if (!c)
		return false;
	d->conn = *c;
	d->way = way;
	d->is_known = true;
	return true;
}

/* A packet that came to no socket before it was dropped, or has left its own. */
static __always_inline bool find_by_tuple(struct dropped *d)
{
	return is_in_tuples(d, WAY_RECEIVE) || is_in_tuples(d, WAY_TRANSMIT);
}

static __always_inline void tell(void *ctx, const struct dropped *d, const struct sk_buff *skb,
				 const struct sock *sk, void *location, u32 reason)
{
	struct net_device *dev = device_of(skb, sk);
	u64 now = bpf_ktime_get_boot_ns();
	u32 slot = (reason ^ reason >> 16 << 5) & (BUCKETS - 1);
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &slot);
	struct drop *r;
	long size = 0;
	u32 ifindex;

	COUNT(seen_drops);
	if (!bucket || !admits(bucket, now)) {
		COUNT(suppressed_drops);
		return;
	}
	r = bpf_ringbuf_reserve(&drops, sizeof(*r), 0);
	if (!r) {
		COUNT(lost_drops);
		return;
	}
	r->packet = d->packet;
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
	r->happened_at = now;
	r->suppressed = take_suppressed(bucket);
	r->has_connection = d->is_known;
	r->has_ids = d->is_known && (d->conn.own_isn | d->conn.peer_isn);
	r->connection.wanted = 0;
	read_uncounted(&r->connection, SPAN_CONNECTION, &d->conn);
	bpf_ringbuf_submit(r, wakeup(&drops));
}

static __always_inline void on_drop(void *ctx, struct sk_buff *skb, void *location, u32 reason,
				    struct sock *rx_sk, enum teller teller, bool interrupts)
{
	struct dropped *d = read_drop(skb, reason, rx_sk, teller, interrupts);
	struct total_key key = {};
	struct total *row;

	if (!d)
		return;
	if (!d->is_known && find_by_tuple(d) && d->conn.excluded)
		return;
	if (!passes(&d->conn, 0))
		return;
	key.workload = workload_of(&d->conn.owner);
	key.reason = reason;
	key.state = d->state;
	key.way = d->way;
	key.family = d->packet.family;
	row = row_of(&totals, &key, OVERFLOW_TOTALS);
	if (row)
		__sync_fetch_and_add(&row->packets, 1);
	tell(ctx, d, skb, d->state ? (rx_sk ? rx_sk : skb->sk) : NULL, location, reason);
}

DROP_PROGRAMS(on_drop)

/* What of a listener's drops is in the sums already. */
struct counted {
	u64 drops;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct counted);
} counts SEC(".maps");

static __always_inline void count_listener(struct sock *sk, const struct conn *c)
{
	u32 drops = sk->sk_drops.counter;
	struct listener_key key = {};
	struct counted *counted;
	struct total *row;
	u64 before;

	counted = bpf_sk_storage_get(&counts, sk, NULL, 0);
	if (!counted) {
		counted = bpf_sk_storage_get(&counts, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		/* What it turned away before the agent came is not counted. */
		if (counted && !c->opened_at)
			counted->drops = drops;
	}
	if (!counted)
		return;
	before = counted->drops;
	/* Whoever moves the mark adds the difference: the sweep and the close can't both. */
	if (drops <= before ||
	    __sync_val_compare_and_swap(&counted->drops, before, drops) != before)
		return;
	if (!passes(c, 0))
		return;
	key.workload = workload_of(&c->owner);
	key.netns = c->netns;
	key.port = sk->__sk_common.skc_num;
	row = row_of(&listeners, &key, OVERFLOW_LISTENERS);
	if (row)
		__sync_fetch_and_add(&row->packets, drops - before);
}

static __always_inline void see_listener_close(struct sock *sk, int old, int new)
{
	struct conn *c;

	if (old != TCP_LISTEN || new != TCP_CLOSE)
		return;
	c = conn_of(sk);
	if (c)
		count_listener(sk, c);
}

STATE_PROGRAM(on_listener_close, see_listener_close)

/* Writes no rows: it moves the listeners' sums. */
WIRE_ROWS(sweep, u32);

SEC("iter/bpf_sk_storage_map")
int sweep(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn *c = ctx->value;

	if (sk && c && !c->excluded && sk->__sk_common.skc_state == TCP_LISTEN)
		count_listener(sk, c);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
