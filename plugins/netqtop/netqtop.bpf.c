// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Traffic of each queue of each interface. This runs for each packet: every step counts.
// Hooks: tp_btf/net_dev_start_xmit, tp_btf/netif_receive_skb; for details tp_btf/net_dev_xmit, tp_btf/napi_poll,
// tp_btf/qdisc_enqueue, tp_btf/qdisc_dequeue.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/ring.h>
#include <wirespan/size_histogram.h>
#include "wanted.h"
#include <wirespan/skeleton.h>

struct counters {
	u64 evicted_rows;
	u64 refused_rows;
	/* Not counted because the optional tables were full. */
	u64 refused_details;
};
EXPORT_COUNTERS(struct counters);

#include "links.h"
#include "waits.h"

enum way { WAY_TRANSMIT, WAY_RECEIVE };

/* bcc's ranges of frame sizes, and one for larger frames. */
#define CLASSES 6

/* One queue on one CPU; first what every packet updates. A frame can be many packets on the wire (GSO, GRO). */
struct queue {
	/* Interface, queue and direction in one word; 0: unused. */
	u64 tag;
	u64 netns_cookie;
	u64 frames;
	/* Packets on the wire beyond one per frame. */
	u64 more_packets;
	u64 bytes;
	/* Its interface or namespace is not selected. */
	u64 ignored;
	u64 classes[CLASSES];
	/* At or below the histogram's lowest edge. */
	u64 zeros;
	u64 sizes[SIZES_BUCKETS];
	char name[16];
	u32 ifindex;
	u32 netns;
	u32 queue;
	enum way way;
	/* rtnetlink's kind of device; empty: hardware. */
	char kind[8];
	/* It may pass received frames to another interface, which the tracepoint does not show. */
	u32 hands_on;
	u32 padding;
};

/*
 * A hash table per CPU with linear probing: one lookup per packet, no lock, and no indexes to allocate and free when
 * interfaces come and go. A queue that is evicted to make room is sent to the agent, which adds its counts.
 */
#define SLOTS 256
#define WAYS  4
/* A mask: every 16th frame. */
#define LOOK_EVERY 15
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	/* The last slot counts frames of queues that did not fit; it has no queue of its own in the metrics. */
	__uint(max_entries, SLOTS + 1);
	__type(key, u32);
	__type(value, struct queue);
} queues SEC(".maps");
EXPORT_TABLE(queues, u32, struct queue);

EXPORT_RING(evicted, struct queue, 256 * 1024);

static __always_inline void take_name(struct queue *q, struct net_device *dev)
{
	const u64 *from = (const u64 *)dev->name;
	u64 *words = (u64 *)q->name;

	words[0] = from[0];
	words[1] = from[1];
	q->ignored = !is_asked_for(words) || !passes_netns(q->netns);
}

/* False if the ring is full; the queue is then kept. */
static __noinline bool evict(struct queue *q)
{
	COUNT(evicted_rows);
	if (bpf_ringbuf_output(&evicted, q, sizeof(*q), wakeup(&evicted))) {
		COUNT(refused_rows);
		return false;
	}
	/* Volatile, so that clang does not emit a call of memset. */
	for (u32 i = 0; i < sizeof(*q) / sizeof(u64); i++)
		((volatile u64 *)q)[i] = 0;
	return true;
}

/* Checked from time to time, because interfaces can be stacked later. A bridge receives frames a second time. */
static __always_inline bool hands_on(struct net_device *dev)
{
	u64 flags = BPF_CORE_READ_BITFIELD_PROBED(dev, priv_flags);
	u64 seen = bpf_core_enum_value(enum netdev_priv_flags, IFF_BRIDGE_PORT) |
		   bpf_core_enum_value(enum netdev_priv_flags, IFF_OVS_DATAPATH);

	if (bpf_core_field_exists(dev->vlan_info) && BPF_CORE_READ(dev, vlan_info))
		return true;
	return flags & bpf_core_enum_value(enum netdev_priv_flags, IFF_L3MDEV_SLAVE) ||
	       (BPF_CORE_READ(dev, rx_handler) && !(flags & seen));
}

static __always_inline u64 tag_of(const struct net_device *dev, u32 queue, enum way way)
{
	return (u32)dev->ifindex | (u64)(queue & 0xffff) << 32 | (u64)way << 48;
}

/* Initialises a slot for a queue that is seen for the first time on this CPU. */
static __noinline bool settle(struct queue *q, struct net_device *dev, u32 queue, enum way way)
{
	if (q->tag && !evict(q))
		return false;
	q->tag = tag_of(dev, queue, way);
	/* Pointers are read by helper, as in read_exe. */
	q->netns_cookie = BPF_CORE_READ(dev, nd_net.net, net_cookie);
	q->netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	q->ifindex = dev->ifindex;
	q->queue = queue;
	q->way = way;
	q->hands_on = hands_on(dev);
	bpf_probe_read_kernel_str(q->kind, sizeof(q->kind),
				  BPF_CORE_READ(dev, rtnl_link_ops, kind));
	take_name(q, dev);
	return true;
}

