/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * A TCP connection as this host sees it, one end each. Only the tracker (bpf/tracker) writes it; plugins read it and set
 * what they want.
 */
#include <wirespan/kernel.h>
#include <wirespan/owner.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum direction { DIRECTION_UNKNOWN, DIRECTION_OUTBOUND, DIRECTION_INBOUND };

/* How the owner came to be known. */
enum owner_source {
	OWNER_UNKNOWN,
	OWNER_CONNECT,
	/* Of the listener; holds until somebody is known to have used, accepted or closed it. */
	OWNER_LISTENER,
	/* Was the first to send or receive. */
	OWNER_IO,
	/* Holds until the first send or receive. */
	OWNER_ACCEPT,
	/* Held the socket when the agent started; of an accepted one it holds until the first send or receive. */
	OWNER_HOLDER,
	/* Shut it down or closed it; no process was seen using or accepting it. */
	OWNER_CLOSE,
};

enum close_reason {
	CLOSE_NONE,
	CLOSE_FIN_LOCAL,
	CLOSE_FIN_REMOTE,
	CLOSE_RST_SENT,
	CLOSE_RST_RECEIVED,
	CLOSE_TIMEOUT,
	CLOSE_REFUSED,
	CLOSE_UNREACHABLE,
	/* Given up by its owner, or by the administrator (ss -K). */
	CLOSE_ABORTED,
	/* A signal ended its process. */
	CLOSE_KILLED,
	/* No program was shown the close, and the socket does not show the reason. */
	CLOSE_UNKNOWN,
};

struct endpoints {
	/* Network order; IPv4 in the first four bytes. */
	u8 local[16];
	u8 peer[16];
	u16 local_port;
	u16 peer_port;
	/* 4 or 6; IPv4 through an IPv6 socket is 4, mapped. */
	u8 family;
	bool mapped;
	u16 padding;
	/* What the socket is bound to, which is never 0 with link-local addresses; 0: any. */
	u32 ifindex;
};

struct conn {
	u64 cookie;
	u64 netns_cookie;
	/* Boot clock. The SYN: sent (outbound) or, from the handshake's round trip, received (inbound). */
	u64 opened_at;
	u64 established_at;
	/* accept() returned it; 0: that was not seen. */
	u64 accepted_at;
	u64 closed_at;
	struct endpoints ends;
	/* The opener; of an accepted connection as `owner_source` says. */
	struct task owner;
	/* The last to send or receive, who closed, and who accepted. */
	struct actor user;
	struct actor closer;
	struct actor acceptor;
	enum direction direction;
	enum owner_source owner_source;
	enum close_reason close_reason;
	u32 error;
	u32 netns;
	/* The number of the first byte after the SYN, of this end and of the other. */
	u32 own_isn;
	u32 peer_isn;
	/* Of the SYN (outbound) or SYN-ACK (inbound). */
	u32 handshake_retransmits;
	/* Its descriptor as accept() returned it; -1: not known. */
	s32 accept_fd;
	/* Which plugins want its spans: one bit a plugin. */
	u32 wanted_connection;
	u32 wanted_connect;
	u32 wanted_accept;
	/* Those that are certain to want the connection's span at its end: then its children may name it. */
	u32 promised;
	/* The span has left. */
	bool emitted_connection;
	bool emitted_connect;
	/* It ended in its listener's queue: accept() has not returned it. */
	bool queued;
	/* Older than the agent: `opened_at`, and `established_at` if established, is when the agent found it. */
	bool before_start;
	/* No program was shown its beginning: its times are those at which the agent met it. */
	bool begun_unseen;
	/* No program was shown its end: a sweep found it (bpf/tracker/survey.h). */
	bool ended_unseen;
	/* That end is to be reported still. */
	bool found_end;
	/* The opener is on this host too. */
	bool peer_is_here;
	/* And its span is certain to be sent, so the acceptor's can be its child. */
	bool opener_is_promised;
	bool fastopen;
	/* The agent's own. */
	bool excluded;
	/* In `tuples` (bpf/include/wirespan/tuples.h). */
	bool has_tuple;
	/* It found no room there, which is counted once. */
	bool missed_tuple;
	/* The last transition came while another socket's was handled on the same CPU. */
	bool is_nested;
	/* Messages and segments in which no trace context was found, and of how many tables: bpf/context alone writes it. */
	u8 unread_sends;
	u8 unread_segments;
	u8 unread_tables;
	/* The last transition. */
	u16 old_state;
	u16 state;
	/* Its spans are kept whatever the trace id (bpf/tracker/sampling.h). */
	bool kept_always;
	/* Both sides called connect(), and their SYNs crossed. */
	bool simultaneous;
	/* Payload that it had carried when the agent met it. */
	u64 sent_before;
	u64 received_before;
	/* tcpstates alone writes these: the state that it saw last, and since when. */
	u64 entered_at;
	u32 entered_state;
	/* The round trip that a handshake whose SYN or SYN-ACK was retransmitted seems to have taken, microseconds. */
	u32 doubtful_rtt_us;
	/* Lost by the socket's earlier connections: the kernel does not reset its counter. */
	u32 lost_before;
	/* Which of its socket's connections it is, from 0: connect(AF_UNSPEC), or a failure, leaves the socket for another. */
	u32 life;
	/* The name of the interface that it is bound to, if that is the one that packets leave by. */
	char interface[16];
	/* The last round in which a sweep found its socket, of those that look for rows without one. */
	u32 round;
	/* In the balance of connections (bpf/tracker/shared.h); set once, whoever is first. */
	u32 counted;
};

