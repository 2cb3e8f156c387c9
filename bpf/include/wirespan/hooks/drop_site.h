/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Where a packet was when it was dropped: its direction, its device and its socket. */
#include <wirespan/conn.h>
#include <wirespan/packet.h>

/* From this host's view; what is forwarded was received. */
enum way { WAY_RECEIVE, WAY_TRANSMIT };

#define HAS_REASON(name) bpf_core_enum_value_exists(enum skb_drop_reason, name)
/* False on a kernel that does not have the reason. */
#define IS_REASON(reason, name) \
	(HAS_REASON(name) && (reason) == bpf_core_enum_value(enum skb_drop_reason, name))

struct drop_site {
	enum way way;
	/* The device that the packet was at or was to leave by; NULL: unknown. */
	struct net_device *dev;
	/* The namespace; NULL: unknown. */
	struct net *net;
	/* The TCP socket, request or TIME_WAIT that is concerned: the receiver's or the sender's; NULL: none. */
	struct sock *sk;
};

/* Only these have what a struct sock has beyond its first part. */
static __always_inline bool is_full(const struct sock *sk)
{
	u8 state = sk->__sk_common.skc_state;

	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

/*
 * A TCP socket, and not a raw socket (which has TCP's protocol too, as has the one that TCP answers by if there is no
 * connection), a packet socket or a tap.
 */
static __always_inline bool is_of_tcp(const struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family;

	if (family != AF_INET && family != AF_INET6)
		return false;
	return !is_full(sk) || (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP &&
				BPF_CORE_READ(sk, sk_type) == SOCK_STREAM);
}

static __always_inline struct net *net_of_device(const struct net_device *dev)
{
	return BPF_CORE_READ(dev, nd_net.net);
}

static __always_inline struct net *net_of_socket(const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net);
}

/*
 * In the queues of TCP and of reassembly the device's field holds something else. A device's namespace has a loopback
 * device that belongs to it, which nothing else has.
 */
static __always_inline struct net_device *device_of(const struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	struct net *net;

	if (!dev)
		return NULL;
	net = net_of_device(dev);
	if (!net || BPF_CORE_READ(net, loopback_dev, nd_net.net) != net)
		return NULL;
	return dev;
}

/* Its route's: NULL while it has none. */
static __always_inline struct net_device *route_device_of(const struct sk_buff *skb)
{
	/* The lowest bit says whether it is counted. */
	const struct dst_entry *dst = (const void *)(BPF_CORE_READ(skb, _skb_refdst) & ~1ul);

	return dst ? BPF_CORE_READ(dst, dev) : NULL;
}

static __always_inline bool is_tun(const struct net_device *dev)
{
	char kind[4] = {};

	if (!dev || bpf_probe_read_kernel_str(kind, sizeof(kind),
					      BPF_CORE_READ(dev, rtnl_link_ops, kind)) != 4)
		return false;
	return kind[0] == 't' && kind[1] == 'u' && kind[2] == 'n';
}

/* Whether TCP has taken its own header off, or the packet was merged into another. */
static __always_inline bool is_pulled(const struct sk_buff *skb)
{
	u64 at = BPF_CORE_READ(skb, data) - BPF_CORE_READ(skb, head);

	return skb->transport_header != 0xffff && at >= skb->transport_header + 20u;
}

/*
 * What has been received by a device has its index. Before that comes the queue to the receiving CPU, where a packet
 * from a veth still has its sender's socket, and what a tap's owner writes has the tap's.
 */
static __always_inline enum way way_of(const struct sk_buff *skb, const struct sock *rx_sk,
				       const struct sock *sk, u32 reason,
				       const struct net_device *dev)
{
	if (rx_sk || skb->skb_iif || IS_REASON(reason, SKB_DROP_REASON_CPU_BACKLOG) ||
	    IS_REASON(reason, SKB_DROP_REASON_XDP))
		return WAY_RECEIVE;
	if (sk)
		return sk->__sk_common.skc_family == AF_UNSPEC ? WAY_RECEIVE : WAY_TRANSMIT;
	/* An answer that TCP sent for no socket, or a packet that has left its own: shown by a route, or by the queue. */
	return route_device_of(skb) || IS_REASON(reason, SKB_DROP_REASON_QDISC_DROP) ||
			       IS_REASON(reason, SKB_DROP_REASON_FULL_RING) || is_tun(dev)
		       ? WAY_TRANSMIT
		       : WAY_RECEIVE;
}

/*
 * A packet keeps its sender's socket over a veth until IP takes it in, and may have its receiver's from then on:
 * that one's namespace is the device's, and there is a route by then, or TCP has the packet.
 */
static __always_inline bool is_receivers(const struct sock *sk, const struct sk_buff *skb,
					 const struct net_device *dev)
{
	if (dev && net_of_device(dev) != net_of_socket(sk))
		return false;
	return route_device_of(skb) || is_pulled(skb);
}

static __always_inline void read_drop_site(struct drop_site *at, struct sk_buff *skb,
					   struct sock *rx_sk, u32 reason)
{
	struct sock *sk = skb->sk;

	at->dev = device_of(skb);
	at->way = way_of(skb, rx_sk, sk, reason, at->dev);
	at->sk = rx_sk ? rx_sk : sk;
	if (at->sk && !is_of_tcp(at->sk))
		at->sk = NULL;
	else if (!rx_sk && sk && at->way == WAY_RECEIVE && !is_receivers(sk, skb, at->dev))
		at->sk = NULL;
	if (!at->dev && (at->way == WAY_TRANSMIT || !at->sk))
		at->dev = route_device_of(skb);
	/* TCP has taken the device away, or IP has not yet given one. */
	if (at->sk && (!at->dev || at->way == WAY_RECEIVE))
		at->net = net_of_socket(at->sk);
	else
		at->net = at->dev ? net_of_device(at->dev) : NULL;
}