/* Finds a changed name; the queue is counted under the new one from then on. */
static __noinline void look_again(struct queue *q, struct net_device *dev, u32 queue, enum way way)
{
	const u64 *name = (const u64 *)dev->name, *known = (const u64 *)q->name;

	if (known[0] != name[0] || known[1] != name[1])
		settle(q, dev, queue, way);
	else if (way == WAY_RECEIVE)
		q->hands_on = hands_on(dev);
}

/* The verifier accepts a difference of pointers as a number; the barrier keeps clang from undoing that. */
static __always_inline u64 distance(const void *from, const void *to)
{
	u64 bytes = (u64)to - (u64)from;

	asm volatile("" : "+r"(bytes));
	return bytes;
}

static __always_inline struct queue *queue_of(struct net_device *dev, u32 queue, enum way way)
{
	/* Not the namespace's address: a later namespace may get the same one. */
	u64 cookie = dev->nd_net.net->net_cookie;
	u64 tag = tag_of(dev, queue, way), key = tag ^ tag >> 29 ^ cookie << 8;
	u32 first = (u32)key * 0x9e3779b1u >> 24, slot, free = SLOTS;
	struct queue *q;

#pragma unroll
	for (u32 i = 0; i < WAYS; i++) {
		slot = (first + i) & (SLOTS - 1);
		q = bpf_map_lookup_elem(&queues, &slot);
		if (!q)
			return NULL;
		if (q->tag == tag && q->netns_cookie == cookie)
			return q;
		if (!q->tag && free == SLOTS)
			free = slot;
	}
	if (free == SLOTS)
		free = (first + (bpf_get_prandom_u32() & (WAYS - 1))) & (SLOTS - 1);
	q = bpf_map_lookup_elem(&queues, &free);
	if (q && settle(q, dev, queue, way))
		return q;
	slot = SLOTS;
	return bpf_map_lookup_elem(&queues, &slot);
}

/* Packets on the wire beyond the first. Only a frame with paged data can be more than one. */
static __always_inline u32 more_packets(const struct sk_buff *skb)
{
	u16 segments = 0;

	bpf_probe_read_kernel(&segments, sizeof(segments),
			      skb->head + skb->end +
				      bpf_core_field_offset(struct skb_shared_info, gso_segs));
	return segments ? segments - 1 : 0;
}

static __always_inline void add(struct queue *q, const struct sk_buff *skb, u32 size)
{
	u32 class;

	if (size < 512)
		class = size >= 64;
	else if (size < 16384)
		class = size < 2048 ? 2 : 3;
	else
		class = size < 65536 ? 4 : 5;
	q->bytes += size;
	q->classes[class]++;
	if (skb->data_len)
		q->more_packets += more_packets(skb);
	if (size <= 1u << SIZES_LOWEST)
		q->zeros++;
	else
		q->sizes[MASKED(size_bucket(size), SIZES_BUCKETS - 1)]++;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(on_transmit, struct sk_buff *skb, struct net_device *dev)
{
	struct queue *q;
	u32 queue;

	if (!loopback && dev->flags & IFF_LOOPBACK)
		return 0;
	queue = skb->queue_mapping;
	q = queue_of(dev, queue, WAY_TRANSMIT);
	if (!q)
		return 0;
	if (!(q->frames & LOOK_EVERY) && q->tag)
		look_again(q, dev, queue, WAY_TRANSMIT);
	q->frames++;
	if (!q->ignored)
		add(q, skb, skb->len);
	return 0;
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(on_receive, struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	u32 size = skb->len, queue;
	struct queue *q;

	if (!dev || (!loopback && dev->flags & IFF_LOOPBACK))
		return 0;
	/* Redirected to an ifb and back: counted when it was first received. */
	if (bpf_core_field_exists(skb->tc_skip_classify) &&
	    BPF_CORE_READ_BITFIELD(skb, tc_skip_classify))
		return 0;
	/* Drivers number from 1; 0: not recorded. */
	queue = skb->queue_mapping ? skb->queue_mapping - 1 : 0;
	q = queue_of(dev, queue, WAY_RECEIVE);
	if (!q)
		return 0;
	if (!(q->frames & LOOK_EVERY) && q->tag)
		look_again(q, dev, queue, WAY_RECEIVE);
	q->frames++;
	if (q->ignored)
		return 0;
	/* The link layer's header was already pulled. */
	if (skb->mac_header != (u16)~0)
		size += (u32)distance(skb->head, skb->data) - skb->mac_header;
	add(q, skb, size);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
