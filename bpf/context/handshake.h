/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Handshakes, and waits for accept(), in the traces of the requests that waited for them. */
#include "../tracker/accept_syscall.h"
#include "shared.h"

/* TLS records that begin a handshake message. */
enum { TLS_CHANGE_CIPHER = 0x14, TLS_HANDSHAKE = 0x16, TLS_DATA = 0x17 };
/* A ChangeCipherSpec alone, or TLS 1.3's Finished, with a hash of 32 or 48 bytes (RFC 8446, 4.4.4 and 5.2). */
enum { TLS_CHANGE_BYTES = 6, TLS_FINISHED_BYTES = 58, TLS_FINISHED_384_BYTES = 74 };

/* Whether a message is not a request, but the beginning of a protocol. */
static __always_inline bool is_prelude(const struct message *m, const struct carrier *c, u64 word)
{
	u8 type = word;

	if (c->protocol != CARRIED_TLS)
		return c->protocol == CARRIED_HTTP2;
	if (type == TLS_DATA)
		return m->bytes == TLS_FINISHED_BYTES || m->bytes == TLS_FINISHED_384_BYTES;
	return type == TLS_HANDSHAKE || type == TLS_CHANGE_CIPHER || m->bytes == TLS_CHANGE_BYTES;
}

/*
 * A span that does not require a plugin: the handshake that a request waited for, or the wait for accept(). `w`: the
 * acceptor, if the connection's row does not have it yet.
 */
static __noinline int emit_handshake(struct sock *sk, struct conn *c, const struct waiting *w,
				     const struct entry *e, enum span span)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn_record *r;

	if (!is_sampled(e))
		return 0;
	r = tp ? bpf_ringbuf_reserve(&spans, sizeof(*r), 0) : NULL;
	if (!r) {
		COUNT_CORRELATED(lost, 1);
		return 0;
	}
	r->wanted = 0;
	read_record(r, span, c, tp, sk->__sk_common.skc_state);
	if (w)
		take_accept(&r->conn, w, true);
	take_context(r, e);
	read_in_trace_id(r, span == SPAN_CONNECT ? IN_TRACE_CONNECT : IN_TRACE_ACCEPT, 0);
	bpf_ringbuf_submit(r, wakeup(&spans));
	return 0;
}

/*
 * The handshake that the first request waited for, and the wait for accept() of a connection that was opened for a
 * request, are reported as soon as the request's context is known. `word`: the message's first bytes.
 */
static __always_inline void tell_handshake(struct sock *sk, const struct message *m,
					   struct carrier *c, u64 word)
{
	const struct entry *first = &c->ring[0];
	struct conn *known = m->conn;
	const struct waiting *w = NULL;
	u64 cookie = known->cookie;
	bool is_first;

	if (known->direction == DIRECTION_OUTBOUND) {
		if (c->handshake_settled || (!c->n && is_prelude(m, c, word)))
			return;
		c->handshake_settled = true;
		is_first = m->seq == known->own_isn || c->protocol == CARRIED_TLS ||
			   c->protocol == CARRIED_HTTP2;
		if (c->n && is_first && is_sampled(first) && !c->opening.source &&
		    is_soon_after_handshake(known))
			emit_handshake(sk, known, NULL, first, SPAN_CONNECT);
		return;
	}
	/* HTTP/2's first messages are not responses. */
	if (!c->awaits_accept || c->awaits_answer || (c->protocol == CARRIED_HTTP2 && !c->n))
		return;
	c->awaits_accept = false;
	/* A system call's tracepoint records it next to the connection. */
	if (!known->accepted_at) {
		w = bpf_map_lookup_elem(&unaccepted, &cookie);
		if (!w || !w->accepted_at)
			return;
	}
	if (c->n && is_sampled(first))
		emit_handshake(sk, known, w, first, SPAN_ACCEPT);
}