/* An attempt that did not succeed, or a connection that did not end with a FIN. */
static __always_inline bool failed(const struct conn *c)
{
	return c->close_reason >= CLOSE_RST_SENT;
}

/* When it began is known, and lies within the agent's time. */
static __always_inline bool is_start_known(const struct conn *c)
{
	return !c->before_start && !c->begun_unseen;
}

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	/* A listener's children begin with its owner. */
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct conn);
} conns SEC(".maps");

/*
 * A connect() that failed while its socket never left CLOSE (no route, not permitted), during the end of
 * its system call: the tracker fills it, plugins' programs on that tracepoint request its span, and the
 * tracker emits it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct conn);
} connect_results SEC(".maps");

static __always_inline struct conn *failed_connect(void)
{
	u32 zero = 0;
	struct conn *c = bpf_map_lookup_elem(&connect_results, &zero);

	return c && c->opened_at && !c->excluded ? c : NULL;
}

/*
 * The accept() that ends here, during the end of its system call: the connection that it returned, or, with
 * `error` set, the listener on which it failed.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct conn);
} accept_results SEC(".maps");

static __always_inline struct conn *ended_accept(void)
{
	u32 zero = 0;
	struct conn *c = bpf_map_lookup_elem(&accept_results, &zero);

	if (!c || !(c->accepted_at || c->error) || c->excluded)
		return NULL;
	return c->owner.tid == (u32)bpf_get_current_pid_tgid() ? c : NULL;
}

/* This plugin's bit in the wanted_* masks. */
const volatile u32 plugin_bit = 0;

/* A handshake of ours ends here. With a simultaneous open, SYN_RECV is on its way. */
static __always_inline bool ends_handshake(int old, int new)
{
	return (old == TCP_SYN_SENT && new != TCP_SYN_RECV) ||
	       (old == TCP_SYN_RECV && (new == TCP_ESTABLISHED || new == TCP_CLOSE));
}

static __always_inline u64 handshake_duration(const struct conn *c)
{
	return (c->established_at ? c->established_at : c->closed_at) - c->opened_at;
}

/* The connection of a socket that plugins may see. */
static __always_inline struct conn *conn_of(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, 0, 0);

	return c && !c->excluded ? c : NULL;
}

