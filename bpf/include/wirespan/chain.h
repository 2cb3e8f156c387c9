/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * At a connection's change of state one chain of programs runs, each of which calls the next: the tracker's first,
 * one of each plugin, the tracker's emitter. core/bridge/tail-chain.ts joins them. So the kernel enters one program and not
 * one of each plugin, and a plugin sees only sockets that are TCP's, known and not excluded.
 *
 * The kernel does not enter a program that is already running on this CPU. A packet can interrupt one in a system call,
 * and a softirq then handles hundreds: the tracker has a second program, entered next, which leads the events that the
 * first was not entered for into the same chain. So a plugin's program may interrupt itself, once: `is_nested` of its
 * struct conn shows it, and per-CPU scratch memory must be kept apart.
 */
#include <wirespan/conn.h>
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} next_program SEC(".maps");

/* Does not return if there is a next one. */
#define CALL_NEXT(ctx) bpf_tail_call_static(ctx, &next_program, 0)

/*
 * A plugin's link of the chain; `see` takes the socket, the state that it leaves and the one that it enters. The
 * second program sees the ends that no program was shown and that a sweep has found; it is loaded only then.
 */
#define STATE_PROGRAM(name, see)                                   \
	SEC("tp_btf/inet_sock_set_state")                          \
	int BPF_PROG(name, struct sock *sk, int old, int new_)     \
	{                                                          \
		see(sk, old, new_);                                \
		CALL_NEXT(ctx);                                    \
		return 0;                                          \
	}                                                          \
	SEC("iter/bpf_sk_storage_map")                             \
	int name##_found(struct bpf_iter__bpf_sk_storage_map *ctx) \
	{                                                          \
		struct sock *sk = ctx->sk;                         \
		struct conn *c = known_at(sk);                     \
                                                                   \
		if (sk && c && c->found_end)                       \
			see(sk, c->old_state, (int)TCP_CLOSE);     \
		return 0;                                          \
	}
