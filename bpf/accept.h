/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * What a plugin does of each connection that accept() returned, and of each call that failed: its programs
 * run after the core has said who accepted, and before the core emits the spans that are wanted.
 */
#include "conn.h"
#include <bpf/bpf_tracing.h>

/* The TCP socket that accept() gives to its caller: of a multipath one, its first subflow. */
static __always_inline struct sock *grafted(struct sock *sk)
{
	struct mptcp_sock *multipath;

	if (sk->sk_protocol == IPPROTO_TCP)
		return sk;
	if (sk->sk_protocol != IPPROTO_MPTCP)
		return NULL;
	multipath = bpf_skc_to_mptcp_sock(sk);
	return multipath ? multipath->first : NULL;
}

/*
 * Defines the programs, on whichever of these hooks there is. `accepted` and `failed` take a struct conn *.
 * core/accept.ts has their probes.
 */
#define ACCEPT_PROGRAMS(accepted, failed)                                             \
	static __always_inline int on_accept_exit(void)                               \
	{                                                                             \
		struct conn *c = accepting_of();                                      \
                                                                                      \
		if (c && c->error)                                                    \
			failed(c);                                                    \
		else if (c)                                                           \
			accepted(c);                                                  \
		return 0;                                                             \
	}                                                                             \
	SEC("tp/syscalls/sys_exit_accept4") int accept4_exit(void *ctx)               \
	{                                                                             \
		return on_accept_exit();                                              \
	}                                                                             \
	SEC("tp/syscalls/sys_exit_accept") int accept_exit(void *ctx)                 \
	{                                                                             \
		return on_accept_exit();                                              \
	}                                                                             \
	SEC("fexit/__sys_accept4") int accept_failed(void *ctx)                       \
	{                                                                             \
		return on_accept_exit();                                              \
	}                                                                             \
	SEC("fentry/security_sock_graft") int BPF_PROG(accept_graft, struct sock *sk) \
	{                                                                             \
		struct sock *child = grafted(sk);                                     \
		struct conn *c = child ? conn_of(child) : NULL;                       \
                                                                                      \
		if (c && c->accepted_at)                                              \
			accepted(c);                                                  \
		return 0;                                                             \
	}
