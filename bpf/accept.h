/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * What a plugin does of each connection that accept() returned, and of each call that failed: its programs
 * run after the core has said who accepted, and before the core emits the spans that are wanted.
 */
#include "conn.h"
#include <bpf/bpf_tracing.h>

/*
 * Defines the programs, on whichever of these hooks there is. `accepted` and `failed` take a struct conn *.
 * core/accept.ts has their probes.
 */
#define ACCEPT_PROGRAMS(accepted, failed)                                           \
	static __always_inline int on_accept_end(void)                              \
	{                                                                           \
		struct conn *c = accepting_of();                                    \
                                                                                    \
		if (c && c->error)                                                  \
			failed(c);                                                  \
		else if (c)                                                         \
			accepted(c);                                                \
		return 0;                                                           \
	}                                                                           \
	static __always_inline int on_accepted_child(struct sock *child)            \
	{                                                                           \
		struct conn *c = child ? conn_of(child) : NULL;                     \
                                                                                    \
		if (c && c->accepted_at)                                            \
			accepted(c);                                                \
		return 0;                                                           \
	}                                                                           \
	SEC("tp/syscalls/sys_exit_accept4") int accept4_exit(void *ctx)             \
	{                                                                           \
		return on_accept_end();                                             \
	}                                                                           \
	SEC("tp/syscalls/sys_exit_accept") int accept_exit(void *ctx)               \
	{                                                                           \
		return on_accept_end();                                             \
	}                                                                           \
	SEC("fexit/__sys_accept4") int accept_failed(void *ctx)                     \
	{                                                                           \
		return on_accept_end();                                             \
	}                                                                           \
	SEC("fexit/inet_csk_accept")                                                \
	int BPF_PROG(accepted_2, struct sock *sk, void *arg, struct sock *child)    \
	{                                                                           \
		return on_accepted_child(child);                                    \
	}                                                                           \
	SEC("fexit/inet_csk_accept")                                                \
	int BPF_PROG(accepted_4, struct sock *sk, int flags, int *error, bool kern, \
		     struct sock *child)                                            \
	{                                                                           \
		return on_accepted_child(child);                                    \
	}
