// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// TCP packets that the kernel throws away, and why; and what listeners turn away, for which there is no event.
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "conn.h"
#include "connection.h"
#include "filter.h"
#include "packet.h"
#include "rate.h"
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

/* From this host's view; what is forwarded was received. */
enum way { WAY_RECEIVE, WAY_TRANSMIT };

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
	u64 cgroup_id;
	char exe[24];
	u32 reason;
	u32 state;
	enum way way;
	u32 family;
};

struct total {
	u64 packets;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2048);
	__type(key, struct total_key);
	__type(value, struct total);
} totals SEC(".maps");
WIRE_TABLE(totals, struct total_key, struct total);

/* What listeners have turned away, a SYN or the ACK that ends a handshake: ListenDrops. */
struct listener_key {
	u64 cgroup_id;
	char exe[24];
	u32 netns;
	u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct listener_key);
	__type(value, struct total);
} listeners SEC(".maps");
WIRE_TABLE(listeners, struct listener_key, struct total);

/* Take what the tables have no room for. */
enum { OVERFLOW_TOTALS, OVERFLOW_LISTENERS };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct total);
} overflow SEC(".maps");
WIRE_TABLE(overflow, u32, struct total);

/* One for each reason, of subsystems' reasons some may share one. */
#define BUCKETS 256
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BUCKETS);
	__type(key, u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

/* Too large for the stack. */
struct scratch {
	struct conn conn;
	struct packet packet;
	struct headers headers;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

static __always_inline struct total *row_of(void *table, const void *key, u32 spare)
{
	struct total *row = bpf_map_lookup_elem(table, key), new = {};

	if (row)
		return row;
	bpf_map_update_elem(table, key, &new, BPF_NOEXIST);
	row = bpf_map_lookup_elem(table, key);
	if (row)
		return row;
	COUNT(overflows);
	return bpf_map_lookup_elem(&overflow, &spare);
}

/* Whether the program is told whose packet it is, which kernels before 6.11 don't. */
enum teller { TELLS_SOCKET, TELLS_NO_SOCKET };

/* Whether TCP has it: IP has taken its own header off. */
static __always_inline bool is_in_tcp(const struct sk_buff *skb)
{
	return BPF_CORE_READ(skb, data) - BPF_CORE_READ(skb, head) == skb->transport_header;
}

/* Where its socket is not told, TCP without a socket gives no reason only in TIME_WAIT. */
static __always_inline bool is_in_time_wait(const struct sk_buff *skb, const struct sock *sk,
					    enum teller teller)
{
	if (sk)
		return sk->__sk_common.skc_state == TCP_TIME_WAIT;
	return teller == TELLS_NO_SOCKET && is_in_tcp(skb);
}

/*
 * Orderly ends free packets that were taken in: a socket that dies clears its queues (of its peer's FIN at
 * least), which kernels from 6.12 on say and before is to be told from the dead socket; and TIME_WAIT
 * answers the peer's FIN and frees it for no reason given. Data that comes then is lost.
 */
static __always_inline bool is_no_drop(u32 reason, const struct sk_buff *skb, const struct sock *sk,
				       const struct packet *p, enum teller teller)
{
	u32 state = sk ? sk->__sk_common.skc_state : 0;

	if (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_CONSUMED) &&
	    reason == bpf_core_enum_value(enum skb_drop_reason, SKB_CONSUMED))
		return true;
	if (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE) &&
	    reason == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE))
		return true;
	if (reason != bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_NOT_SPECIFIED))
		return false;
	if (is_in_time_wait(skb, sk, teller))
		return !p->payload && !(p->flags & TCPHDR_SYN);
	return !bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE) &&
	       state == TCP_CLOSE &&
	       sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_DEAD) & 1;
}

/* Where the packet's socket is none that has endpoints of its own (a listener, or none at all). */
static __always_inline void take_ends(struct endpoints *e, const struct packet *p, enum way way)
{
	bool received = way == WAY_RECEIVE;

	__builtin_memcpy(e->local, received ? p->destination : p->source, 16);
	__builtin_memcpy(e->peer, received ? p->source : p->destination, 16);
	e->local_port = received ? p->destination_port : p->source_port;
	e->peer_port = received ? p->source_port : p->destination_port;
	e->family = p->family;
}