/* In an iterator, whose socket may be NULL. On Linux 6.1 the value that it gives can't be put into a map. */
static __always_inline struct conn *known_at(struct sock *sk)
{
	return sk ? bpf_sk_storage_get(&conns, sk, NULL, 0) : NULL;
}

/* The endpoints in a socket, or in a request for one. If one of the ports is 0, that end is unknown. */
static __always_inline void read_common_ends(struct endpoints *e, const struct sock_common *sk,
					     u16 local)
{
	u16 peer = bpf_ntohs(sk->skc_dport);

	e->ifindex = sk->skc_bound_dev_if;
	/* At CLOSE either may be gone already; what was known stays. */
	if (local)
		e->local_port = local;
	if (!peer)
		return;
	e->peer_port = peer;
	if (sk->skc_family == AF_INET) {
		e->family = 4;
		*(u32 *)e->local = sk->skc_rcv_saddr;
		*(u32 *)e->peer = sk->skc_daddr;
	} else if (sk->skc_v6_daddr.in6_u.u6_addr32[0] == 0 &&
		   sk->skc_v6_daddr.in6_u.u6_addr32[1] == 0 &&
		   sk->skc_v6_daddr.in6_u.u6_addr32[2] == bpf_htonl(0xffff)) {
		e->family = 4;
		e->mapped = true;
		*(u32 *)e->local = sk->skc_v6_rcv_saddr.in6_u.u6_addr32[3];
		*(u32 *)e->peer = sk->skc_v6_daddr.in6_u.u6_addr32[3];
	} else {
		e->family = 6;
		BPF_CORE_READ_INTO((u32(*)[4])e->local, sk, skc_v6_rcv_saddr.in6_u.u6_addr32);
		BPF_CORE_READ_INTO((u32(*)[4])e->peer, sk, skc_v6_daddr.in6_u.u6_addr32);
	}
}

static __always_inline void read_ends(struct endpoints *e, const struct tcp_sock *tp)
{
	const struct inet_sock *inet = &tp->inet_conn.icsk_inet;

	read_common_ends(e, &inet->sk.__sk_common, bpf_ntohs(inet->inet_sport));
}

static __always_inline void read_bound_interface(struct conn *c, const struct sock *sk)
{
	struct net_device *dev;

	if (!c->ends.ifindex)
		return;
	dev = BPF_CORE_READ(sk, sk_dst_cache, dev);
	if (dev && BPF_CORE_READ(dev, ifindex) == (int)c->ends.ifindex)
		BPF_CORE_READ_INTO(&c->interface, dev, name);
}

static __always_inline void read_netns(struct conn *c, const struct sock *sk)
{
	struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);

	c->netns = BPF_CORE_READ(net, ns.inum);
	c->netns_cookie = BPF_CORE_READ(net, net_cookie);
}

/* An accepted connection that no process is known to have used, or one without owner: its first user will own it. */
static __always_inline bool awaits_user(const struct conn *c)
{
	return c->owner_source == OWNER_UNKNOWN ||
	       (c->direction != DIRECTION_OUTBOUND && c->owner_source != OWNER_IO);
}

/* A socket's own counters, right for what TCP counts beside the payload. */
struct traffic {
	/* Payload that the peer acknowledged, and payload received in order. */
	u64 sent_bytes;
	u64 received_bytes;
	u64 retransmitted_bytes;
	u32 sent_segments;
	u32 received_segments;
	u32 retransmits;
	u32 lost;
	/* 0 in all of these: never measured. Microseconds. */
	u32 srtt_us;
	u32 min_rtt_us;
	u32 rtt_var_us;
	/* Segments. */
	u32 cwnd;
	u32 reordering;
	/* Payload received that can no longer be read, bytes. */
	u32 unread;
};

/*
 * bytes_acked counts the SYN of the side that opened and the FIN of either; bytes_received counts a FIN
 * (net/ipv4/tcp_input.c: tcp_snd_una_update, tcp_rcv_nxt_update). `state` is the state that the counters
 * belong to: at CLOSE, the one that was left.
 */
