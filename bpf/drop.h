/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* A TCP packet that the kernel throws away: whether it is lost, which way it went, and whose it was. */
#include "again.h"
#include "conn.h"
#include "packet.h"

/* From this host's view; what is forwarded was received. */
enum way { WAY_RECEIVE, WAY_TRANSMIT };

/* Too large for the stack; one for each of two programs. */
struct dropped {
	/* As far as it is known: its endpoints at least, as a rule. */
	struct conn conn;
	struct packet packet;
	struct headers headers;
	enum way way;
	/* Of the socket that is concerned; 0: of none. */
	u32 state;
	/* `conn` is that of a connection, or of its listener. */
	bool is_known;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct dropped);
} dropped SEC(".maps");

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

/*
 * Over a veth a packet keeps its sender's socket until IP takes it in. Where it is dropped before, it has been
 * received already, and the other end is concerned.
 */
static __always_inline bool is_senders(const struct sock *sk, const struct sk_buff *skb,
				       const struct packet *p)
{
	u16 port = sk->__sk_common.skc_num;

	return skb->skb_iif && port == p->source_port && port != p->destination_port;
}

/* NULL where it is no TCP packet, or not lost, or the agent's own. */
static __always_inline struct dropped *read_drop(const struct sk_buff *skb, u32 reason,
						 struct sock *rx_sk, enum teller teller,
						 bool interrupts)
{
	struct sock *sk = rx_sk ? rx_sk : skb->sk;
	struct net_device *dev;
	struct dropped *d;
	struct conn *known;
	u32 which = interrupts;

	d = bpf_map_lookup_elem(&dropped, &which);
	if (!d || !read_headers(&d->headers, skb))
		return NULL;
	__builtin_memset(&d->packet, 0, sizeof(d->packet));
	if (!read_packet(&d->packet, &d->headers))
		return NULL;
	if (sk && !rx_sk && is_senders(sk, skb, &d->packet))
		sk = NULL;
	if (is_no_drop(reason, skb, sk, &d->packet, teller))
		return NULL;
	__builtin_memset(&d->conn, 0, sizeof(d->conn));
	d->way = !skb->skb_iif && BPF_CORE_READ(skb, sk) ? WAY_TRANSMIT : WAY_RECEIVE;
	d->state = 0;
	d->is_known = false;
	if (sk) {
		known = bpf_sk_storage_get(&conns, sk, NULL, 0);
		if (known && known->excluded)
			return NULL;
		d->state = sk->__sk_common.skc_state;
		if (known) {
			d->conn = *known;
			d->is_known = true;
		}
		read_netns(&d->conn, sk);
	} else {
		dev = device_of(skb, NULL);
		if (dev) {
			d->conn.netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
			d->conn.netns_cookie = BPF_CORE_READ(dev, nd_net.net, net_cookie);
		}
	}
	if (!d->conn.ends.peer_port)
		take_ends(&d->conn.ends, &d->packet, d->way);
	return d;
}

/* A plugin's programs; `see` takes what read_drop does and more. core/drops.ts has their probes. */
#define DROP_PROGRAMS(see)                                                                \
	TWO_PROGRAMS("tp_btf/kfree_skb", on_drop_with_socket, is_tcp(skb) ? skb : NULL,   \
		     see(ctx, skb, location, reason, rx_sk, TELLS_SOCKET, interrupts),    \
		     struct sk_buff *skb, void *location, u32 reason, struct sock *rx_sk) \
	TWO_PROGRAMS("tp_btf/kfree_skb", on_drop_without, is_tcp(skb) ? skb : NULL,       \
		     see(ctx, skb, location, reason, NULL, TELLS_NO_SOCKET, interrupts),  \
		     struct sk_buff *skb, void *location, u32 reason)
