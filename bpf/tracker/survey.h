/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The count of open connections, for the balance; it also finds sockets that are in another state than the last one
 * shown. Further programs, loaded only after something was not shown, correct states, report ends and remove rows
 * without a socket.
 */
#include "emit.h"
#include "unseen.h"
#include <wirespan/skeleton.h>
#include <wirespan/sweep.h>

struct survey {
	/* Connections, one end each. */
	u64 living;
	/* Sockets in another state than the last one shown. */
	u64 gone_on;
};
EXPORT_ROWS(survey, struct survey);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct survey);
} survey_sum SEC(".maps");

/*
 * Whether the socket is in another state than after the last change. A change in progress holds the lock, and writes
 * what it has seen before the socket's own state changes.
 */
static __always_inline bool has_gone_on(const struct sock *sk, const struct conn *c, u32 *state)
{
	bool shows_lock = bpf_core_field_exists(sk->sk_lock.slock.rlock.raw_lock.locked), locked;
	u32 known = *(const volatile u16 *)&c->state;

	full_barrier();
	locked = is_locked(sk);
	full_barrier();
	*state = sk->__sk_common.skc_state;
	if (*state == known || locked || !known)
		return false;
	full_barrier();
	/* An end is certain without the lock: only a system call could follow. */
	return known == *(const volatile u16 *)&c->state && (shows_lock || *state == TCP_CLOSE);
}

static __always_inline void find_end(struct sock *sk, struct conn *c)
{
	u32 left = c->state;

	COUNT(unseen_changes);
	c->old_state = left;
	c->state = TCP_CLOSE;
	if (left == TCP_LISTEN || c->closed_at)
		return;
	c->ended_unseen = true;
	c->found_end = true;
	c->owner.workload = workload_of(&c->owner);
	if (awaits_acceptor(c))
		take_acceptor(c);
	on_close(sk, c, left);
	if (c->close_reason == CLOSE_RST_SENT)
		c->close_reason = CLOSE_UNKNOWN;
}

static __always_inline void count_living(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	const struct conn *met = ctx->value;
	struct sock *sk = ctx->sk;
	struct survey *sum;
	u32 zero = 0, state;

	sum = bpf_map_lookup_elem(&survey_sum, &zero);
	if (!sum)
		return;
	if (!ctx->meta->seq_num)
		__builtin_memset(sum, 0, sizeof(*sum));
	if (!sk || !met) {
		write_row(ctx, sum, sizeof(*sum));
		return;
	}
	if (met->counted && !met->closed_at)
		sum->living++;
	if (has_gone_on(sk, met, &state))
		sum->gone_on++;
}

/* The count alone; its one row is written at the end. */
SEC("iter/bpf_sk_storage_map")
int survey(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	count_living(ctx);
	return 0;
}

/* More than fit. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u8[ROOM_FOR_ROWS]);
} too_much SEC(".maps");

/*
 * The kernel drops the rows of a socket for which the buffer is too small, and runs the programs for it again once the
 * buffer has been read. By then they have added the socket's traffic to their sums: therefore the buffer is made to
 * overflow before they run.
 */
static __always_inline bool has_room(struct seq_file *seq)
{
	u32 zero = 0;
	void *bytes;

	if (seq->size - seq->count >= ROOM_FOR_ROWS)
		return true;
	bytes = bpf_map_lookup_elem(&too_much, &zero);
	if (bytes)
		bpf_seq_write(seq, bytes, ROOM_FOR_ROWS);
	return false;
}

/* Run at each collection: the first of the chain of sweep.h. */
SEC("iter/bpf_sk_storage_map")
int sweep(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	if (!has_room(ctx->meta->seq))
		return 0;
	count_living(ctx);
	bpf_tail_call_static(ctx, &next_sweep, 0);
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int mend_found(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn *c = known_at(sk);
	u32 state;

	if (!sk || !c || !has_gone_on(sk, c, &state))
		return 0;
	if (state == TCP_CLOSE) {
		find_end(sk, c);
		return 0;
	}
	mend(sk, c, state);
	c->old_state = c->state;
	c->state = state;
	return 0;
}

/* After the plugins' programs have seen the ends that `survey` found. */
SEC("iter/bpf_sk_storage_map")
int report_found(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn *c = known_at(sk);

	if (sk && c && c->found_end) {
		emit_wanted(sk, c->old_state, TCP_CLOSE);
		c->found_end = false;
	}
	return 0;
}

/* Of those that existed when the round began. */
static __always_inline bool has_no_socket(u32 round, u64 established_at)
{
	return round != runtime_config.round && established_at < runtime_config.round_began_at;
}

/* What has ended may still be in memory that is not reused. */
static __always_inline bool is_gone(const struct conn_ref *ref)
{
	const struct conn *c = conn_at(ref);

	return !c || has_no_socket(BPF_PROBE_READ(c, round), BPF_PROBE_READ(c, established_at));
}

static long drop_tuple(struct bpf_map *map, struct tuple *key, struct conn_ref *ref, void *none)
{
	struct tuple tuple = *key;

	if (is_gone(ref))
		bpf_map_delete_elem(&tuples, &tuple);
	return 0;
}

static long drop_queued(struct bpf_map *map, u64 *key, struct waiting *w, void *none)
{
	u64 cookie = *key;

	if (is_gone(&w->conn))
		bpf_map_delete_elem(&unaccepted, &cookie);
	return 0;
}

/* Marks open connections; at the end it removes the rows in `tuples` and `unaccepted` whose connection has no mark. */
SEC("iter/bpf_sk_storage_map")
int drop_rows(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn *c = known_at(sk);

	if (!sk) {
		bpf_for_each_map_elem(&tuples, drop_tuple, NULL, 0);
		bpf_for_each_map_elem(&unaccepted, drop_queued, NULL, 0);
		return 0;
	}
	if (!c || c->closed_at)
		return 0;
	c->round = runtime_config.round;
	return 0;
}
