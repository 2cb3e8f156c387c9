/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The states of a connection: when it was opened, established and closed, by whom and why. */
#include "shared.h"
#include "syn.h"

/* Resets the row of a socket that is reused, to connect again or to listen. */
static __always_inline void reset_conn(struct conn *c, const struct tcp_sock *tp)
{
	u32 life = c->life + (c->direction != DIRECTION_UNKNOWN);

	__builtin_memset(c, 0, sizeof(*c));
	c->life = life;
	c->lost_before = tp->lost;
}

/* The socket is reused, but no program saw the end of its last connection or listener. */
static __always_inline void leave_unclosed(struct conn *c)
{
	if (c->state == TCP_LISTEN)
		COUNT(unseen_changes);
	if (!c->counted || c->closed_at)
		return;
	/* The sweep finds the missing row and counts it. */
	if (c->has_tuple)
		remove_tuple(c);
	bpf_map_delete_elem(&unaccepted, &c->cookie);
}

static __always_inline struct conn *on_syn_sent(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn *c;

	c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c || !tp) {
		count_lost(sk);
		return NULL;
	}
	leave_unclosed(c);
	reset_conn(c, tp);
	count_opened(c);
	c->cookie = bpf_get_socket_cookie(sk);
	c->opened_at = bpf_ktime_get_boot_ns();
	c->direction = DIRECTION_OUTBOUND;
	/* 0 as long as the socket has sent no SYN; a failed attempt leaves another number to the next one. */
	c->own_isn = tp->write_seq ?: c->life;
	read_netns(c, sk);
	read_ends(&c->ends, tp);
	read_bound_interface(c, sk);
	read_current_owner(c, OWNER_CONNECT);
	if (watch_connect_exits)
		bpf_map_update_elem(&connect_by_tid, &c->owner.tid, &c->cookie, BPF_ANY);
	if (is_own(c))
		exclude(c);
	return c;
}

static __always_inline struct conn *on_listen(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!c || !tp) {
		count_lost(sk);
		return NULL;
	}
	leave_unclosed(c);
	reset_conn(c, tp);
	/* 0 for a listener that is older than the agent. */
	c->opened_at = bpf_ktime_get_boot_ns();
	c->cookie = bpf_get_socket_cookie(sk);
	read_netns(c, sk);
	read_current_owner(c, OWNER_LISTENER);
	/* Its children inherit the exclusion, and are counted as excluded. */
	c->excluded = is_own(c);
	return c;
}

/* Only its listener is known. */
static __always_inline bool is_unclaimed(const struct conn *c)
{
	return c->owner_source == OWNER_LISTENER || c->owner_source == OWNER_UNKNOWN;
}

/* Takes over the acceptor that the end of accept() left in a table next to the row. */
static __always_inline void take_acceptor(struct conn *c)
{
	struct waiting *w = bpf_map_lookup_elem(&unaccepted, &c->cookie);

	if (!w || !w->accepted_at)
		return;
	take_accept(c, w, is_unclaimed(c));
	c->wanted_accept = w->wanted_accept;
	bpf_map_delete_elem(&unaccepted, &c->cookie);
}

/* The hooks on accept() can't reach the socket storage of every connection. */
static __always_inline bool queues_some(void)
{
	return has_on_accept_exit || has_on_graft;
}

static __always_inline bool queues(const struct tcp_sock *tp)
{
	if (has_on_accept_exit)
		return true;
	return has_on_graft && bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp;
}

/* accept() has not returned it, or that was not seen. */
static __always_inline bool awaits_acceptor(const struct conn *c)
{
	return queues_some() && c->direction == DIRECTION_INBOUND && !c->accepted_at;
}

/* Of a connection that the socket had before it became a listener. */
static __always_inline void forget_marks(struct conn *c)
{
	struct stored_conn *stored = (void *)c;

	for (int i = 0; i < IO_MARKS; i++)
		stored->marks[i].of = 0;
}

