/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* HTTP/1.1 requests in messages that applications send: one or several in a message, or a head in several messages. */
#include "http1.h"
#include "source.h"

/* The message contains a head, or its next part. Global: verified once. */
__noinline int read_sent_head(struct scratch *s, struct carrier *c, const struct source *from,
			      struct entry *e, u32 bytes)
{
	u32 limit, n, begin, had = 0;
	bool continues;
	int head;

	if (!s || !c || !from || !e)
		return HEAD_OTHER;
	continues = c->tail_of == TAIL_SENT;
	if (continues)
		had = c->head_bytes;
	limit = window - had;
	if (limit > bytes)
		limit = bytes;
	begin = begin_scratch(s, &c->tail, continues);
	n = copy_message(s, from, limit);
	s->filled = n;
	head = read_head(e, s, begin, n);
	if (!goes_on(head, had + (bytes > limit ? window : n - TAIL))) {
		drop_tail(c);
		return head;
	}
	keep_tail(c, s, begin, n, TAIL_SENT);
	c->head_bytes = had + (n - TAIL);
	return head;
}

/* A request line begins the message, or its head continues in it. Whether the head was searched for its bytes' context. */
static __always_inline bool on_request(struct scratch *s, const struct message *m,
				       struct carrier *c, const struct source *from, bool is_first,
				       bool has_context)
{
	const struct entry *newest = &c->ring[MASKED(c->n - 1, CONTEXTS - 1)];
	struct entry e = { .seq = m->seq, .received = m->tp->rcv_nxt };
	int head;

	if (is_first) {
		drop_tail(c);
		/* The last request is unanswered: these may be bytes of its body. */
		if (c->asked && c->asked_at == e.received && c->sent_from != m->seq) {
			COUNT_CORRELATED(ambiguous, 1);
			if (!has_context)
				keep(c, m->earlier, &e);
			return false;
		}
		c->asked = true;
		c->asked_at = e.received;
	}
	c->protocol = CARRIED_HTTP1;
	head = read_sent_head(s, c, from, &e, m->bytes);
	if (has_context) {
		if (!head && c->n && !is_same_context(newest, &e))
			COUNT_CORRELATED(contradicted, 1);
		return false;
	}
	if (!head)
		COUNT_CORRELATED(headers_sent, 1);
	if (!head || is_first)
		keep(c, m->earlier, &e);
	return true;
}

struct pipelined {
	struct carrier *carrier;
	struct earlier *earlier;
	struct scratch *scratch;
	u32 seq;
	u32 bytes;
	u32 received;
	u32 further;
	int head;
};

/* The next request in a message; 1 if there is none. */
static long read_further(u32 i, struct pipelined *p)
{
	struct carrier *c = p->carrier;
	struct scratch *s = p->scratch;
	struct entry *e = &s->further;
	u32 at = s->next, n = s->filled;

	if (!is_request_next(s, n))
		return 1;
	p->further++;
	__builtin_memset(e, 0, sizeof(*e));
	e->seq = p->seq + at - TAIL;
	e->received = p->received;
	p->head = read_head(e, s, at, n);
	if (goes_on(p->head, p->bytes > n - TAIL ? window : n - at)) {
		keep_tail(c, s, at, n, TAIL_SENT);
		c->head_bytes = n - at;
	}
	if (!p->head)
		COUNT_CORRELATED(headers_sent, 1);
	keep(c, p->earlier, e);
	return 0;
}

/* Whether something follows the head and the body in a message, or a body goes beyond it. */
static __always_inline bool is_more_sent(const struct scratch *s, u32 bytes)
{
	return s->next != s->filled || s->filled - TAIL != bytes;
}

/*
 * The requests behind the first in a message, each with its own context. What follows the last, and what is received
 * from then on, belongs to no request.
 */
static __noinline int read_pipelined(struct sock *sk, struct scratch *s, const struct message *m,
				     struct carrier *c)
{
	struct pipelined p = {
		.carrier = c,
		.earlier = m->earlier,
		.scratch = s,
		.seq = m->seq,
		.bytes = m->bytes,
		.received = m->tp->rcv_nxt,
	};
	u32 n = s->filled, end;

	if (is_request_next(s, n)) {
		if (!p.earlier)
			p.earlier = create_earlier(sk);
		bpf_loop(PIPELINED, read_further, &p, 0);
	}
	end = (s->next > n ? s->next : n) - TAIL;
	if (!p.further && (s->next < n || end >= m->bytes))
		return 0;
	if (end < m->bytes && p.head != HEAD_CONTINUES)
		COUNT_CORRELATED(beyond_window, 1);
	__builtin_memset(&s->further, 0, sizeof(s->further));
	s->further.seq = m->seq + end;
	s->further.received = p.received;
	keep(c, p.earlier, &s->further);
	return 0;
}

/* "HTTP/1.1 100 Continue" and two line ends: the body may follow now. */
#define CONTINUE_BYTES 25

/*
 * What is sent after a response has begun to arrive is not the body of the request that it answers, but an
 * unrecognised request or another protocol: it belongs to no context.
 */
static __always_inline void end_answered(const struct message *m, struct carrier *c)
{
	const struct entry *newest = &c->ring[MASKED(c->n - 1, CONTEXTS - 1)];
	const struct entry nobodys = { .seq = m->seq, .received = m->tp->rcv_nxt };
	u32 answered = nobodys.received - c->asked_at;

	if (c->n && c->asked && answered && answered != CONTINUE_BYTES &&
	    (newest->source == CONTEXT_HEADER || newest->source == CONTEXT_UPROBE))
		keep(c, m->earlier, &nobodys);
}
