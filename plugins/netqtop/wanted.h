/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Which interfaces are selected, and their names. */
#include <wirespan/kernel.h>
#include <wirespan/netns_filter.h>

/* Whether loopback interfaces are included. */
const volatile bool loopback = false;
/* Names of the selected interfaces; none: all. */
#define NAMES 8
const volatile u32 names = 0;
const volatile u8 name[NAMES][16] = {};

/* `words`: a name as struct net_device holds it. */
static __always_inline bool is_asked_for(const u64 *words)
{
	for (u32 i = 0; i < NAMES && i < names; i++) {
		const volatile u64 *asked = (const volatile u64 *)name[i];

		if (asked[0] == words[0] && asked[1] == words[1])
			return true;
	}
	return !names;
}

/* A queue of an interface under one name. */
struct queue_id {
	u64 netns_cookie;
	char name[16];
	u32 ifindex;
	u32 netns;
	u32 queue;
	u32 padding;
};

/* False if it is not selected, or has no namespace (devices internal to drivers). */
static __always_inline bool queue_id_of(struct queue_id *p, struct net_device *dev, u32 queue)
{
	const u64 *from = (const u64 *)dev->name;
	u64 *words = (u64 *)p->name;
	struct net *net = dev->nd_net.net;

	if (!net || (!loopback && dev->flags & IFF_LOOPBACK))
		return false;
	words[0] = from[0];
	words[1] = from[1];
	p->netns_cookie = net->net_cookie;
	p->ifindex = dev->ifindex;
	p->netns = net->ns.inum;
	p->queue = queue;
	p->padding = 0;
	return is_asked_for(words) && passes_netns(p->netns);
}