/* A listener's child. Its storage starts as a copy of the listener's, if that had any. */
static __always_inline void begin_inbound(struct sock *sk, struct conn *c)
{
	c->opened_at = bpf_ktime_get_boot_ns();
	c->direction = DIRECTION_INBOUND;
	c->life = 0;
	forget_marks(c);
	c->lost_before = 0;
	c->owner_source = c->owner.pid ? OWNER_LISTENER : OWNER_UNKNOWN;
	if (!c->netns_cookie)
		read_netns(c, sk);
	if (c->excluded)
		COUNT(excluded_self);
}

static __always_inline struct conn *on_syn_recv(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!c) {
		count_lost(sk);
		return NULL;
	}
	/* A copy from before the listener listened: no program saw that begin. */
	if (c->state && c->state != TCP_LISTEN) {
		COUNT(unseen_changes);
		__builtin_memset(c, 0, sizeof(*c));
	}
	begin_inbound(sk, c);
	return c;
}

static __always_inline void meet_opener(struct conn *c)
{
	u64 rest, mark, *slot = opener_slot(c->peer_isn, c->own_isn, &rest);

	if (!slot)
		return;
	mark = *slot ^ rest;
	if (!mark || mark > OPENED_MARKS)
		return;
	*slot = 0;
	c->peer_is_here = true;
	c->opener_is_promised = mark == OPENED_AND_PROMISED;
	if (mark == OPENED_BY_SELF && !c->excluded)
		exclude(c);
}

/* Not inlined, because it requires stack. */
static __noinline int await_acceptor(struct conn *c)
{
	struct waiting w = { .conn = { (u64)c, c->cookie } };

	if (bpf_map_update_elem(&unaccepted, &c->cookie, &w, BPF_ANY))
		COUNT(lost_accepts);
	return 0;
}

static __always_inline void on_established(struct sock *sk, struct conn *c)
{
	u64 now = bpf_ktime_get_boot_ns();
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return;
	/* Not earlier: if one request becomes two sockets at the same time, the kernel drops one silently. */
	count_opened(c);
	c->established_at = now;
	c->handshake_retransmits = tp->total_retrans;
	if (c->direction == DIRECTION_INBOUND)
		c->retransmits = tp->total_retrans;
	if (tp->total_retrans)
		c->doubtful_rtt_us = tp->srtt_us >> 3;
	begin_at_syn(c, tp, now);
	read_ends(&c->ends, tp);
	read_bound_interface(c, sk);
	read_isns(c, tp);
	if (c->direction == DIRECTION_OUTBOUND) {
		c->simultaneous = c->old_state == TCP_SYN_RECV;
		/* syn_data_acked is set later. One of the bytes that the SYN-ACK acknowledged is the SYN. */
		c->fastopen = tp->bytes_acked > 1;
		/* For the others, the emitter does this. */
		if (c->excluded)
			mark_opened(c, OPENED_BY_SELF);
		keep_tuple(c);
		return;
	}
	/* Generates the cookie, so that later programs find the same one. */
	c->cookie = bpf_get_socket_cookie(sk);
	/* Linux 6.6 and later. */
	if (bpf_core_field_exists(tp->syn_fastopen_child))
		c->fastopen = BPF_CORE_READ_BITFIELD(tp, syn_fastopen_child);
	/* The first round trip is from the SYN-ACK to the ACK, and the SYN-ACK follows the SYN at once. */
	if (!tp->total_retrans && tp->srtt_us)
		c->opened_at = now - (u64)(tp->srtt_us >> 3) * 1000;
	/* Linux 6.7 and later: milliseconds since the first of several SYN-ACKs. */
	else if (tp->total_retrans && bpf_core_field_exists(tp->total_rto_time))
		c->opened_at = now - (u64)tp->total_rto_time * 1000000;
	meet_opener(c);
	if (!c->excluded && is_own(c))
		exclude(c);
	keep_tuple(c);
	/* With Fast Open it may be accepted already. */
	if (queues(tp) && !c->excluded && !BPF_CORE_READ(sk, sk_socket))
		await_acceptor(c);
}

/* Whether the current task acts on this socket; otherwise it was interrupted by a packet. */
static __always_inline bool in_callers_context(const struct sock *sk)
{
	struct task_struct *current = bpf_get_current_task_btf();

	return sk->sk_lock.owned && current->tgid && !(current->flags & PF_KTHREAD);
}

