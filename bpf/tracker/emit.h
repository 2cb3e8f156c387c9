/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Records that plugins want, from programs that are attached after theirs. */
#include "shared.h"
#include "connect_syscall.h"
#include "sampling.h"
#include <wirespan/context_record.h>
#include "states.h"
#include <wirespan/chain.h>

/* A record without contexts after it. */
#define RESERVE_SPAN()                                                              \
	({                                                                          \
		struct conn_record *span_ =                                         \
			bpf_ringbuf_reserve(&spans, sizeof(struct conn_record), 0); \
                                                                                    \
		if (!span_)                                                         \
			COUNT(lost_spans);                                          \
		span_;                                                              \
	})

static __always_inline struct carrier *carrier_of(struct sock *sk)
{
	return runtime_config.correlates ? bpf_sk_storage_get(&contexts, sk, NULL, 0) : NULL;
}

static __always_inline void add_link(struct linked_record *t, const struct entry *e)
{
	u32 n = t->connection.contexts;

	if (!is_sampled(e) || n >= CONTEXTS)
		return;
	/* Both are aligned, so that this is three words instead of 24 bytes. */
	__builtin_memcpy(__builtin_assume_aligned(t->contexts + MASKED(n, CONTEXTS - 1) * 24, 8),
			 __builtin_assume_aligned(e->trace_id, 8), 24);
	t->connection.contexts = n + 1;
}

/* The requests that it carried, oldest first; a response has the context of its request. */
static __noinline int read_links(struct linked_record *t, struct sock *sk)
{
	struct carrier *carried = carrier_of(sk);

	if (!carried)
		return 0;
	if (!carried->n)
		add_link(t, &carried->opening);
	for (u32 i = CONTEXTS; i; i--)
		if (carried->n >= i)
			add_link(t, &carried->ring[MASKED(carried->n - i, CONTEXTS - 1)]);
	if (carried->awaits_answer)
		add_link(t, &carried->in);
	return 0;
}

/*
 * Whether the span was sent. Called from several places: if it were inlined, the ids alone would make the programs
 * three times as long.
 */
static __noinline bool emit(struct sock *sk, struct conn *c, enum span span, u32 wanted)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn_record *r;

	if (!tp)
		return false;
	COUNT(seen_spans);
	r = RESERVE_SPAN();
	if (!r)
		return false;
	r->wanted = wanted;
	read_record(r, span, c, tp, c->old_state);
	SUBMIT(spans, r);
	return true;
}

/* The span of a connection that carried requests' contexts. */
static __noinline bool emit_linked(struct sock *sk, struct conn *c)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct linked_record *t;

	COUNT(seen_spans);
	t = tp ? bpf_ringbuf_reserve(&spans, sizeof(*t), 0) : NULL;
	if (!t) {
		COUNT(lost_spans);
		return false;
	}
	t->connection.wanted = c->wanted_connection;
	read_record(&t->connection, SPAN_CONNECTION, c, tp, c->old_state);
	read_links(t, sk);
	bpf_ringbuf_submit(t, wakeup(&spans));
	return true;
}

/* A span in an application's trace only, or in addition to the connection's own if plugins want that. */
static __noinline int emit_in_trace(struct sock *sk, struct conn *c, const struct entry *e,
				    enum span span, u32 wanted)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn_record *r;

	COUNT(seen_spans);
	r = tp ? bpf_ringbuf_reserve(&spans, sizeof(*r), 0) : NULL;
	if (!r) {
		COUNT(lost_spans);
		COUNT_CORRELATED(lost, 1);
		return 0;
	}
	r->wanted = wanted;
	read_record(r, span, c, tp, c->old_state);
	take_context(r, e);
	read_in_trace_id(r, span == SPAN_RESET ? IN_TRACE_RESET : IN_TRACE_CONNECT,
			 has_numbers(c) ? 0 : c->own_isn);
	bpf_ringbuf_submit(r, wakeup(&spans));
	return 0;
}

/* The request that waited for the handshake, if the application has announced it. */
static __always_inline const struct entry *opening_of(struct sock *sk)
{
	struct carrier *carried = carrier_of(sk);

	return carried && is_sampled(&carried->opening) ? &carried->opening : NULL;
}

