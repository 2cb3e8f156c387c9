/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * DNS responses over UDP as they arrive, and the processes that receive them. At the device the packet has no socket
 * yet; at the end of a receive the socket and its process are known, but the packet is gone. They are joined by
 * namespace and port.
 */
#include <wirespan/conn.h>
#include <wirespan/packet_view.h>
#include <wirespan/skeleton.h>
#include <bpf/bpf_tracing.h>

#define DNS_PORT 53
/* The usual maximum of resolvers; the rest of a longer answer is not parsed. */
#define DNS_BYTES  1232
#define DNS_HEADER 12

struct dns {
	/* Links an answer and its receiver, which are reported separately, in this order. */
	u64 serial;
	u64 happened_at;
	/* The receiver's pid; 0: this record is the answer. */
	u32 pid;
	/* Length of the message. */
	u32 size;
	u64 started_at;
	u64 netns_cookie;
	u8 message[DNS_BYTES];
};
EXPORT_RING(dns, struct dns, 4096);

/* Answers that were not received yet. Slot 0 shows whether there are any. */
#define DNS_SLOTS 8
struct waiting_key {
	u64 netns_cookie;
	u32 port;
	u32 slot;
};

struct waiting {
	u64 serial;
	u64 at;
	u8 local[16];
	u8 peer[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct waiting_key);
	__type(value, struct waiting);
} waiting SEC(".maps");

/* Answers that are not received within this time are for another host, or never read. */
#define DNS_PATIENCE (5 * 1000000000ull)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} serials SEC(".maps");

struct udp_header {
	u16 source;
	u16 destination;
	u16 length;
	u16 checksum;
};

/* The offset of the UDP header; 0: none. Fragments and IPv6 extension headers are not supported. */
static __always_inline u32 read_ip(struct waiting *w, const struct bpf_dynptr *packet, u16 protocol)
{
	u8 ip[40];

	if (protocol == ETH_P_IP) {
		if (bpf_dynptr_read(ip, 20, packet, 0, 0) || ip[9] != IPPROTO_UDP ||
		    (ip[6] & 0x3f) | ip[7])
			return 0;
		__builtin_memcpy(w->peer, ip + 12, 4);
		__builtin_memcpy(w->local, ip + 16, 4);
		return (ip[0] & 15) * 4;
	}
	if (bpf_dynptr_read(ip, 40, packet, 0, 0) || ip[6] != IPPROTO_UDP)
		return 0;
	__builtin_memcpy(w->peer, ip + 8, 16);
	__builtin_memcpy(w->local, ip + 24, 16);
	return 40;
}

static __always_inline bool is_waiting(const struct waiting *w, u64 now)
{
	return w && now - w->at < DNS_PATIENCE;
}

/* The flag is set last, so that the answer is complete when the flag is seen. */
static __always_inline void let_wait(struct waiting_key *key, const struct waiting *w)
{
#pragma unroll
	for (u32 slot = 1; slot < DNS_SLOTS; slot++) {
		key->slot = slot;
		if (is_waiting(bpf_map_lookup_elem(&waiting, key), w->at))
			continue;
		bpf_map_update_elem(&waiting, key, w, BPF_ANY);
		key->slot = 0;
		bpf_map_update_elem(&waiting, key, w, BPF_ANY);
		return;
	}
	COUNT(lost_answers);
}

static __always_inline bool submit_answer(const struct waiting *w, const struct bpf_dynptr *packet,
					  u32 offset, u32 size)
{
	struct dns *r;

	if (size < DNS_HEADER)
		return false;
	if (size > DNS_BYTES)
		size = DNS_BYTES;
	COUNT(seen_answers);
	r = RESERVE_OR_COUNT(dns, lost_answers);
	if (!r)
		return false;
	if (bpf_dynptr_read(r->message, size, packet, offset, 0)) {
		bpf_ringbuf_discard(r, 0);
		return false;
	}
	r->serial = w->serial;
	r->happened_at = w->at;
	r->pid = 0;
	r->size = size;
	r->started_at = 0;
	r->netns_cookie = 0;
	SUBMIT(dns, r);
	return true;
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(on_packet, struct sk_buff *skb)
{
	u16 protocol = bpf_ntohs(skb->protocol);
	struct waiting_key key = {};
	struct bpf_dynptr packet;
	struct udp_header udp;
	struct waiting w = {};
	u32 offset, zero = 0;
	u64 *serial;

	if (protocol != ETH_P_IP && protocol != ETH_P_IPV6)
		return 0;
	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	offset = read_ip(&w, &packet, protocol);
	if (!offset || bpf_dynptr_read(&udp, sizeof(udp), &packet, offset, 0) ||
	    udp.source != bpf_htons(DNS_PORT))
		return 0;
	serial = bpf_map_lookup_elem(&serials, &zero);
	if (!serial)
		return 0;
	w.serial = __sync_fetch_and_add(serial, 1);
	w.at = bpf_ktime_get_boot_ns();
	key.netns_cookie = BPF_CORE_READ(skb, dev, nd_net.net, net_cookie);
	key.port = bpf_ntohs(udp.destination);
	if (submit_answer(&w, &packet, offset + sizeof(udp), bpf_ntohs(udp.length) - sizeof(udp)))
		let_wait(&key, &w);
	return 0;
}

/* The answer may be for another receiver on this port: a forwarded one, or a closed socket. */
static __always_inline bool is_for(const struct waiting *w, const struct endpoints *e)
{
	const u64 *local = (const u64 *)e->local, *peer = (const u64 *)e->peer;
	const u64 *to = (const u64 *)w->local, *from = (const u64 *)w->peer;

	/* Only known for a connected socket. */
	return !e->peer_port ||
	       (local[0] == to[0] && local[1] == to[1] && peer[0] == from[0] && peer[1] == from[1]);
}

static __always_inline void submit_taker(const struct waiting *w, u64 netns_cookie, u64 now)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct dns *r = RESERVE_OR_COUNT(dns, lost_answers);

	if (!r)
		return;
	r->serial = w->serial;
	r->happened_at = now;
	r->pid = bpf_get_current_pid_tgid() >> 32;
	r->size = 0;
	r->started_at = BPF_CORE_READ(current, group_leader, start_boottime);
	r->netns_cookie = netns_cookie;
	SUBMIT(dns, r);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_datagram, struct sock *sk, int length)
{
	struct waiting_key key = {};
	struct endpoints ends = {};
	struct waiting *w;
	u64 now;

	if (sk->sk_protocol != IPPROTO_UDP || length <= 0)
		return 0;
	key.netns_cookie = BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie);
	key.port = sk->__sk_common.skc_num;
	if (!bpf_map_lookup_elem(&waiting, &key))
		return 0;
	bpf_map_delete_elem(&waiting, &key);
	read_common_ends(&ends, &sk->__sk_common, key.port);
	now = bpf_ktime_get_boot_ns();
#pragma unroll
	for (u32 slot = 1; slot < DNS_SLOTS; slot++) {
		key.slot = slot;
		w = bpf_map_lookup_elem(&waiting, &key);
		if (!w)
			continue;
		if (is_waiting(w, now) && is_for(w, &ends))
			submit_taker(w, key.netns_cookie, now);
		bpf_map_delete_elem(&waiting, &key);
	}
	return 0;
}
