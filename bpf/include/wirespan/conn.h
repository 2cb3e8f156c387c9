/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * One end of a TCP connection on this host. Only the tracker (bpf/tracker) writes it; plugins read it and set the
 * wanted_* masks.
 */
#include <wirespan/kernel.h>
#include <wirespan/owner.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum direction { DIRECTION_UNKNOWN, DIRECTION_OUTBOUND, DIRECTION_INBOUND };

/* How the owner was found. */
enum owner_source {
	OWNER_UNKNOWN,
	OWNER_CONNECT,
	/* The listener's owner, until a process uses, accepts or closes the connection. */
	OWNER_LISTENER,
	/* The first process that sent or received. */
	OWNER_IO,
	/* Until the first send or receive. */
	OWNER_ACCEPT,
	/* Held the socket when the agent started; if accepted, until the first send or receive. */
	OWNER_HOLDER,
	/* Shut it down or closed it, if no process was seen to use or accept it. */
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
	/* By its owner, or by the administrator (ss -K). */
	CLOSE_ABORTED,
	/* A signal ended its process. */
	CLOSE_KILLED,
	/* No program saw the close, and the socket does not reveal the reason. */
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
	/* The interface that the socket is bound to; 0: any. Never 0 with link-local addresses. */
	u32 ifindex;
};

struct conn {
	u64 cookie;
	u64 netns_cookie;
	/* Boot clock. When the SYN was sent (outbound) or, by the handshake's round trip, received (inbound). */
	u64 opened_at;
	u64 established_at;
	/* When accept() returned it; 0: not seen. */
	u64 accepted_at;
	u64 closed_at;
	struct endpoints ends;
	/* The opener; for an accepted connection see `owner_source`. */
	struct task owner;
	/* The last that sent or received, the one that closed, and the one that accepted. */
	struct actor user;
	struct actor closer;
	struct actor acceptor;
	enum direction direction;
	enum owner_source owner_source;
	enum close_reason close_reason;
	u32 error;
	u32 netns;
	/*
	 * Sequence numbers of the first byte after the SYN, of this end and of the peer. Before the handshake is done `own_isn`
	 * distinguishes the attempts of one socket (docs/ids.md).
	 */
	u32 own_isn;
	u32 peer_isn;
	/* Of the SYN (outbound) or the SYN-ACK (inbound). */
	u32 handshake_retransmits;
	/* The descriptor that accept() returned; -1: unknown. */
	s32 accept_fd;
	/* Which plugins want each of its spans: one bit per plugin. */
	u32 wanted_connection;
	u32 wanted_connect;
	u32 wanted_accept;
	/* Plugins certain to want the connection's span at its end, so that child spans may refer to it. */
	u32 promised;
	/* The span was sent. */
	bool emitted_connection;
	bool emitted_connect;
	/* It ended in its listener's queue: accept() never returned it. */
	bool queued;
	/* Older than the agent: `opened_at` (and `established_at`, if established) is when the agent found it. */
	bool before_start;
	/* No program saw its beginning: its times are when the agent found it. */
	bool begun_unseen;
	/* No program saw its end: a sweep found it (bpf/tracker/survey.h). */
	bool ended_unseen;
	/* That end has not been reported yet. */
	bool found_end;
	/* The opener is on this host, too, */
	bool peer_is_here;
	/* and its span is certain to be sent, so that the acceptor's span can be its child. */
	bool opener_is_promised;
	bool fastopen;
	/* A connection of the agent itself. */
	bool excluded;
	/* In `tuples` (bpf/include/wirespan/tuples.h). */
	bool has_tuple;
	/* The last state change interrupted the handling of another socket's on the same CPU. */
	bool is_nested;
	/* Messages, segments and tables without a trace context; written by bpf/context. */
	u8 unread_sends;
	u8 unread_segments;
	u8 unread_tables;
	/* The last state change. */
	u16 old_state;
	u16 state;
	/* Its spans are kept whatever its trace id is (bpf/tracker/sampling.h). */
	bool kept_always;
	/* Both sides called connect(), and their SYNs crossed. */
	bool simultaneous;
	/* The last state that tcpstates, which writes it, has seen. */
	u16 entered_state;
	/* Index among the connections of its socket: after connect(AF_UNSPEC) or a failure there can be another. */
	u16 life;
	/* Payload bytes before the agent found it. */
	u64 sent_before;
	u64 received_before;
	/* Since when it is in `entered_state`. */
	u64 entered_at;
	/* The handshake's apparent round trip if the SYN or SYN-ACK was retransmitted, microseconds. */
	u32 doubtful_rtt_us;
	/* Segments lost by the socket's earlier connections: the kernel does not reset that counter. */
	u32 lost_before;
	/* Segments that the socket has retransmitted, as of the last that tcpretrans, which writes it, has seen. */
	u32 retransmits;
	/* Name of the interface that it is bound to, if its packets leave through that one. */
	char interface[16];
	/* The last sweep for rows without a socket that found its socket. */
	u32 round;
	/* Counted in the balance of connections (bpf/tracker/shared.h); set once, by whichever CPU is first. */
	u32 counted;
};

