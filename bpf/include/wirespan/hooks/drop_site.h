/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Where a packet was when it was dropped: its direction, its device and its socket. */
#include <wirespan/conn.h>
#include <wirespan/packet.h>

/* From this host's view; a forwarded packet counts as received. */
enum way { WAY_RECEIVE, WAY_TRANSMIT };

#define HAS_REASON(name) bpf_core_enum_value_exists(enum skb_drop_reason, name)
/* False if the kernel does not have the reason. */
#define IS_REASON(reason, name) \
	(HAS_REASON(name) && (reason) == bpf_core_enum_value(enum skb_drop_reason, name))

struct drop_site {
	enum way way;
	/* The device that received the packet or would have sent it; NULL: unknown. */
	struct net_device *dev;
	/* The namespace; NULL: unknown. */
	struct net *net;
};

/* Only full sockets have more than struct sock_common. */
static __always_inline bool is_full(const struct sock *sk)
{
	u8 state = sk->__sk_common.skc_state;

	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

/*
 * Whether it is a TCP socket. Raw sockets can have TCP's protocol number too, as has the socket by which TCP answers
 * packets without a connection.
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
 * In the queues of TCP and of reassembly, skb->dev holds something else. A real device is recognised by its namespace,
 * whose loopback device refers back to the namespace.
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

/* The device of its route; NULL: no route yet. */
static __always_inline struct net_device *route_device_of(const struct sk_buff *skb)
{
	/* The lowest bit is a flag: whether a reference is held. */
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

/* Whether TCP has removed its header, or the packet was merged into another. */
static __always_inline bool is_pulled(const struct sk_buff *skb)
{
	u64 at = BPF_CORE_READ(skb, data) - BPF_CORE_READ(skb, head);
	u16 header = BPF_CORE_READ(skb, transport_header);

	return header != 0xffff && at >= header + 20u;
}

/*
 * Once received by a device, a packet has the device's index in skb_iif. Before that, in the queue to the receiving CPU,
 * a packet from a veth still has its sender's socket, and a packet written to a tap has the tap's.
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
	/* A reply that TCP sent without a socket, or a packet that has left its socket: it has a route, or is in a qdisc. */
	return route_device_of(skb) || IS_REASON(reason, SKB_DROP_REASON_QDISC_DROP) ||
			       IS_REASON(reason, SKB_DROP_REASON_FULL_RING) || is_tun(dev)
		       ? WAY_TRANSMIT
		       : WAY_RECEIVE;
}

/*
 * Over a veth, a packet keeps its sender's socket until IP receives it, and may have the receiver's afterwards: that
 * socket is in the device's namespace, and the packet has a route or is already in TCP.
 */
static __always_inline bool is_receivers(const struct sock *sk, const struct sk_buff *skb,
					 const struct net_device *dev)
{
	if (dev && net_of_device(dev) != net_of_socket(sk))
		return false;
	return route_device_of(skb) || is_pulled(skb);
}

/*
 * Returns the receiver's or sender's TCP socket, request or TIME_WAIT socket; NULL: none. `at` is in a map, whose
 * contents the verifier does not track: on the stack, it would check what follows for each combination of them.
 */
static __always_inline struct sock *read_drop_site(struct drop_site *at, struct sk_buff *skb,
						   struct sock *sk, struct sock *rx_sk, u32 reason)
{
	struct sock *whose = rx_sk ? rx_sk : sk;

	at->dev = device_of(skb);
	at->way = way_of(skb, rx_sk, sk, reason, at->dev);
	barrier();
	if (whose && !is_of_tcp(whose))
		whose = NULL;
	else if (!rx_sk && sk && at->way == WAY_RECEIVE && !is_receivers(sk, skb, at->dev))
		whose = NULL;
	if (!at->dev && (at->way == WAY_TRANSMIT || !whose))
		at->dev = route_device_of(skb);
	/* TCP has cleared the device, or IP has not set it yet. */
	if (whose && (!at->dev || at->way == WAY_RECEIVE))
		at->net = net_of_socket(whose);
	else
		at->net = at->dev ? net_of_device(at->dev) : NULL;
	barrier();
	return whose;
}
