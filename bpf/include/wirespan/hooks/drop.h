/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* A TCP packet that the kernel drops: if that is a loss, its direction, and its connection. */
#include <wirespan/reentrancy.h>
#include <wirespan/hooks/drop_kind.h>

/*
 * The first fragment of a packet whose reassembly was given up. The other fragments are freed right after it, without
 * their device.
 */
struct given_up {
	u64 at;
	struct net *net;
	struct net_device *dev;
	u8 source[16];
	u8 destination[16];
};

/* Too large for the stack; one for each of two programs. */
struct dropped {
	/* As far as it is known; usually at least the endpoints. */
	struct conn conn;
	struct packet packet;
	struct headers headers;
	struct given_up given_up;
	struct drop_site site;
	/* The opposite of the site's if the connection shows that. */
	enum way way;
	/* Of the socket; 0: no socket. */
	u32 state;
	/* `conn` is a known connection, or its listener. */
	bool is_known;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct dropped);
} drop_scratch SEC(".maps");

/*
 * For a packet whose socket has no endpoints of its own (a listener), or that has no socket. This and others here are
 * global: the verifier checks them once, and not for each of the dozens of ways to get here.
 */
__noinline int take_ends(struct endpoints *e, const struct packet *p, enum way way)
{
	bool received = way == WAY_RECEIVE;

	if (!e || !p)
		return 0;
	__builtin_memcpy(e->local, received ? p->destination : p->source, 16);
	__builtin_memcpy(e->peer, received ? p->source : p->destination, 16);
	e->local_port = received ? p->destination_port : p->source_port;
	e->peer_port = received ? p->source_port : p->destination_port;
	e->family = p->family;
	return 0;
}

__noinline int forget_conn(struct conn *c)
{
	if (c)
		__builtin_memset(c, 0, sizeof(*c));
	return 0;
}

__noinline int is_of_head(const struct given_up *head, const struct packet *p)
{
	if (!head || !p)
		return false;
	for (int i = 0; i < 16; i++)
		if (head->source[i] != p->source[i] || head->destination[i] != p->destination[i])
			return false;
	return true;
}

#define GIVEN_UP_NS 1000000

static __always_inline void follow_head(struct given_up *head, struct drop_site *at,
					const struct packet *p)
{
	u64 now = bpf_ktime_get_ns();

	if (at->net) {
		head->at = now;
		head->net = at->net;
		head->dev = at->dev;
		__builtin_memcpy(head->source, p->source, sizeof(head->source));
		__builtin_memcpy(head->destination, p->destination, sizeof(head->destination));
		return;
	}
	if (now - head->at > GIVEN_UP_NS || !is_of_head(head, p))
		return;
	at->net = head->net;
	at->dev = head->dev;
}

/*
 * The packet's socket, read before anything else: the verifier of Linux 6.4 to 6.19 takes half a millisecond for each
 * way to here (see read_exe).
 */
static __always_inline struct sock *sender_of(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	barrier_var(sk);
	return sk;
}

/* NULL if it is not a TCP packet, not a loss, or the agent's own. `sk`: of sender_of, then of read_drop_site. */
static __always_inline struct dropped *read_drop(struct sock **sk, struct sk_buff *skb, u32 reason,
						 struct sock *rx_sk, enum drop_hook hook,
						 bool is_nested)
{
	struct freed freed = { .reason = reason, .has_receiver = !!rx_sk, .hook = hook };
	u32 which = is_nested;
	struct dropped *d = bpf_map_lookup_elem(&drop_scratch, &which);
	struct conn *known;
	struct net *net;

	if (!d || !read_headers(&d->headers, skb))
		return NULL;
	__builtin_memset(&d->packet, 0, sizeof(d->packet));
	if (!read_packet(&d->packet, &d->headers))
		return NULL;
	/* A copy for a raw socket. */
	if (rx_sk && !is_of_tcp(rx_sk))
		return NULL;
	*sk = read_drop_site(&d->site, skb, *sk, rx_sk, reason);
	if (IS_REASON(reason, SKB_DROP_REASON_FRAG_REASM_TIMEOUT))
		follow_head(&d->given_up, &d->site, &d->packet);
	freed.skb = (u64)skb;
	freed.sk = (u64)*sk;
	freed.way = d->site.way;
	if (is_no_drop(&freed, &d->packet))
		return NULL;
	forget_conn(&d->conn);
	d->way = d->site.way;
	d->state = 0;
	d->is_known = false;
	if (*sk) {
		d->state = (*sk)->__sk_common.skc_state;
		known = bpf_sk_storage_get(&conns, *sk, NULL, 0);
		if (known && known->excluded)
			return NULL;
		if (known) {
			d->conn = *known;
			d->is_known = true;
		}
	}
	net = d->site.net;
	d->conn.netns = net ? BPF_CORE_READ(net, ns.inum) : 0;
	d->conn.netns_cookie = net ? BPF_CORE_READ(net, net_cookie) : 0;
	if (!d->conn.ends.peer_port)
		take_ends(&d->conn.ends, &d->packet, d->way);
	return d;
}

/* Defines a plugin's programs; core/plugin/hooks/drop.ts has their probes. `see` takes read_drop's arguments and more. */
#define DROP_PROGRAMS(see)                                                                       \
	REENTRANT_PROGRAM("tp_btf/kfree_skb", on_drop_with_socket, is_tcp(skb) ? skb : NULL,     \
			  see(ctx, skb, location, reason, rx_sk, DROP_WITH_SOCKET, is_nested),   \
			  struct sk_buff *skb, void *location, u32 reason, struct sock *rx_sk)   \
	REENTRANT_PROGRAM("tp_btf/kfree_skb", on_drop_without, is_tcp(skb) ? skb : NULL,         \
			  see(ctx, skb, location, reason, NULL, DROP_WITHOUT_SOCKET, is_nested), \
			  struct sk_buff *skb, void *location, u32 reason)
