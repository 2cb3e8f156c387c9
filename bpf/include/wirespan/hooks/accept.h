/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * A plugin's programs for each connection that accept() returned, and for each call that failed: they
 * run after the tracker has found the acceptor, and before it emits the spans that are wanted.
 */
#include <wirespan/hooks/accept_chain.h>
#include <wirespan/conn.h>
#include <wirespan/skeleton.h>
#include <bpf/bpf_tracing.h>

/* Set by the loader: failed calls have a hook of their own. */
const volatile bool has_accept_failed = false;

/*
 * Defines the programs, on whichever of these hooks exists. `accepted` and `failed` take a struct conn *.
 * core/plugin/hooks/accept.ts has their probes.
 */
#define ACCEPT_PROGRAMS(accepted, failed)                                             \
	static __always_inline int on_accept_exit(bool may_fail)                      \
	{                                                                             \
		struct conn *c = ended_accept();                                      \
                                                                                      \
		if (c && !c->error)                                                   \
			accepted(c);                                                  \
		else if (c && may_fail)                                               \
			failed(c);                                                    \
		return 0;                                                             \
	}                                                                             \
	SEC(ACCEPT_EXITS) int accept_exit(void *ctx)                                  \
	{                                                                             \
		return on_accept_exit(!has_accept_failed);                            \
	}                                                                             \
	CHAIN_LINK(accept_uring, 1);                                                  \
	SEC("tp_btf/io_uring_complete") int accept_uring(void *ctx)                   \
	{                                                                             \
		on_accept_exit(true);                                                 \
		CALL_NEXT_ACCEPT(ctx);                                                \
		return 0;                                                             \
	}                                                                             \
	SEC("fexit/__sys_accept4") int accept_failed(void *ctx)                       \
	{                                                                             \
		return on_accept_exit(true);                                          \
	}                                                                             \
	SEC("fentry/security_sock_graft") int BPF_PROG(accept_graft, struct sock *sk) \
	{                                                                             \
		struct conn *c;                                                       \
                                                                                      \
		if (sk->sk_protocol != IPPROTO_TCP)                                   \
			return on_accept_exit(false);                                 \
		c = conn_of(sk);                                                      \
		if (c && c->accepted_at)                                              \
			accepted(c);                                                  \
		return 0;                                                             \
	}
