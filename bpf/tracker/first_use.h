/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The first use of an accepted connection determines its owner. */
#include "states.h"
#include "unseen.h"

/* The first process that sends or receives becomes the owner; later ones become the last user. */
static __always_inline int on_use(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, NULL, 0);

	/* A copy of the listener's row: no program saw the connection begin. */
	if (c && c->state == TCP_LISTEN) {
		u32 state = sk->__sk_common.skc_state;

		mend(sk, c, state);
		c->old_state = c->state;
		c->state = state;
	}
	if (c)
		c->owner.workload = workload_of(&c->owner);
	if (!c) {
		/* It was queued or in transit between processes when the agent started, or began unseen. */
		meet_socket(sk, sk->__sk_common.skc_state, true);
	} else if (awaits_user(c)) {
		if (awaits_acceptor(c)) {
			take_acceptor(c);
			count_unseen_accept(c);
		}
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
