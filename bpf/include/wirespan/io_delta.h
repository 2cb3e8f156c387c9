/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Bytes, retransmissions and connections since they were last summed, from the sockets' own counters: no program runs
 * per packet or message. A sweep adds living connections and the close adds the rest, possibly at the same time on
 * another CPU. A mark in the socket's storage holds what was added already. The close writes closed_at and then looks
 * for the mark; the sweep creates the mark and then reads closed_at: at least one of them sees the other.
 */
#include <wirespan/barrier.h>
#include <wirespan/conn.h>
#include <wirespan/skeleton.h>
#include <wirespan/traffic.h>

/* Boot clock. Traffic of connections without a mark from before this time is not counted. */
const volatile u64 loaded_at = 0;

/* What to add to the sums; in `io_marks`, what was added so far. */
struct io_delta {
	u64 sent_bytes;
	u64 received_bytes;
	u64 retransmits;
	/* 1 the first time. */
	u64 connections;
	/* Identifies the connection among those of its socket: after a reconnect the counters start at zero. */
	u64 established_at;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct io_delta);
} io_marks SEC(".maps");
KEEP_ON_RESTART(io_marks);

/* Advances a mark and returns the difference, to exactly one of two racing CPUs. */
static __always_inline u64 advance_mark(u64 *mark, u64 now)
{
	/* At most two CPUs race here, so the second attempt succeeds. */
	for (int i = 0; i < 4; i++) {
		u64 before = *(volatile u64 *)mark;

		if (now <= before)
			return 0;
		if (__sync_val_compare_and_swap(mark, before, now) == before)
			return now - before;
	}
	return 0;
}

static __always_inline void advance_marks(struct io_delta *delta, struct io_delta *marks,
					  const struct io_delta *now)
{
	delta->sent_bytes = advance_mark(&marks->sent_bytes, now->sent_bytes);
	delta->received_bytes = advance_mark(&marks->received_bytes, now->received_bytes);
	delta->retransmits = advance_mark(&marks->retransmits, now->retransmits);
	delta->connections = advance_mark(&marks->connections, now->connections);
}

/* A connection's first marks: earlier traffic is not counted. */
static __always_inline void first_marks(struct io_delta *marks, const struct conn *c,
					const struct io_delta *now)
{
	if (c->established_at && c->established_at < loaded_at) {
		*marks = *now;
	} else {
		marks->sent_bytes = c->sent_before;
		marks->received_bytes = c->received_before;
		marks->retransmits = c->before_start ? now->retransmits : 0;
		marks->connections = c->before_start;
	}
	marks->established_at = c->established_at;
}

/* An accepted connection's owner is known at its first send or receive; until then its bytes are held back. */
#define PATIENCE_NS 1000000000ull

static __always_inline bool waits_for_owner(const struct conn *c, u64 now)
{
	return awaits_user(c) && !c->before_start && now - c->established_at < PATIENCE_NS;
}

/* At the close, while the socket is locked. `state`: the state before CLOSE. */
static __always_inline void take_closed(struct io_delta *delta, struct sock *sk,
					const struct conn *c, const struct tcp_sock *tp, u32 state)
{
	struct io_delta now, initial, *marks;
	struct traffic traffic;

	read_traffic(&traffic, tp, c, state);
	now.sent_bytes = traffic.sent_bytes;
	now.received_bytes = traffic.received_bytes;
	now.retransmits = traffic.retransmits;
	now.connections = c->established_at != 0;
	full_barrier();
	marks = bpf_sk_storage_get(&io_marks, sk, NULL, 0);
	/* The marks stay: while the plugin restarts, two programs count, and each byte goes to one of them. */
	if (marks && marks->established_at == c->established_at) {
		advance_marks(delta, marks, &now);
	} else {
		first_marks(&initial, c, &now);
		advance_marks(delta, &initial, &now);
	}
}

/*
 * The counters of a socket that may be in use. They include a FIN as a byte shortly before the state shows it: while that
 * is possible, the last byte is held back until the next sweep. The order of the reads matters.
 */
static __always_inline void read_living(struct io_delta *now, const struct tcp_sock *tp,
					const struct conn *c)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	u64 acked = *(volatile u64 *)&tp->bytes_acked,
	    received = *(volatile u64 *)&tp->bytes_received;
	u64 syn = c->direction == DIRECTION_OUTBOUND, fin, done;
	bool locked;
	u32 state;

	full_barrier();
	locked = is_locked(sk);
	full_barrier();
	state = sk->__sk_common.skc_state;
	fin = state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT;
	done = locked ||
	       sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_DONE) & 1;
	now->sent_bytes = acked > syn + fin ? acked - syn - fin : 0;
	now->received_bytes = received > done ? received - done : 0;
	now->retransmits = tp->total_retrans;
	now->connections = 1;
}

/* For an iterator over `conns`; false: nothing to add, or the close adds it. */
static __always_inline bool take_living(struct io_delta *delta, struct sock *sk,
					const struct conn *c)
{
	struct io_delta now, initial, *marks;
	struct tcp_sock *tp;

	if (c->closed_at || !c->established_at)
		return false;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return false;
	read_living(&now, tp, c);
	marks = bpf_sk_storage_get(&io_marks, sk, NULL, 0);
	if (marks && marks->established_at != c->established_at) {
		bpf_sk_storage_delete(&io_marks, sk);
		marks = NULL;
	}
	if (!marks) {
		first_marks(&initial, c, &now);
		marks = bpf_sk_storage_get(&io_marks, sk, &initial, BPF_SK_STORAGE_GET_F_CREATE);
		full_barrier();
		/* If the close did not find the marks, it has added everything. */
		if (marks && *(const volatile u64 *)&c->closed_at) {
			bpf_sk_storage_delete(&io_marks, sk);
			return false;
		}
	}
	if (!marks)
		return false;
	advance_marks(delta, marks, &now);
	return delta->sent_bytes | delta->received_bytes | delta->retransmits | delta->connections;
}