/*
 * Whether the request was aborted: one that was sent and not answered at all, or one that was received and whose
 * response has not been acknowledged. Anything that the other end has sent since, even TLS's or TCP's end, shows that
 * it was complete.
 */
static __always_inline bool is_open(const struct entry *e, const struct tcp_sock *tp)
{
	return e->received == tp->rcv_nxt && (!e->answers || tp->snd_una != tp->write_seq);
}

/* Counts messages behind the last one that was shown. The FIN has a number, too. */
static __always_inline void count_unseen_end(struct sock *sk, u32 old)
{
	struct carrier *carried = carrier_of(sk);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	bool has_fin = old != TCP_ESTABLISHED && old != TCP_CLOSE_WAIT;

	if (old == TCP_SYN_SENT || old == TCP_SYN_RECV || !carried || !carried->n || !tp)
		return;
	if (carried->sent_from && (s32)(tp->write_seq - has_fin - carried->sent_to) > 0)
		COUNT_CORRELATED(unseen, 1);
}

/* The requests on a connection that broke. */
struct broken {
	struct sock *sk;
	struct conn *conn;
	struct carrier *carrier;
	struct streams *streams;
};

static long emit_stream_reset(u32 place, struct broken *b)
{
	struct streams *t = b->streams;
	const struct entry *request = &t->requests[MASKED(place, STREAMS - 1)];

	if (is_sampled(request) && !(t->ended >> MASKED(place, STREAMS - 1) & 1))
		emit_in_trace(b->sk, b->conn, request, SPAN_RESET, 0);
	return 0;
}

/* Those that were sent in the last message, the newest first. */
static long emit_request_reset(u32 i, struct broken *b)
{
	const struct carrier *carried = b->carrier;
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(b->sk);
	u32 last = carried->n - 1;
	const struct entry *e = &carried->ring[MASKED(last - i, CONTEXTS - 1)];

	if (!tp || i > last || e->seq != carried->ring[MASKED(last, CONTEXTS - 1)].seq)
		return 1;
	if (is_sampled(e) && !e->stream && is_open(e, tp))
		emit_in_trace(b->sk, b->conn, e, SPAN_RESET, 0);
	return 0;
}

/* The connection broke: the last request on it, if unanswered, is reported in its own trace. */
static __always_inline void emit_resets(struct sock *sk, struct conn *c)
{
	struct broken broken = { .sk = sk, .conn = c, .carrier = carrier_of(sk) };
	struct carrier *carried = broken.carrier;

	if (!carried || !c->established_at)
		return;
	if (c->close_reason != CLOSE_RST_RECEIVED && c->close_reason != CLOSE_RST_SENT &&
	    c->close_reason != CLOSE_TIMEOUT)
		return;
	/* HTTP/2 requests that were not fully answered. */
	if (carried->protocol == CARRIED_HTTP2)
		broken.streams = bpf_sk_storage_get(&streams, sk, NULL, 0);
	if (broken.streams)
		bpf_loop(STREAMS, emit_stream_reset, &broken, 0);
	if (!carried->awaits_answer) {
		if (carried->n)
			bpf_loop(CONTEXTS, emit_request_reset, &broken, 0);
	} else if (is_sampled(&carried->in)) {
		emit_in_trace(sk, c, &carried->in, SPAN_RESET, 0);
	}
}

/* Always empty. A program without a call may get a per-CPU stack of its own, which must not interrupt itself. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} no_program SEC(".maps");

/* Stores what the plugins have promised where the acceptor's end finds it. */
static __always_inline void pass_promise_on(const struct conn *c)
{
	if (c->direction == DIRECTION_OUTBOUND)
		mark_opened(c, c->promised ? OPENED_AND_PROMISED : OPENED_HERE);
}

/* Its span first: then it is known whether its children have a parent. */
static __always_inline void emit_connection(struct sock *sk, struct conn *c)
{
	c->promised = 0;
	if (!c->wanted_connection || c->emitted_connection)
		return;
	c->emitted_connection = true;
	/* Connections from before the agent have ids, too, as long as their sequence numbers are known. */
	if (carrier_of(sk) ? emit_linked(sk, c)
			   : emit(sk, c, SPAN_CONNECTION, c->wanted_connection))
		c->promised = c->wanted_connection;
}

