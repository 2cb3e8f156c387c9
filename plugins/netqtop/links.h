/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Frames that drivers refuse, and how busy their polls are; by interface, because the queue is unknown. */
#include "wanted.h"
#include <wirespan/skeleton.h>

struct link {
	/* Boot clock. */
	u64 since;
	/* The driver's queue is full; the frame goes back to the queueing discipline. */
	u64 busy;
	u64 dropped;
	/* Accepted, but the next device is congested. */
	u64 congested;
	u64 errors;
	u64 polls;
	u64 packets;
	/* Polls that used their whole budget: more packets were waiting. */
	u64 exhausted;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct queue_id);
	__type(value, struct link);
} links SEC(".maps");
EXPORT_TABLE(links, struct queue_id, struct link);

static __always_inline struct link *link_of(struct net_device *dev)
{
	struct link fresh = {}, *l;
	struct queue_id p;

	if (!queue_id_of(&p, dev, 0))
		return NULL;
	l = bpf_map_lookup_elem(&links, &p);
	if (l)
		return l;
	fresh.since = bpf_ktime_get_boot_ns();
	bpf_map_update_elem(&links, &p, &fresh, BPF_NOEXIST);
	l = bpf_map_lookup_elem(&links, &p);
	if (!l)
		COUNT(refused_details);
	return l;
}

/* The frame itself may be freed by now. */
SEC("tp_btf/net_dev_xmit")
int BPF_PROG(on_handed_over, struct sk_buff *skb, int result, struct net_device *dev)
{
	struct link *l;

	if (result == NETDEV_TX_OK)
		return 0;
	l = link_of(dev);
	if (!l)
		return 0;
	if (result == NETDEV_TX_BUSY)
		__sync_fetch_and_add(&l->busy, 1);
	else if (result == NET_XMIT_DROP)
		__sync_fetch_and_add(&l->dropped, 1);
	else if (result == NET_XMIT_CN)
		__sync_fetch_and_add(&l->congested, 1);
	else
		__sync_fetch_and_add(&l->errors, 1);
	return 0;
}

SEC("tp_btf/napi_poll")
int BPF_PROG(on_poll, struct napi_struct *napi, int work, int budget)
{
	struct net_device *dev = napi->dev;
	struct link *l;

	/* The per-CPU backlog, for drivers without NAPI, belongs to no interface. */
	if (!dev)
		return 0;
	l = link_of(dev);
	if (!l)
		return 0;
	__sync_fetch_and_add(&l->polls, 1);
	__sync_fetch_and_add(&l->packets, work);
	if (work >= budget)
		__sync_fetch_and_add(&l->exhausted, 1);
	return 0;
}
