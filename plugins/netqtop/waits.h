/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* How long frames wait in the queueing disciplines of a transmit queue: from enqueue to dequeue. */
#include <wirespan/histogram.h>
#include "wanted.h"
#include <wirespan/skeleton.h>

struct wait {
	/* Boot clock. */
	u64 since;
	struct histogram time;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, struct queue_id);
	__type(value, struct wait);
} waits SEC(".maps");
EXPORT_TABLE(waits, struct queue_id, struct wait);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, u32);
	__type(value, struct wait);
} blank SEC(".maps");

/*
 * When a frame was enqueued, by its address. A frame that is dropped or segmented later is never dequeued under that
 * address, so the table evicts the least recently used.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
} waiting SEC(".maps");

/* The tracepoint runs after the enqueue, when another CPU may already have dequeued the frame. */
#define LEFT    (1ull << 63)
#define AT_ONCE 1000000

/* Maximum number of frames that are passed to a driver at once. */
#define BATCH 64

static __always_inline void add_wait(struct net_device *dev, u32 queue, u64 ns)
{
	struct wait *w, *new;
	struct queue_id p;
	u32 zero = 0;

	if (!queue_id_of(&p, dev, queue))
		return;
	w = bpf_map_lookup_elem(&waits, &p);
	if (!w) {
		new = bpf_map_lookup_elem(&blank, &zero);
		if (!new)
			return;
		bpf_map_update_elem(&waits, &p, new, BPF_NOEXIST);
		w = bpf_map_lookup_elem(&waits, &p);
		if (!w) {
			COUNT(refused_details);
			return;
		}
		w->since = bpf_ktime_get_boot_ns();
	}
	histogram_add_shared(&w->time, ns);
}

SEC("tp_btf/qdisc_enqueue")
int BPF_PROG(on_enqueue, struct Qdisc *qdisc, struct netdev_queue *txq, struct sk_buff *skb)
{
	u64 key = (u64)skb, now = bpf_ktime_get_ns(), *left;

	left = bpf_map_lookup_elem(&waiting, &key);
	if (left && *left & LEFT && now - (*left & ~LEFT) < AT_ONCE) {
		bpf_map_delete_elem(&waiting, &key);
		add_wait(txq->dev, skb->queue_mapping, 0);
		return 0;
	}
	bpf_map_update_elem(&waiting, &key, &now, BPF_ANY);
	return 0;
}

SEC("tp_btf/qdisc_dequeue")
int BPF_PROG(on_dequeue, struct Qdisc *qdisc, struct netdev_queue *txq, int packets,
	     struct sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns(), left = now | LEFT;

	for (int i = 0; i < BATCH && i < packets && skb; i++) {
		u64 key = (u64)skb, *came = bpf_map_lookup_elem(&waiting, &key);

		if (came && !(*came & LEFT)) {
			u64 ns = now - *came;

			bpf_map_delete_elem(&waiting, &key);
			add_wait(txq->dev, skb->queue_mapping, ns);
		} else {
			bpf_map_update_elem(&waiting, &key, &left, BPF_ANY);
		}
		skb = skb->next;
	}
	return 0;
}
