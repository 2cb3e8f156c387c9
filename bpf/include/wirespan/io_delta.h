/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * What moved over connections since it was last counted, from the sockets' own counters: nothing runs for a
 * packet or for a message. A sweep counts living connections, the close what is left.
 */
#include <wirespan/byte_mark.h>
#include <wirespan/conn.h>
#include <wirespan/skeleton.h>

/* Boot clock. What moved before over connections that nobody has marked is not counted. */
const volatile u64 loaded_at = 0;

/* What of a connection is in the sums already. */
struct counted {
	u64 sent_bytes;
	u64 received_bytes;
	u64 retransmits;
	/* The connection itself. */
	u64 connections;
	/* Which of the socket's connections: it may connect again, and then counts from zero. */
	u64 established_at;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct counted);
} counts SEC(".maps");
KEEP_ON_RESTART(counts);

/* To be added to sums; the same as `counted`, and 1 connection the first time. */
static __always_inline void count_all(struct counted *moved, struct counted *marks,
				      const struct counted *now)
{
	moved->sent_bytes = claim(&marks->sent_bytes, now->sent_bytes);
	moved->received_bytes = claim(&marks->received_bytes, now->received_bytes);
	moved->retransmits = claim(&marks->retransmits, now->retransmits);
	moved->connections = claim(&marks->connections, now->connections);
}

/* The marks of a connection that has none yet. What is older than its being watched is nobody's. */
static __always_inline void read_marks(struct counted *marks, const struct conn *c,
				       const struct counted *now)
{
	if (c->established_at && c->established_at < loaded_at) {
		*marks = *now;
	} else {
		marks->sent_bytes = c->sent_before;
		marks->received_bytes = c->received_before;
		marks->retransmits = c->before_start ? now->retransmits : 0;
		marks->connections = c->before_start;
	}
	marks->established_at = c->established_at;
}

/* Whose an accepted connection is shows at its first send or receive: so long its bytes can wait. */
#define PATIENCE_NS 1000000000ull

static __always_inline bool waits_for_owner(const struct conn *c, u64 now)
{
	return awaits_user(c) && !c->before_start && now - c->established_at < PATIENCE_NS;
}

/* At the close, while the socket is locked. `state`: the one that was left. */
static __always_inline void count_closed(struct counted *moved, struct sock *sk,
					 const struct conn *c, const struct tcp_sock *tp, u32 state)
{
	struct counted now, fresh, *marks;
	struct traffic traffic;

	read_traffic(&traffic, tp, c, state);
	now.sent_bytes = traffic.sent_bytes;
	now.received_bytes = traffic.received_bytes;
	now.retransmits = traffic.retransmits;
	now.connections = c->established_at != 0;
	full_barrier();
	marks = bpf_sk_storage_get(&counts, sk, NULL, 0);
	/* They stay: while the plugin is started anew, two programs count, and each byte is for one of them. */
	if (marks && marks->established_at == c->established_at) {
		count_all(moved, marks, &now);
	} else {
		read_marks(&fresh, c, &now);
		count_all(moved, &fresh, &now);
	}
}

/*
 * The counters of a socket that may be at work. They take a FIN for a byte a moment before the state says so:
 * while that may be, the last byte waits for the next time. So what is asked after must be read after.
 */
static __always_inline void read_living(struct counted *now, const struct tcp_sock *tp,
					const struct conn *c)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	u64 acked = *(volatile u64 *)&tp->bytes_acked,
	    received = *(volatile u64 *)&tp->bytes_received;
	u64 syn = c->direction == DIRECTION_OUTBOUND, fin, done;
	bool locked;
	u32 state;

	full_barrier();
	locked = is_locked(sk);
	full_barrier();
	state = sk->__sk_common.skc_state;
	fin = state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT;
	done = locked ||
	       sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_DONE) & 1;
	now->sent_bytes = acked > syn + fin ? acked - syn - fin : 0;
	now->received_bytes = received > done ? received - done : 0;
	now->retransmits = tp->total_retrans;
	now->connections = 1;
}

/* From an iterator over `conns`; false: there is nothing to count, or its close does it. */
static __always_inline bool count_living(struct counted *moved, struct sock *sk,
					 const struct conn *c)
{
	struct counted now, fresh, *marks;
	struct tcp_sock *tp;

	if (c->closed_at || !c->established_at)
		return false;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return false;
	read_living(&now, tp, c);
	marks = bpf_sk_storage_get(&counts, sk, NULL, 0);
	if (marks && marks->established_at != c->established_at) {
		bpf_sk_storage_delete(&counts, sk);
		marks = NULL;
	}
	if (!marks) {
		read_marks(&fresh, c, &now);
		marks = bpf_sk_storage_get(&counts, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
		full_barrier();
		/* A close that has not found the marks has counted everything. */
		if (marks && *(const volatile u64 *)&c->closed_at) {
			bpf_sk_storage_delete(&counts, sk);
			return false;
		}
	}
	if (!marks)
		return false;
	count_all(moved, marks, &now);
	return moved->sent_bytes | moved->received_bytes | moved->retransmits | moved->connections;
}
