/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Whose an accepted connection is, by its first use; and connections that are older than the agent. */
#include "account.h"
#include "states.h"

/*
 * Which side opened, for a connection that is older than the agent: what was sent once is
 * snd_nxt - ISN - 1 (a FIN apart), and bytes_acked holds the SYN on the opener's side only.
 */
static __always_inline enum direction direction_of(const struct tcp_sock *tp, u32 state)
{
	bool closing = state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING ||
		       state == TCP_LAST_ACK;
	u32 fin = closing && tp->snd_nxt == tp->write_seq;
	u32 first = tp->snd_nxt - fin - (u32)(tp->bytes_sent - tp->bytes_retrans);
	u32 base = tp->snd_una - (u32)tp->bytes_acked;

	return first - base == 1 ? DIRECTION_OUTBOUND
	       : first == base   ? DIRECTION_INBOUND
				 : DIRECTION_UNKNOWN;
}

/* What there is to know of a connection that is older than the agent, its owner apart. */
static __always_inline void read_older(struct conn *c, struct sock *sk, const struct tcp_sock *tp)
{
	u32 state = sk->__sk_common.skc_state;
	struct traffic before;

	c->before_start = true;
	c->opened_at = bpf_ktime_get_boot_ns();
	c->cookie = bpf_get_socket_cookie(sk);
	read_netns(c, sk);
	read_ends(&c->ends, tp);
	read_bound_interface(c, sk);
	c->direction = direction_of(tp, state);
	c->peer_is_here = has_loopback_peer(&c->ends);
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		return;
	c->established_at = c->opened_at;
	read_isns(c, tp);
	read_traffic(&before, tp, c, state);
	c->sent_before = before.sent_bytes;
	c->received_before = before.received_bytes;
}

/* Nobody held it when the agent started: it waited to be accepted, or was on its way between processes. */
static __always_inline void on_use_of_unmet(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	u32 state = sk->__sk_common.skc_state;
	struct conn *c;

	if (!tp || state == TCP_CLOSE || state == TCP_LISTEN)
		return;
	c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		COUNT(lost_connections);
		return;
	}
	read_older(c, sk, tp);
	read_current_owner(c, OWNER_IO);
	if (is_own(c))
		exclude(c);
	keep_tuple(c);
}

/* The first to send or receive owns what was accepted; who does it later is the last user. */
static __always_inline int on_use(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, NULL, 0);

	if (c)
		c->owner.workload = workload_of(&c->owner);
	if (!c) {
		on_use_of_unmet(sk);
	} else if (awaits_user(c)) {
		if (awaits_acceptor(c))
			take_acceptor(c);
		take_over(c, OWNER_IO);
	} else if (c->user.pid != bpf_get_current_pid_tgid() >> 32) {
		struct task user = {};

		read_and_meet(&user);
		read_actor(&c->user, &user);
	}
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(on_receive, struct sock *sk)
{
	return in_callers_context(sk) ? on_use(sk) : 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send, struct sock *sk)
{
	struct task_struct *current = bpf_get_current_task_btf();

	if (sk->sk_protocol != IPPROTO_TCP || current->flags & PF_KTHREAD)
		return 0;
	return on_use(sk);
}