static __always_inline void read_traffic(struct traffic *t, const struct tcp_sock *tp,
					 const struct conn *c, u32 state)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	u64 syn = c->direction == DIRECTION_OUTBOUND && c->established_at;
	u64 fin = state == TCP_FIN_WAIT2 ||
		  ((state == TCP_LAST_ACK || state == TCP_CLOSING) && c->closed_at && !c->error);
	u64 done = sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_DONE) & 1;
	u64 acked = tp->bytes_acked, received = tp->bytes_received;
	/* A FIN is the last that is read. What is still in the queue can be, though the connection has ended. */
	u32 unread = sk->sk_receive_queue.qlen ? 0 : tp->rcv_nxt - tp->copied_seq;

	t->sent_bytes = acked > syn + fin ? acked - syn - fin : 0;
	/* Whether a FIN was among what the peer acknowledged, the state does not say if changes of it were not shown. */
	if (c->ended_unseen && t->sent_bytes > tp->bytes_sent - tp->bytes_retrans)
		t->sent_bytes = tp->bytes_sent - tp->bytes_retrans;
	t->received_bytes = received > done ? received - done : 0;
	t->retransmitted_bytes = tp->bytes_retrans;
	t->sent_segments = tp->segs_out;
	t->received_segments = tp->segs_in;
	t->retransmits = tp->total_retrans;
	t->lost = tp->lost - c->lost_before;
	t->unread = c->established_at && unread ? unread - done : 0;
}

/*
 * What answers a SYN that was retransmitted may answer the first or the last, and is taken for the first sample
 * of the smoothed round trip: after so many segments it has no more weight.
 */
#define SEGMENTS_TO_FORGET 1000

static __always_inline u32 smoothed_rtt_us(const struct tcp_sock *tp, const struct conn *c)
{
	bool doubtful = c->doubtful_rtt_us && tp->delivered < SEGMENTS_TO_FORGET;

	return doubtful ? 0 : tp->srtt_us >> 3;
}

/* The window before the network had any influence: the kernel's initial one, or the route's. */
static __always_inline bool is_initial_cwnd(const struct tcp_sock *tp, u32 cwnd)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	unsigned long metrics;
	u32 initial = 0;

	if (tp->snd_ssthresh < TCP_INFINITE_SSTHRESH)
		return false;
	if (cwnd == TCP_INIT_CWND)
		return true;
	metrics = BPF_CORE_READ(sk, sk_dst_cache, _metrics) & ~(unsigned long)DST_METRICS_FLAGS;
	bpf_probe_read_kernel(&initial, sizeof(initial), (u32 *)metrics + RTAX_INITCWND - 1);
	return cwnd == initial;
}

/* Initial values are not measurements. */
static __always_inline void read_measured(struct traffic *t, const struct tcp_sock *tp,
					  const struct conn *c)
{
	u32 min_rtt_us = tp->rtt_min.s[0].v, cwnd = tp->snd_cwnd;

	t->srtt_us = smoothed_rtt_us(tp, c);
	t->rtt_var_us = t->srtt_us ? tp->mdev_us >> 2 : 0;
	/* tcp_init_sock starts the minimum at ~0; what a socket's earlier connections measured stays in it. */
	if (min_rtt_us == ~0u || min_rtt_us == c->doubtful_rtt_us || c->life)
		min_rtt_us = 0;
	t->min_rtt_us = min_rtt_us;
	t->cwnd = c->established_at && !is_initial_cwnd(tp, cwnd) ? cwnd : 0;
	t->reordering = tp->reord_seen ? tp->reordering : 0;
}

/* A packet or a system call is at work on the socket. */
static __always_inline bool is_locked(const struct sock *sk)
{
	if (sk->sk_lock.owned)
		return true;
	/* Unknown on a kernel with other locks (PREEMPT_RT). */
	return bpf_core_field_exists(sk->sk_lock.slock.rlock.raw_lock.locked) &&
	       sk->sk_lock.slock.rlock.raw_lock.locked;
}
