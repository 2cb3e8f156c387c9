/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Events of plugins in applications' own traces: ask whose a sequence number is (contexts_at), and send a record for each
 * of those contexts; `connections.inTrace` makes a span of it.
 */
#include <wirespan/context_record.h>
#include <wirespan/ring.h>

/* Spans of one context. */
#define CONTEXT_EVENTS 8

/* Of the request that was received last, behind those of the ring. */
#define PLACE_RECEIVED CONTEXTS

/* A list of places, the newest context's first, four bits each: 0 ends it. */
#define PLACE_OF(list)   (((list)&15) - 1)
#define NEXT_PLACE(list) ((list) >> 4)

/* Requests of one message that an event is told of; more are counted. The verifier of older kernels allows no more. */
#define REQUESTS_AT_ONCE 2

/*
 * Whose a byte with this number is: the places that hold a sampled context of the message that it was sent in, or, of one
 * that the peer sent, of the request that it answers or is part of. What one message holds of several requests is not
 * told apart. Global, as all with a loop here: the verifier goes through it once, not once for each state of its caller.
 */
__noinline int places_in(const struct carrier *c, u32 seq, bool is_received)
{
	u32 places = 0, from = 0, count = 0;
	bool found = false;

	if (!c)
		return 0;
	if (is_received && c->in.source)
		return is_sampled(&c->in) && c->awaits_answer && (s32)(seq - c->in.seq) >= 0
			       ? PLACE_RECEIVED + 1
			       : 0;
	for (u32 i = 0; i < CONTEXTS; i++) {
		u32 place = (c->n - 1 - i) & (CONTEXTS - 1);
		const struct entry *e = &c->ring[place];
		u32 begins = is_received ? e->received : e->seq;

		if (i >= c->n)
			break;
		if (!found && (s32)(seq - begins) < 0)
			continue;
		if (found && e->seq != from)
			break;
		found = true;
		from = e->seq;
		if (is_sampled(e) && !(is_received && e->answers))
			places |= (place + 1) << (4 * MASKED(count++, CONTEXTS - 1));
	}
	if (count > REQUESTS_AT_ONCE)
		COUNT_CORRELATED(suppressed, count - REQUESTS_AT_ONCE);
	return places;
}

static __always_inline struct carrier *carried_by(struct sock *sk)
{
	return bpf_sk_storage_get(&contexts, sk, NULL, 0);
}

static __always_inline u32 contexts_at(struct sock *sk, u32 seq, bool is_received)
{
	struct carrier *c = carried_by(sk);

	return c ? places_in(c, seq, is_received) : 0;
}

/*
 * The context at a place (contexts_at); 0, and counted, if it has had its share of spans. `event`: see read_in_trace_id.
 */
__noinline int read_context(struct conn_record *r, struct carrier *c, u32 place,
			    enum in_trace_kind kind, u64 event)
{
	struct entry *e;

	if (!r || !c)
		return 0;
	e = place == PLACE_RECEIVED ? &c->in : &c->ring[MASKED(place, CONTEXTS - 1)];
	if (e->reported >= CONTEXT_EVENTS) {
		COUNT_CORRELATED(suppressed, 1);
		return 0;
	}
	e->reported++;
	take_context(r, e);
	r->context.more = e->reported == CONTEXT_EVENTS;
	read_in_trace_id(r, kind, event);
	return 1;
}

/* A record that may be sent in a request's trace: NULL, and counted, if the ring has no room. */
#define RESERVE_IN_TRACE(ring, bytes)                                \
	({                                                           \
		void *record_ = bpf_ringbuf_reserve(ring, bytes, 0); \
		if (!record_)                                        \
			COUNT_CORRELATED(lost, 1);                   \
		record_;                                             \
	})

/* What tells the events of one request apart: the first byte's number, and one of the event. */
#define IN_TRACE_EVENT(seq, n) ((u64)(u32)(n) << 32 | (u32)(seq))

/* Sends it below the context at `place`, or discards it if that has had its share; its `connection` is filled already. */
#define SUBMIT_IN_TRACE(ring, record, sk, place, kind, event)                            \
	do {                                                                             \
		struct carrier *carrier_ = carried_by(sk);                               \
		struct conn_record *connection_ = &(record)->connection;                 \
                                                                                         \
		connection_->wanted = 0;                                                 \
		if (carrier_ && read_context(connection_, carrier_, place, kind, event)) \
			bpf_ringbuf_submit(record, wakeup(ring));                        \
		else                                                                     \
			bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);                   \
	} while (0)