static __always_inline bool dies_of_a_signal(void)
{
	struct task_struct *current = bpf_get_current_task_btf();

	return current->flags & PF_EXITING &&
	       BPF_CORE_READ(current, signal, group_exit_code) & 0x7f;
}

static __always_inline void read_closer(struct sock *sk, struct conn *c)
{
	const struct task_struct *current = bpf_get_current_task_btf();
	u32 pid = current->tgid;

	/* The agent itself closes a file if it is the last to hold it during iter/task_file. */
	if (c->closer.pid || !in_callers_context(sk) ||
	    (pid == runtime_config.self_pid && pid != c->owner.pid))
		return;
	c->closer.pid = pid;
	c->closer.tid = current->pid;
	read_comm(c->closer.comm, current);
	if (dies_of_a_signal())
		c->close_reason = CLOSE_KILLED;
	/* Whoever closes an accepted connection owned it, even if it was not seen to accept or use it. */
	if (c->direction == DIRECTION_INBOUND && is_unclaimed(c) && !c->queued)
		take_over(c, OWNER_CLOSE);
}

static __always_inline enum close_reason reason_of(const struct conn *c, u32 left)
{
	bool established = c->established_at;

	switch (c->error) {
	case ECONNREFUSED:
		return established ? CLOSE_RST_RECEIVED : CLOSE_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return CLOSE_RST_RECEIVED;
	case ETIMEDOUT:
		return CLOSE_TIMEOUT;
	case ECONNABORTED:
		return CLOSE_ABORTED;
	case 0:
		break;
	default:
		return CLOSE_UNREACHABLE;
	}
	if (c->close_reason == CLOSE_KILLED)
		return CLOSE_KILLED;
	switch (left) {
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
		return CLOSE_FIN_LOCAL;
	case TCP_LAST_ACK:
		return CLOSE_FIN_REMOTE;
	default:
		/* Neither a complete exchange of FINs nor an error: this side reset it. */
		return established ? CLOSE_RST_SENT : CLOSE_ABORTED;
	}
}

/* Accepted connections have a struct socket until their owner closes them, and are orphans afterwards. */
static __always_inline bool is_in_queue(const struct sock *sk, const struct conn *c)
{
	u64 dead = sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_DEAD) & 1;

	return c->direction == DIRECTION_INBOUND && c->established_at &&
	       !BPF_CORE_READ(sk, sk_socket) && !dead;
}

/* Removes the row, unless accept() is just returning the connection: then accept() removes it. */
static __always_inline void leave_queue(const struct sock *sk, const struct conn *c)
{
	struct waiting *row = bpf_map_lookup_elem(&unaccepted, &c->cookie);

	if (row && BPF_CORE_READ(sk, sk_socket) && c->owner_source == OWNER_LISTENER &&
	    !c->closer.pid)
		row->has_closed = true;
	else if (row)
		bpf_map_delete_elem(&unaccepted, &c->cookie);
}

static __always_inline void on_close(struct sock *sk, struct conn *c, u32 left)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	/* Before it counts as closed, so that a concurrent sweep finds one too many rather than one too few. */
	if (c->counted && !c->closed_at)
		COUNT(ended_connections);
	c->closed_at = bpf_ktime_get_boot_ns();
	if (runtime_config.keeps_tuples)
		full_barrier();
	if (c->has_tuple)
		remove_tuple(c);
	c->queued = !c->accepted_at && is_in_queue(sk, c);
	c->error = sk->sk_err;
	/* If the network ended it, the task that handles the packet is not the closer. */
	if (!c->error)
		read_closer(sk, c);
	/* connect() fails before a SYN is sent: no free port, or these endpoints are in use. */
	if (tp && left == TCP_SYN_SENT && !c->error && !sk->sk_shutdown && !tp->segs_out)
		c->error = EADDRNOTAVAIL;
	c->close_reason = reason_of(c, left);
	if (awaits_acceptor(c))
		leave_queue(sk, c);
	if (!tp)
		return;
	read_ends(&c->ends, tp);
	if (!c->established_at) {
		c->handshake_retransmits = tp->total_retrans;
		begin_at_syn(c, tp, c->closed_at);
	}
}
