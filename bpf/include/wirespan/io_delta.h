/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Bytes, retransmissions and connections since they were last summed, from the sockets' own counters: no program runs
 * per packet or message. A sweep adds living connections and the close adds the rest, possibly at the same time on
 * another CPU. A mark next to the struct conn holds what has already been added. The close writes closed_at and then looks
 * for the mark; the sweep makes the mark and then reads closed_at: at least one of them sees the other.
 */
#include <wirespan/barrier.h>
#include <wirespan/conn.h>
#include <wirespan/kernel.h>
#include <wirespan/traffic.h>

/* Boot clock. Traffic of connections without a mark from before this time is not counted. */
const volatile u64 loaded_at = 0;

/*
 * The plugin's index among a connection's marks, and its run, from 1 on: a restart with other settings continues both.
 */
const volatile u32 io_slot = 0;
const volatile u32 io_run = 0;

/* What to add to the sums. */
struct io_delta {
	u64 sent_bytes;
	u64 received_bytes;
	u64 retransmits;
	/* 1 the first time. */
	u64 connections;
};

/* In io_mark.of: the connection is counted; the mark is being made. */
#define IO_COUNTED 1u
#define IO_MAKING  2u

/* After a reconnect the counters start at zero. */
static __always_inline u32 mark_of(const struct conn *c)
{
	return io_run << 16 | (c->life & 0x1fff) << 2;
}

static __always_inline bool is_mark_of(u32 of, const struct conn *c)
{
	return (of & ~IO_COUNTED) == mark_of(c);
}

/* `c` as it is stored with its socket. */
static __always_inline struct io_mark *mark_at(const struct conn *c)
{
	return &((struct stored_conn *)c)->marks[io_slot < IO_MARKS ? io_slot : 0];
}

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

static __always_inline u32 advance_mark32(u32 *mark, u32 now)
{
	for (int i = 0; i < 4; i++) {
		u32 before = *(volatile u32 *)mark;

		if (now <= before)
			return 0;
		if (__sync_val_compare_and_swap(mark, before, now) == before)
			return now - before;
	}
	return 0;
}

static __always_inline void advance_marks(struct io_delta *delta, struct io_mark *mark,
					  const struct io_mark *now)
{
	delta->sent_bytes = advance_mark(&mark->sent_bytes, now->sent_bytes);
	delta->received_bytes = advance_mark(&mark->received_bytes, now->received_bytes);
	delta->retransmits = advance_mark32(&mark->retransmits, now->retransmits);
	delta->connections = advance_mark32(&mark->of, now->of) != 0;
}

/* A connection's first mark except for `of`, which this returns: earlier traffic is not counted. */
static __always_inline u32 first_mark(struct io_mark *mark, const struct conn *c,
				      const struct io_mark *now)
{
	bool is_older = c->established_at && c->established_at < loaded_at;
	bool is_counted = is_older || c->before_start;

	mark->sent_bytes = is_older ? now->sent_bytes : c->sent_before;
	mark->received_bytes = is_older ? now->received_bytes : c->received_before;
	mark->retransmits = is_counted ? now->retransmits : 0;
	return (now->of & ~IO_COUNTED) | (is_counted ? IO_COUNTED : 0);
}

/* False: another sweep is making it, or the close has added everything. */
static __always_inline bool make_mark(struct io_mark *mark, u32 before, const struct conn *c,
				      const struct io_mark *now)
{
	u32 of;

	if (before == IO_MAKING ||
	    __sync_val_compare_and_swap(&mark->of, before, IO_MAKING) != before)
		return false;
	of = first_mark(mark, c, now);
	full_barrier();
	*(volatile u32 *)&mark->of = of;
	full_barrier();
	/* If the close did not find the mark, it has added everything. */
	return !*(const volatile u64 *)&c->closed_at && is_mark_of(of, c);
}

/* An accepted connection's owner is known at its first send or receive; until then its bytes are held back. */
#define PATIENCE_NS 1000000000ull

static __always_inline bool waits_for_owner(const struct conn *c, u64 now)
{
	return awaits_user(c) && !c->before_start && now - c->established_at < PATIENCE_NS;
}

/* At the close, while the socket is locked. `state`: the state before CLOSE. */
static __always_inline void take_closed(struct io_delta *delta, const struct conn *c,
					const struct tcp_sock *tp, u32 state)
{
	struct io_mark now, initial, *mark = mark_at(c);
	struct traffic traffic;

	read_traffic(&traffic, tp, c, state);
	now.sent_bytes = traffic.sent_bytes;
	now.received_bytes = traffic.received_bytes;
	now.retransmits = traffic.retransmits;
	now.of = mark_of(c) | (c->established_at ? IO_COUNTED : 0);
	full_barrier();
	/* The mark stays: while the plugin restarts, two programs count, and each byte goes to one of them. */
	if (!is_mark_of(*(volatile u32 *)&mark->of, c)) {
		initial.of = first_mark(&initial, c, &now);
		mark = &initial;
	}
	advance_marks(delta, mark, &now);
}

/*
 * The counters of a socket that may be in use, without `of`. They include a FIN as a byte shortly before the state shows it: while that
 * is possible, the last byte is held back until the next sweep. The order of the reads matters.
 */
static __always_inline void read_living(struct io_mark *now, const struct tcp_sock *tp,
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
}

/* For an iterator over `conns`; false: nothing to add, or the close adds it. */
static __always_inline bool take_living(struct io_delta *delta, struct sock *sk,
					const struct conn *c)
{
	struct io_mark now, *mark = mark_at(c);
	struct tcp_sock *tp;
	u32 of;

	now.of = mark_of(c) | IO_COUNTED;
	if (c->closed_at || !c->established_at)
		return false;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return false;
	read_living(&now, tp, c);
	of = *(volatile u32 *)&mark->of;
	if (!is_mark_of(of, c) && !make_mark(mark, of, c, &now))
		return false;
	advance_marks(delta, mark, &now);
	return delta->sent_bytes | delta->received_bytes | delta->retransmits | delta->connections;
}