static __always_inline bool is_kept(struct sock *sk, struct conn *c, u64 until)
{
	struct carrier *carried;
	struct tcp_sock *tp;

	if (!runtime_config.sampling_threshold)
		return true;
	tp = bpf_skc_to_tcp_sock(sk);
	carried = carrier_of(sk);
	return samples(c, carried && carried->has_sampled, tp ? tp->total_retrans : 0, until);
}

/* Its connect and accept spans stay wanted: they are sent with the connection's if that is sampled later. */
static __always_inline void keep_back(struct conn *c, int new)
{
	c->promised = 0;
	if (new == TCP_ESTABLISHED)
		pass_promise_on(c);
	else if (is_wanted(c))
		COUNT(unsampled_connections);
}

static __always_inline void emit_wanted(struct sock *sk, int old, int new)
{
	const struct entry *opening;
	struct conn *c;

	if (new != TCP_CLOSE && !ends_handshake(old, new))
		return;
	c = conn_of(sk);
	if (!c)
		return;
	if (!is_kept(sk, c, new == TCP_CLOSE ? c->closed_at : c->established_at)) {
		keep_back(c, new);
		return;
	}
	if (new == TCP_CLOSE) {
		emit_connection(sk, c);
		emit_resets(sk, c);
	} else if (new == TCP_ESTABLISHED)
		pass_promise_on(c);
	opening = c->emitted_connect ? NULL : opening_of(sk);
	if (opening) {
		c->emitted_connect = true;
		emit_in_trace(sk, c, opening, SPAN_CONNECT, c->wanted_connect);
	} else if (c->wanted_connect && !c->emitted_connect) {
		c->emitted_connect = true;
		emit(sk, c, SPAN_CONNECT, c->wanted_connect);
	}
	/* It ended in the queue, or was not sampled when accept() returned it. */
	if (new == TCP_CLOSE && c->wanted_accept) {
		emit(sk, c, SPAN_ACCEPT, c->wanted_accept);
		c->wanted_accept = 0;
	}
}

/* The last of the chain: by now the plugins have set their bits. */
CHAIN_LINK(on_emit, WANTS_OUTCOMES);
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_emit, struct sock *sk, int old, int new)
{
	if (new == TCP_CLOSE)
		count_unseen_end(sk, old);
	emit_wanted(sk, old, new);
	bpf_tail_call_static(ctx, &no_program, 0);
	return 0;
}

SEC("tp/syscalls/sys_exit_connect")
int on_connect_exit(struct trace_event_raw_sys_exit *ctx)
{
	u32 zero = 0, tid = bpf_get_current_pid_tgid();
	struct conn *c = bpf_map_lookup_elem(&connect_results, &zero);
	u64 *mark = bpf_map_lookup_elem(&connect_by_tid, &tid);
	u64 cookie = mark ? *mark : 0;

	if (!c)
		return 0;
	/* Not valid until it is known to be an attempt. */
	c->opened_at = 0;
	if (mark)
		bpf_map_delete_elem(&connect_by_tid, &tid);
	if (!fails_at_once(ctx->ret) || !read_attempt(c, cookie))
		return 0;
	c->error = -ctx->ret;
	c->close_reason = reason_of(c, TCP_CLOSE);
	read_current_owner(c, OWNER_CONNECT);
	if (is_own(c))
		exclude(c);
	c->closed_at = c->opened_at = bpf_ktime_get_boot_ns();
	c->own_isn = c->opened_at;
	return 0;
}

static __always_inline int emit_without_socket(const struct conn *c, enum span span, u32 wanted)
{
	struct conn_record *r;

	if (!wanted)
		return 0;
	COUNT(seen_spans);
	r = RESERVE_SPAN();
	if (!r)
		return 0;
	r->wanted = wanted;
	read_record_without_socket(r, span, c);
	SUBMIT(spans, r);
	return 0;
}

/* Attached after every plugin's programs. */
SEC("tp/syscalls/sys_exit_connect")
int on_connect_emit(void *ctx)
{
	struct conn *c = failed_connect();

	return c && samples(c, false, 0, c->closed_at)
		       ? emit_without_socket(c, SPAN_CONNECT, c->wanted_connect)
		       : 0;
}
