/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Handshakes that, according to the application, a request waits for, or that a thread begins in a context. A failed
 * attempt can thus be assigned to that request.
 */
#include <wirespan/chain.h>
#include "thread.h"

/* What the table says about the current connect(). */
static __always_inline bool read_connecting(struct context_record *r)
{
	const struct table *t = current_table();

	if (!t)
		return false;
	if (bpf_probe_read_user(r, sizeof(*r),
				(void *)(t->address + offsetof(struct table_header, connecting)))) {
		COUNT_CORRELATED(unreadable, 1);
		return false;
	}
	return is_valid(r);
}

static __always_inline void see_opening(struct sock *sk)
{
	struct carrier *c = bpf_sk_storage_get(&contexts, sk, NULL, 0);
	enum context_source source = CONTEXT_TABLE;
	struct conn *known = conn_of(sk);
	struct context_record r = {};

	/* The socket may connect a second time. */
	if (c)
		__builtin_memset(c, 0, sizeof(*c));
	bpf_sk_storage_delete(&streams, sk);
	bpf_sk_storage_delete(&earlier, sk);
	if (!known || !passes(known, 0))
		return;
	if (!reads_tables || !read_connecting(&r)) {
		if (!reads_threads || read_thread_record(&r) != THREAD_HAS_CONTEXT)
			return;
		source = CONTEXT_THREAD;
	}
	if (!c)
		c = create_carrier(sk);
	if (!c)
		return;
	take_record(&c->opening, &r);
	c->opening.source = source;
	c->has_sampled |= is_sampled(&c->opening);
}

/* In the chain of state changes, in the system call that opens the connection. */
CHAIN_LINK(on_opening, WANTS(OPEN));
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_opening, struct sock *sk, int old, int new_)
{
	if (old == TCP_CLOSE && new_ == TCP_SYN_SENT)
		see_opening(sk);
	CALL_NEXT(ctx, WANTS(OPEN), old, new_);
	return 0;
}