/* What a plugin has added to its sums of a connection's traffic so far: io_delta.h. */
struct io_mark {
	u64 sent_bytes;
	u64 received_bytes;
	u32 retransmits;
	/* The run of the plugin, the connection among those of its socket, and whether it is counted; 0: no mark. */
	u32 of;
};

/* As many plugins may sum traffic. More would take each socket's storage beyond 512 bytes. */
#define IO_MARKS 3

struct stored_conn {
	struct conn conn;
	struct io_mark marks[IO_MARKS];
};

/* An attempt that did not succeed, or a connection that did not end with a FIN. */
static __always_inline bool failed(const struct conn *c)
{
	return c->close_reason >= CLOSE_RST_SENT;
}

/* Both ends' sequence numbers are known. */
static __always_inline bool has_numbers(const struct conn *c)
{
	return c->established_at || c->peer_isn;
}

/* Its beginning was seen. */
static __always_inline bool is_start_known(const struct conn *c)
{
	return !c->before_start && !c->begun_unseen;
}

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	/* Accepted sockets start with a copy of the listener's row, thus its owner. */
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct stored_conn);
} conns SEC(".maps");

/*
 * A connect() that failed before its socket left CLOSE (no route, not permitted). Valid during the exit tracepoint of
 * the system call: the tracker fills it, plugins' programs request its span, and the tracker sends it.
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
 * What accept() returned, during the exit tracepoint of the system call: the connection or, with `error` set, the
 * listener on which it failed.
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

/* The end of a handshake. In a simultaneous open, SYN_RECV follows SYN_SENT. */
static __always_inline bool ends_handshake(int old, int new)
{
	return (old == TCP_SYN_SENT && new != TCP_SYN_RECV) ||
	       (old == TCP_SYN_RECV && (new == TCP_ESTABLISHED || new == TCP_CLOSE));
}

static __always_inline u64 handshake_duration(const struct conn *c)
{
	return (c->established_at ? c->established_at : c->closed_at) - c->opened_at;
}

/* The connection of a socket, if plugins may see it. */
static __always_inline struct conn *conn_of(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, 0, 0);

	return c && !c->excluded ? c : NULL;
}

/* For iterators, where the socket may be NULL. On Linux 6.1 the result can't be stored in a map. */
static __always_inline struct conn *known_at(struct sock *sk)
{
	return sk ? bpf_sk_storage_get(&conns, sk, NULL, 0) : NULL;
}

/* The endpoints of a socket or a request socket. If a port is 0, that end is unknown. */
static __always_inline void read_common_ends(struct endpoints *e, const struct sock_common *sk,
					     u16 local)
{
	u16 peer = bpf_ntohs(sk->skc_dport);

	e->ifindex = sk->skc_bound_dev_if;
	/* At CLOSE either may be cleared already; keep what was known. */
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

/* The verifier does not trust what bpf_skc_to_tcp_sock returns, so that it does not search its types (read_exe). */
static __always_inline void read_netns(struct conn *c, struct sock *sk)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	const struct net *net;

	if (!tp)
		return;
	net = tp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net;
	c->netns = net->ns.inum;
	c->netns_cookie = net->net_cookie;
}

/* Whether its first user will own it: no owner yet, or accepted and not used yet. */
static __always_inline bool awaits_user(const struct conn *c)
{
	return c->owner_source == OWNER_UNKNOWN ||
	       (c->direction != DIRECTION_OUTBOUND && c->owner_source != OWNER_IO);
}

/* A packet or a system call holds the socket. */
static __always_inline bool is_locked(const struct sock *sk)
{
	if (sk->sk_lock.owned)
		return true;
	/* Unknown on a kernel with other locks (PREEMPT_RT). */
	return bpf_core_field_exists(sk->sk_lock.slock.rlock.raw_lock.locked) &&
	       sk->sk_lock.slock.rlock.raw_lock.locked;
}
