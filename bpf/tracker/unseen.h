/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * State changes that no program saw. They are detected by the next change, whose old state differs from the last known
 * state, or by a sweep. What they would have recorded is then read from the socket, as far as it still exists.
 */
#include "older.h"
#include "states.h"

static __always_inline bool is_synchronized(u32 state)
{
	return state != TCP_SYN_SENT && state != TCP_SYN_RECV && state != TCP_CLOSE &&
	       state != TCP_LISTEN;
}

/* It was established at an unknown time before now. */
static __always_inline void establish(struct sock *sk, struct conn *c)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	u64 opened_at = c->opened_at;

	on_established(sk, c);
	/* What on_established derives from the current time is wrong here. */
	c->opened_at = opened_at;
	c->handshake_retransmits = 0;
	c->fastopen = tp && BPF_CORE_READ_BITFIELD(tp, syn_data_acked);
	c->begun_unseen |= c->direction == DIRECTION_INBOUND;
	c->peer_is_here |= has_loopback_peer(&c->ends);
}

/* A process holds it, so the agent would have found it at its start. */
static __always_inline bool has_file(const struct sock *sk)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);

	return socket && BPF_CORE_READ(socket, file);
}

/* A user of the socket and a packet's handler may find it at the same time: only one of them creates the row. */
static __always_inline bool claim_beginning(struct conn *c, const struct tcp_sock *tp)
{
	u64 ended_at = c->closed_at;

	if (ended_at) {
		if (__sync_val_compare_and_swap(&c->closed_at, ended_at, 0) != ended_at)
			return false;
		reset_conn(c, tp);
		return true;
	}
	if (__sync_val_compare_and_swap(&c->counted, 0, 1))
		return false;
	COUNT(opened_connections);
	c->lost_before = tp->lost;
	return true;
}

/* A process uses a connection that accept() has not returned yet, as far as any program was shown. */
static __always_inline void count_unseen_accept(const struct conn *c)
{
	if (!c->accepted_at && bpf_map_lookup_elem(&unaccepted, &c->cookie))
		COUNT(unseen_changes);
}

/* Creates a row without history, or after a connection that has ended. `acts`: the current task acts on the socket. */
static __always_inline void begin(struct sock *sk, struct conn *c, struct tcp_sock *tp, u32 state,
				  bool acts)
{
	bool again = c->state;

	if (!claim_beginning(c, tp))
		return;
	read_older(c, sk, tp);
	/* If it was not opened here, it waited in a queue, possibly since before the agent started. */
	if (runtime_config.seeded && (again || state == TCP_SYN_SENT || state == TCP_SYN_RECV ||
				      (c->direction == DIRECTION_OUTBOUND && has_file(sk)))) {
		COUNT(unseen_changes);
		c->before_start = false;
		c->begun_unseen = true;
		c->sent_before = 0;
		c->received_before = 0;
	}
	if (acts)
		read_current_owner(c, OWNER_IO);
	if (is_own(c))
		exclude(c);
	keep_tuple(c);
}

/* A socket without a row is in `state`, or leaves it. */
static __noinline int meet_socket(struct sock *sk, u32 state, bool acts)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	u64 dead = sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_DEAD) & 1;
	struct conn *c;

	/* Orphans older than the agent have no owner, and the kernel's own listeners no process. */
	if (!tp || dead || state == TCP_CLOSE || state == TCP_LISTEN || is_counted_as_lost(sk))
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (c)
		begin(sk, c, tp, state, acts);
	else
		count_lost(sk);
	return 0;
}

/* Updates a row to the state that its socket leaves, or is found in. */
static __noinline int mend(struct sock *sk, struct conn *c, u32 state)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return 0;
	if (c->closed_at || !c->state) {
		if (state != TCP_CLOSE && state != TCP_LISTEN)
			begin(sk, c, tp, state, in_callers_context(sk));
		return 0;
	}
	COUNT(unseen_changes);
	/* A copy of the listener's row. */
	if (c->state == TCP_LISTEN && state != TCP_CLOSE) {
		begin_inbound(sk, c);
		c->state = TCP_SYN_RECV;
	}
	if (!c->established_at && is_synchronized(state))
		establish(sk, c);
	return 0;
}
