/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * What listeners reject: the namespace's ListenDrops, by listener. The kernel has no such counter: sk_drops also counts
 * other packets discarded for the listener. But each of those is freed with a reason after it was counted, so the rest
 * of sk_drops are the ListenDrops.
 */
#include <wirespan/conn.h>
#include <wirespan/hooks/drop_kind.h>
#include <wirespan/filter.h>
#include <wirespan/aggregate.h>
#include "totals.h"

struct listener_key {
	u32 workload;
	u32 netns;
	u32 port;
	u32 padding;
	u64 netns_cookie;
};

SUMS_BY(listeners, struct listener_key, struct total, 1024, 1)

struct discards {
	/* The part of sk_drops that was added to the sums already, or is older than the agent. */
	u64 drops;
	/* Other packets discarded for it. */
	u64 others;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct discards);
} listener_marks SEC(".maps");

/* If the receiver is unknown: the same by port, since the last look at a listener. */
struct port_key {
	u64 netns_cookie;
	u64 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct port_key);
	__type(value, u64);
} others_by_port SEC(".maps");

/* The number of packets that the kernel counts it as. */
static __always_inline u32 segments_of(const struct sk_buff *skb)
{
	u16 segments = 0;

	bpf_probe_read_kernel(&segments, sizeof(segments),
			      BPF_CORE_READ(skb, head) + skb->end +
				      bpf_core_field_offset(struct skb_shared_info, gso_segs));
	return segments ? segments : 1;
}

static __always_inline u8 flags_of(const struct sk_buff *skb)
{
	u8 flags = 0;

	bpf_probe_read_kernel(&flags, 1, BPF_CORE_READ(skb, head) + skb->transport_header + 13);
	return flags;
}

/*
 * Whether a packet that is freed for a listener is in its sk_drops. If it still has its device, it comes from the first
 * half of TCP's receive path, where all but bad checksums are counted; in the second half, only what
 * tcp_rcv_state_process discards is.
 */
static __always_inline bool is_in_drops(const struct sk_buff *skb, u32 reason)
{
	if (IS_REASON(reason, SKB_DROP_REASON_TCP_CSUM))
		return false;
	if (BPF_CORE_READ(skb, dev))
		return true;
	return (IS_REASON(reason, SKB_DROP_REASON_TCP_RESET) ||
		IS_REASON(reason, SKB_DROP_REASON_TCP_FLAGS)) &&
	       !(flags_of(skb) & TCPHDR_ACK);
}

/* An ACK that ends a handshake and finds the queue full is in sk_drops twice, once as a ListenDrop. */
static __always_inline void note_other(struct sk_buff *skb, u32 reason, struct sock *rx_sk)
{
	struct discards *discards;
	struct conn *c;

	if (!rx_sk || rx_sk->__sk_common.skc_state != TCP_LISTEN || !is_in_drops(skb, reason))
		return;
	discards = bpf_sk_storage_get(&listener_marks, rx_sk, NULL, 0);
	if (!discards) {
		/* Discards before the agent started do not count. */
		c = bpf_sk_storage_get(&conns, rx_sk, NULL, 0);
		discards = bpf_sk_storage_get(&listener_marks, rx_sk, NULL,
					      BPF_SK_STORAGE_GET_F_CREATE);
		if (discards && !(c && c->opened_at)) {
			discards->drops = BPF_CORE_READ(rx_sk, sk_drops.counter);
			return;
		}
	}
	if (discards)
		__sync_fetch_and_add(&discards->others, segments_of(skb));
}

/* On kernels without the receiver: the packets without payload or FIN that TCP frees without a reason. */
static __always_inline void note_other_of_port(struct sk_buff *skb, u32 reason)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	struct port_key key = {};
	u64 one = 1, *count;
	u16 port = 0;

	if (!is_unspecified(reason) || !dev || !is_in_tcp(skb) || flags_of(skb) & TCPHDR_FIN)
		return;
	bpf_probe_read_kernel(&port, sizeof(port), BPF_CORE_READ(skb, data) + 2);
	key.netns_cookie = BPF_CORE_READ(dev, nd_net.net, net_cookie);
	key.port = bpf_ntohs(port);
	count = bpf_map_lookup_elem(&others_by_port, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&others_by_port, &key, &one, BPF_ANY);
}

static __always_inline u64 take_others_of_port(const struct conn *c, u32 port)
{
	struct port_key key = { .netns_cookie = c->netns_cookie, .port = port };
	u64 *count = bpf_map_lookup_elem(&others_by_port, &key);

	return count ? __sync_lock_test_and_set(count, 0) : 0;
}

static __always_inline void count_listener(struct sock *sk, const struct conn *c)
{
	u32 drops = sk->sk_drops.counter;
	struct listener_key key = {};
	struct discards *discards;
	struct total *row;
	u64 before, now, others;

	discards = bpf_sk_storage_get(&listener_marks, sk, NULL, 0);
	if (!discards) {
		discards =
			bpf_sk_storage_get(&listener_marks, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (discards && !c->opened_at)
			discards->drops = drops;
	}
	if (!discards)
		return;
	before = discards->drops;
	/* skc_num is cleared if listen() chose the port and the socket closes. */
	key.port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	if (drops > before + discards->others) {
		others = take_others_of_port(c, key.port);
		if (others > drops - before - discards->others)
			others = drops - before - discards->others;
		if (others)
			__sync_fetch_and_add(&discards->others, others);
	}
	/* Read after sk_drops, so that a packet that is just being discarded is not counted as a ListenDrop. */
	others = *(const volatile u64 *)&discards->others;
	now = drops > others ? drops - others : 0;
	/* Only one of sweep and close can move the mark and add the difference. */
	if (now <= before || __sync_val_compare_and_swap(&discards->drops, before, now) != before)
		return;
	if (!passes(c, 0))
		return;
	key.workload = workload_of(&c->owner);
	key.netns_cookie = c->netns_cookie;
	key.netns = c->netns;
	row = listeners_row(&key, 0);
	if (row)
		__sync_fetch_and_add(&row->packets, now - before);
}
