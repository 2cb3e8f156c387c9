// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Bytes, connections, retransmissions and drops by the peer's subnet.
// Hooks: tp_btf/inet_sock_set_state (in the tracker's chain), tp_btf/kfree_skb, iter/bpf_sk_storage_map.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/chain.h>
#include <wirespan/conn.h>
#include <wirespan/io_delta.h>
#include <wirespan/hooks/drop.h>
#include <wirespan/filter.h>
#include <wirespan/skeleton.h>
#include <wirespan/sweep.h>

/* Names of subnets, and one for everything else. */
#define NAMES 1024

struct subnet_key {
	/* Significant bits: of the family and of the prefix. */
	u32 bits;
	/* 4 or 6, so that ::/0 is not 0.0.0.0/0 as well. */
	u32 family;
	u8 address[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct subnet_key);
	/* Which of `sums`. */
	__type(value, u32);
} subnets SEC(".maps");
AGENT_INPUT(subnets, struct subnet_key, u32);

struct sum {
	u64 sent_bytes;
	u64 received_bytes;
	u64 retransmits;
	/* Connections that were established. */
	u64 outbound;
	u64 inbound;
	/* Packets dropped on this host. */
	u64 dropped_sent;
	u64 dropped_received;
};

/* By index of the name in the settings; 0: no subnet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NAMES);
	__type(key, u32);
	__type(value, struct sum);
} sums SEC(".maps");
EXPORT_TABLE(sums, u32, struct sum);

static __always_inline struct sum *sum_of(const struct conn *c)
{
	struct subnet_key key = { .bits = 160, .family = c->ends.family };
	u32 none = 0, *name;

	__builtin_memcpy(key.address, c->ends.peer, sizeof(key.address));
	name = bpf_map_lookup_elem(&subnets, &key);
	return bpf_map_lookup_elem(&sums, name ? name : &none);
}

static __always_inline void add(const struct conn *c, const struct io_delta *delta)
{
	struct sum *sum = sum_of(c);

	if (!sum)
		return;
	__sync_fetch_and_add(&sum->sent_bytes, delta->sent_bytes);
	__sync_fetch_and_add(&sum->received_bytes, delta->received_bytes);
	__sync_fetch_and_add(&sum->retransmits, delta->retransmits);
	__sync_fetch_and_add(c->direction == DIRECTION_OUTBOUND ? &sum->outbound : &sum->inbound,
			     delta->connections);
}

static __always_inline void see_close(struct sock *sk, int old, int new)
{
	struct io_delta delta;
	struct tcp_sock *tp;
	struct conn *c;

	if (new != TCP_CLOSE || old == TCP_LISTEN)
		return;
	c = conn_of(sk);
	tp = bpf_skc_to_tcp_sock(sk);
	if (!c || !tp || !passes(c, c->closed_at - c->opened_at))
		return;
	take_closed(&delta, c, tp, old);
	add(c, &delta);
}

STATE_PROGRAM(on_close, WANTS(CLOSE), see_close)

static __always_inline void on_drop(void *ctx, struct sk_buff *skb, void *location, u32 reason,
				    struct sock *rx_sk, enum drop_hook hook, bool is_nested)
{
	struct sock *sk = sender_of(skb);
	struct dropped *d = read_drop(&sk, skb, reason, rx_sk, hook, is_nested);
	struct sum *sum;

	if (!d || !passes(&d->conn, 0))
		return;
	sum = sum_of(&d->conn);
	if (sum)
		__sync_fetch_and_add(
			d->way == WAY_TRANSMIT ? &sum->dropped_sent : &sum->dropped_received, 1);
}

DROP_PROGRAMS(on_drop)

/* Adds to the sums what open connections transferred since the last time. */
static __always_inline void see_living(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct conn *c = ctx->value;
	struct sock *sk = ctx->sk;
	u64 now = bpf_ktime_get_boot_ns();
	struct io_delta delta;

	if (!sk || !c || c->excluded || waits_for_owner(c, now) || !passes(c, now - c->opened_at))
		return;
	if (take_living(&delta, sk, c))
		add(c, &delta);
}

SWEEP_PROGRAM(see_living)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
