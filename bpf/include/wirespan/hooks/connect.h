/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The outcome of every connect(): at the end of its handshake (tp_btf/inet_sock_set_state), or, if the attempt failed
 * before its socket left CLOSE, at the end of the system call (tp/syscalls/sys_exit_connect).
 */
#include <wirespan/chain.h>
#include <wirespan/conn.h>

/* Defines the programs; `on_outcome` takes a struct conn *. core/plugin/hooks/connect.ts has their probes. */
#define CONNECT_PROGRAMS(on_outcome)                                                     \
	static __always_inline void on_handshake_end(struct sock *sk, int old, int new_) \
	{                                                                                \
		struct conn *c;                                                          \
                                                                                         \
		if (!ends_handshake(old, new_))                                          \
			return;                                                          \
		c = conn_of(sk);                                                         \
		/* Attempts that began before the agent started are ignored. */          \
		if (c && c->direction == DIRECTION_OUTBOUND && !c->before_start)         \
			on_outcome(c);                                                   \
	}                                                                                \
	STATE_PROGRAM(on_handshake, WANTS_OUTCOMES, on_handshake_end)                    \
	SEC("tp/syscalls/sys_exit_connect") int on_failed_at_once(void *ctx)             \
	{                                                                                \
		struct conn *c = failed_connect();                                       \
                                                                                         \
		if (c)                                                                   \
			on_outcome(c);                                                   \
		return 0;                                                                \
	}