/* In TCP's queues other things lie where the device was, so a device counts only if its namespace fits. */
static __always_inline struct net_device *device_of(const struct sk_buff *skb,
						    const struct sock *sk)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);

	if (!dev ||
	    (sk && BPF_CORE_READ(dev, nd_net.net) != BPF_CORE_READ(sk, __sk_common.skc_net.net)))
		return NULL;
	return dev;
}

static __always_inline void tell(void *ctx, const struct conn *c, const struct conn *known,
				 const struct packet *p, const struct sk_buff *skb, struct sock *sk,
				 struct net_device *dev, void *location, u32 reason, u32 state,
				 enum way way)
{
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
	r->packet = *p;
	r->reason = reason;
	r->way = way;
	r->state = state;
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
	r->has_connection = known != NULL;
	r->has_ids = known && (known->own_isn | known->peer_isn);
	r->connection.wanted = 0;
	r->connection.span = SPAN_CONNECTION;
	r->connection.conn = *c;
	__builtin_memset(r->connection.parent_span_id, 0, sizeof(r->connection.parent_span_id));
	__builtin_memset(&r->connection.traffic, 0, sizeof(r->connection.traffic));
	read_ids(&r->connection, c);
	bpf_ringbuf_submit(r, wake_at_quarter(&drops));
}

static __always_inline int on_drop(void *ctx, struct sk_buff *skb, void *location, u32 reason,
				   struct sock *rx_sk, enum teller teller)
{
	struct conn *known = NULL, *c;
	struct total_key key = {};
	struct net_device *dev;
	struct scratch *s;
	struct packet *p;
	struct total *row;
	struct sock *sk;
	u32 zero = 0;
	enum way way;

	if (!is_tcp(skb))
		return 0;
	sk = rx_sk;
	if (!sk)
		sk = skb->sk;
	s = bpf_map_lookup_elem(&scratch, &zero);
	if (!s || !read_headers(&s->headers, skb))
		return 0;
	c = &s->conn;
	p = &s->packet;
	__builtin_memset(p, 0, sizeof(*p));
	if (!read_packet(p, &s->headers) || is_no_drop(reason, skb, sk, p, teller))
		return 0;
	__builtin_memset(c, 0, sizeof(*c));
	way = !skb->skb_iif && BPF_CORE_READ(skb, sk) ? WAY_TRANSMIT : WAY_RECEIVE;
	dev = device_of(skb, sk);
	if (sk) {
		known = bpf_sk_storage_get(&conns, sk, NULL, 0);
		if (known && known->excluded)
			return 0;
		key.state = sk->__sk_common.skc_state;
		if (known)
			*c = *known;
		read_netns(c, sk);
	} else if (dev) {
		c->netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
		c->netns_cookie = BPF_CORE_READ(dev, nd_net.net, net_cookie);
	}
	if (!c->ends.peer_port)
		take_ends(&c->ends, p, way);
	if (!passes(c, 0))
		return 0;
	key.cgroup_id = c->owner.cgroup_id;
	__builtin_memcpy(key.exe, c->owner.exe, sizeof(key.exe));
	key.reason = reason;
	key.way = way;
	key.family = p->family;
	row = row_of(&totals, &key, OVERFLOW_TOTALS);
	if (row)
		__sync_fetch_and_add(&row->packets, 1);
	tell(ctx, c, known, p, skb, sk, dev, location, reason, key.state, way);
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop_with_socket, struct sk_buff *skb, void *location, u32 reason,
	     struct sock *rx_sk)
{
	return on_drop(ctx, skb, location, reason, rx_sk, TELLS_SOCKET);
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop_without, struct sk_buff *skb, void *location, u32 reason)
{
	return on_drop(ctx, skb, location, reason, NULL, TELLS_NO_SOCKET);
}

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
	key.cgroup_id = c->owner.cgroup_id;
	__builtin_memcpy(key.exe, c->owner.exe, sizeof(key.exe));
	key.netns = c->netns;
	key.port = sk->__sk_common.skc_num;
	row = row_of(&listeners, &key, OVERFLOW_LISTENERS);
	if (row)
		__sync_fetch_and_add(&row->packets, drops - before);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_listener_close, struct sock *sk, int old, int new)
{
	struct conn *c;

	if (old != TCP_LISTEN || new != TCP_CLOSE || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	c = conn_of(sk);
	if (c)
		count_listener(sk, c);
	return 0;
}

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
