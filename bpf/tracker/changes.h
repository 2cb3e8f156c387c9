/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The first of the programs that run at a change of state. */
#include <wirespan/chain.h>
#include <wirespan/second_program.h>
#include "unseen.h"

/* The connection of a socket that leaves `old`. */
static __always_inline struct conn *conn_in(struct sock *sk, int old)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, NULL, 0);

	if (c && c->state == old)
		return c;
	if (c) {
		mend(sk, c, old);
		return c;
	}
	meet_socket(sk, old, in_callers_context(sk));
	return bpf_sk_storage_get(&conns, sk, NULL, 0);
}

/* False if plugins do not see the socket. */
static __always_inline bool see_state(struct sock *sk, int old, int new, bool is_nested)
{
	struct conn *c;

	if (new == TCP_SYN_SENT)
		c = on_syn_sent(sk);
	else if (new == TCP_LISTEN)
		c = on_listen(sk);
	else if (new == TCP_SYN_RECV && old == TCP_LISTEN)
		c = on_syn_recv(sk);
	else
		c = conn_in(sk, old);
	if (!c)
		return false;
	c->old_state = old;
	c->state = new;
	c->is_nested = is_nested;
	c->owner.workload = workload_of(&c->owner);
	switch (new) {
	case TCP_ESTABLISHED:
		on_established(sk, c);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		if (awaits_acceptor(c))
			take_acceptor(c);
		read_closer(sk, c);
		break;
	case TCP_CLOSE:
		if (awaits_acceptor(c))
			take_acceptor(c);
		if (old != TCP_LISTEN)
			on_close(sk, c, old);
		break;
	}
	return !c->excluded;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old, int new)
{
	bool is_nested = is_called_by_second();

	if (sk->sk_protocol == IPPROTO_TCP && see_state(sk, old, new, is_nested))
		CALL_NEXT(ctx, WANTS_ALL, old, new);
	return 0;
}

/* Attached next: see chain.h. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state_nested, struct sock *sk, int old, int new)
{
	struct conn *c;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (!c || c->state != new)
		call_first(ctx);
	return 0;
}
