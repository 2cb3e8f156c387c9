/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * A connection's change of state runs a chain of programs, each of which calls the next: the tracker's, then one of each
 * plugin that wants changes of this kind, then the tracker's emitter. core/bridge/tail-chain.ts links them. The kernel
 * thus enters one program instead of one per plugin, and a plugin sees only TCP sockets that are known and not excluded.
 * docs/architecture.md compares alternatives.
 *
 * The kernel does not enter a program that is already running on this CPU. A packet can interrupt one in a system
 * call, and a softirq then handles hundreds. Therefore the tracker has a second program, entered next, which feeds the
 * events that the first one missed into the same chain (second_program.h). A plugin's program may thus interrupt itself,
 * once: `is_nested` of its struct conn is then set, and each run needs its own per-CPU scratch memory.
 */
#include <wirespan/conn.h>
#include <wirespan/kernel.h>
#include <wirespan/skeleton.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* The two ends of a loopback connection change state ten times: 1, 1, 2, 2 and 4 times in these ways. */
enum change_kind {
	CHANGE_OPEN,
	/* Into or out of LISTEN: a listener, or a connection that it has received. */
	CHANGE_LISTEN,
	/* A handshake ends, but the attempt does not end with it. */
	CHANGE_HANDSHAKE,
	CHANGE_CLOSE,
	CHANGE_OTHER,
	CHANGES,
};
#define WANTS(change)  (1u << CHANGE_##change)
#define WANTS_OUTCOMES (WANTS(HANDSHAKE) | WANTS(CLOSE))
#define WANTS_ALL      ((1u << CHANGES) - 1)

static __always_inline enum change_kind change_of(int old, int new)
{
	if (old == TCP_LISTEN || new == TCP_LISTEN)
		return CHANGE_LISTEN;
	if (new == TCP_CLOSE)
		return CHANGE_CLOSE;
	if (new == TCP_ESTABLISHED || ends_handshake(old, new))
		return CHANGE_HANDSHAKE;
	return new == TCP_SYN_SENT ? CHANGE_OPEN : CHANGE_OTHER;
}

/* The next program for each kind of change. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, CHANGES);
	__type(key, u32);
	__type(value, u32);
} next_program SEC(".maps");

#define CALL_IF(ctx, wants, change, kind)               \
	if ((wants)&1u << (kind) && (change) == (kind)) \
	bpf_tail_call_static(ctx, &next_program, (u32)(kind))

/* Does not return if there is a next one. `wants`: the kinds that may get here; constants make the call a jump. */
#define CALL_NEXT(ctx, wants, old, new)                         \
	do {                                                    \
		enum change_kind change_ = change_of(old, new); \
                                                                \
		CALL_IF(ctx, wants, change_, CHANGE_OPEN);      \
		CALL_IF(ctx, wants, change_, CHANGE_LISTEN);    \
		CALL_IF(ctx, wants, change_, CHANGE_HANDSHAKE); \
		CALL_IF(ctx, wants, change_, CHANGE_CLOSE);     \
		CALL_IF(ctx, wants, change_, CHANGE_OTHER);     \
	} while (0)

/*
 * A plugin's link of the chain, called at changes of the kinds that it `wants`; `see` takes the socket, the state that
 * it leaves and the one that it enters. The second program sees the ends that no program observed and that a sweep
 * has found; it is loaded only when needed.
 */
#define STATE_PROGRAM(name, wants, see)                            \
	CHAIN_LINK(name, wants);                                   \
	SEC("tp_btf/inet_sock_set_state")                          \
	int BPF_PROG(name, struct sock *sk, int old, int new_)     \
	{                                                          \
		see(sk, old, new_);                                \
		CALL_NEXT(ctx, wants, old, new_);                  \
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
