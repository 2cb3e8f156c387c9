/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The connection of a packet that had no socket (yet, or any more) when it was dropped. */
#include <wirespan/hooks/drop.h>
#include <wirespan/tuples.h>

/* The device's master: a bridge, a bond or a VRF. */
static __always_inline struct net_device *master_of(const struct net_device *dev)
{
	/* The master is the first of those above. */
	struct list_head *first = BPF_CORE_READ(dev, adj_list.upper.next);
	struct netdev_adjacent *above;

	if (!first || first == &((struct net_device *)dev)->adj_list.upper)
		return NULL;
	above = (void *)first - bpf_core_field_offset(struct netdev_adjacent, list);
	return BPF_CORE_READ(above, master) ? BPF_CORE_READ(above, dev) : NULL;
}

/* What the packet's connection may be bound to, the narrowest first. */
#define SCOPES 3
struct scopes {
	u32 ifindex[SCOPES];
};

static __always_inline void read_scopes(struct scopes *s, const struct sk_buff *skb,
					struct net_device *dev)
{
	struct net_device *master = dev ? master_of(dev) : NULL;

	/* The route of a packet to this host has the loopback device. */
	s->ifindex[0] = skb->skb_iif ? skb->skb_iif : dev ? BPF_CORE_READ(dev, ifindex) : 0;
	s->ifindex[1] = master ? BPF_CORE_READ(master, ifindex) : 0;
	s->ifindex[2] = 0;
}

static __always_inline bool is_in_tuples(struct dropped *d, const struct scopes *scopes,
					 enum way way)
{
	struct tuple tuple = { .netns_cookie = d->conn.netns_cookie };
	u32 netns = d->conn.netns;
	struct conn_ref *ref = NULL;
	const struct conn *c;

	take_ends(&tuple.ends, &d->packet, way);
#pragma unroll
	for (int i = 0; i < SCOPES && !ref; i++) {
		tuple.ends.ifindex = scopes->ifindex[i];
		ref = bpf_map_lookup_elem(&tuples, &tuple);
	}
	c = ref ? conn_at(ref) : NULL;
	if (!c || bpf_probe_read_kernel(&d->conn, sizeof(d->conn), c))
		return false;
	d->conn.netns = netns;
	d->way = way;
	d->is_known = true;
	return true;
}

/* A packet that was dropped before it reached a socket, or after it left its own. */
static __always_inline bool find_by_tuple(struct dropped *d, const struct sk_buff *skb)
{
	enum way other = d->way == WAY_RECEIVE ? WAY_TRANSMIT : WAY_RECEIVE;
	struct scopes scopes;

	read_scopes(&scopes, skb, d->site.dev);
	return is_in_tuples(d, &scopes, d->way) || is_in_tuples(d, &scopes, other);
}
