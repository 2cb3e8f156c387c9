/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Requests that a socket receives: which bytes belong to a head, and whether the request is to be read. */
#include "announcement.h"
#include "http2.h"

static __always_inline bool is_private(const struct endpoints *e)
{
	const u8 *a = e->peer;

	if (e->family == 4)
		return a[0] == 10 || a[0] == 127 || (a[0] == 172 && a[1] >> 4 == 1) ||
		       (a[0] == 192 && a[1] == 168) || (a[0] == 169 && a[1] == 254) ||
		       (a[0] == 100 && a[1] >> 6 == 1);
	return (a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && a[1] >> 6 == 2) || is_loopback(e);
}

/* Whether contexts from this peer are accepted. */
static __always_inline bool is_trusted(const struct conn *c)
{
	return inbound == INBOUND_ALWAYS ||
	       (inbound == INBOUND_PRIVATE_PEERS && is_private(&c->ends));
}

static __always_inline bool is_receive_opaque(const struct conn *c)
{
	return c->direction == DIRECTION_OUTBOUND ? c->unread_segments != ANSWERS_FOLLOWED
						  : c->unread_segments >= OPAQUE_AFTER;
}

/* The carrier for a request that begins or continues; NULL: not a request, or not to be read. */
static __always_inline struct carrier *carrier_for(struct sock *sk, struct conn *known, u64 word)
{
	struct carrier *c = bpf_sk_storage_get(&contexts, sk, NULL, 0);
	bool is_request = (reads_http1 && is_method(word)) || (reads_http2 && (u32)word == PREFACE);

	if (c && (is_request || c->tail_of == TAIL_RECEIVED || c->protocol == CARRIED_HTTP2))
		return c;
	if (is_request && !c) {
		if (is_trusted(known) && passes(known, 0))
			return create_carrier(sk);
		if (known->owner_source != OWNER_LISTENER)
			known->unread_segments = OPAQUE_FOR_GOOD;
		return NULL;
	}
	/* After a response comes another request, of an unknown kind. */
	if (c && !c->awaits_answer && c->protocol == CARRIED_HTTP1) {
		__builtin_memset(&c->in, 0, sizeof(c->in));
		c->awaits_answer = true;
	}
	if (!c && known->unread_segments < OPAQUE_AFTER)
		known->unread_segments++;
	return NULL;
}

/*
 * A request begins. If it arrives while another is unanswered, or while a response is still being sent (`overlaps`),
 * the next bytes cannot be assigned. `is_soon`: after the handshake; `answered_from`: where the next response begins.
 */
__noinline int begin_request(struct carrier *c, u32 seq, bool overlaps, bool is_soon,
			     u32 answered_from)
{
	if (!c)
		return 0;
	__builtin_memset(&c->in, 0, sizeof(c->in));
	c->asked_at = seq;
	drop_tail(c);
	/* A response that no program was shown is not one that is still to come. */
	if (c->awaits_answer && c->answered_from == answered_from)
		c->is_pipelined = true;
	c->answered_from = answered_from;
	c->overlaps = overlaps || c->awaits_answer || c->is_pipelined;
	if (c->overlaps)
		COUNT_CORRELATED(ambiguous, 1);
	if (!c->handshake_settled) {
		c->handshake_settled = true;
		c->awaits_accept = is_soon;
	}
	c->awaits_answer = true;
	return 0;
}

static __always_inline void take_received(struct carrier *c, struct entry *e)
{
	if (c->overlaps || c->is_pipelined)
		return;
	COUNT_CORRELATED(headers_received, 1);
	e->seq = c->asked_at;
	c->in = *e;
	c->has_sampled |= is_sampled(e);
}

struct further {
	struct scratch *scratch;
	u32 n;
	u32 count;
	/* Where the last one begins. */
	u32 at;
};

/* The next request in a segment; 1 if there is none. */
static long count_further(u32 i, struct further *f)
{
	struct scratch *s = f->scratch;

	if (!is_request_next(s, f->n))
		return 1;
	f->count++;
	f->at = s->next;
	search_head(s, f->at, f->n);
	return 0;
}

/*
 * Further requests in the same segment: their number is counted, and their responses are not assigned. `is_cut`: more
 * of it follows.
 */
static __noinline int count_pipelined(struct carrier *c, struct scratch *s, u32 n, bool is_cut)
{
	struct further f = { .scratch = s, .n = n };

	if (!is_request_next(s, n))
		return 0;
	bpf_loop(PIPELINED, count_further, &f, 0);
	COUNT_CORRELATED(ambiguous, f.count);
	c->is_pipelined = true;
	__builtin_memset(&c->in, 0, sizeof(c->in));
	if (is_cut) {
		COUNT_CORRELATED(beyond_window, 1);
	} else if (!s->next) {
		keep_tail(c, s, f.at, n, TAIL_RECEIVED);
		c->head_bytes = n - f.at;
	}
	return 0;
}

/*
 * `n` bytes of a head that begins at `from`, including the tail, are in `s`; `bytes`: of the message, up to the limit of
 * the window.
 */
static __always_inline void read_received_head(struct carrier *c, struct scratch *s, u32 from,
					       u32 n, u32 bytes)
{
	bool is_cut = c->head_bytes + bytes >= window;
	struct entry e = {};
	int head = read_head(&e, s, from, n);

	if (goes_on(head, c->head_bytes + bytes)) {
		keep_tail(c, s, from, n, TAIL_RECEIVED);
		c->head_bytes += n - TAIL;
		return;
	}
	drop_tail(c);
	if (!head)
		take_received(c, &e);
	count_pipelined(c, s, n, is_cut);
}
