/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Events of plugins in applications' own traces: look up which contexts the bytes belong to (contexts_at), and send a
 * record for each of them (in_each); `connections.inTrace` makes a span of it.
 */
#include <wirespan/context_record.h>
#include <wirespan/ring.h>

/* Maximum number of spans per context. */
#define CONTEXT_EVENTS 8

/*
 * Places of an event's contexts: those of the ring, then that of the request that was received last, then those of
 * HTTP/2 streams, and those that the ring could not hold. Bit sets.
 */
#define PLACE_RECEIVED CONTEXTS
#define PLACE_STREAMS  (CONTEXTS + 1)
#define PLACE_EARLIER  (PLACE_STREAMS + STREAMS)
#define PLACES         (PLACE_EARLIER + EARLIER)
struct places {
	u64 ring;
	u64 streams;
	u64 earlier;
};

struct range_search {
	struct streams *streams;
	u32 seq;
	u32 end;
	u32 is_received;
	bool found;
	/* A newer stream has the place of one of them. */
	bool is_replaced;
	u64 places;
};

static long match_range(u32 i, struct range_search *search)
{
	struct streams *t = search->streams;
	const struct range *r = search->is_received ? &t->received.ring[MASKED(i, RANGES - 1)]
						    : &t->sent.ring[MASKED(i, RANGES - 1)];
	const struct entry *request;

	if (!r->stream || (s32)(r->begin - search->end) >= 0 || (s32)(search->seq - r->end) >= 0)
		return 0;
	search->found = true;
	request = &t->requests[place_of(r->stream)];
	if (request->stream == r->stream && is_sampled(request))
		search->places |= 1ull << place_of(r->stream);
	if (r->stream & 1 && request->stream > r->stream)
		search->is_replaced = true;
	return 0;
}

/* Whether newer ranges have replaced those of a byte that is in none. */
static __always_inline bool is_range_replaced(const struct ranges *w, u32 seq)
{
	return w->n > RANGES && (s32)(seq - w->ring[MASKED(w->n, RANGES - 1)].begin) < 0;
}

/* For HTTP/2; false: none of the bytes are in a known frame's range. */
static __always_inline bool streams_at(u64 *places, struct sock *sk, u32 seq, u32 bytes,
				       bool is_received)
{
	struct range_search search = {
		.seq = seq,
		.end = seq + bytes,
		.is_received = is_received,
	};

	search.streams = bpf_sk_storage_get(&streams, sk, NULL, 0);
	if (!search.streams)
		return false;
	bpf_loop(RANGES, match_range, &search, 0);
	if (search.is_replaced ||
	    (!search.found && !is_received && is_range_replaced(&search.streams->sent, seq)))
		COUNT_CORRELATED(replaced, 1);
	*places = search.places;
	return search.found;
}

/* No context is known to begin at a byte or before it. */
#define NO_PLACES (-1)

/*
 * Zero, which the verifier does not know. Linux before 6.7 verifies the callback of a loop only as it is called first: a
 * condition on what the callback itself changes must not be decided by then, or the other branch is removed.
 */
static __always_inline u32 unknown_zero(const struct carrier *c)
{
	return c->protocol >> 7;
}

struct ring_search {
	const struct carrier *carrier;
	u32 seq;
	u32 bytes;
	bool is_received;
	bool found;
	/* Where the bytes of the places begin. */
	u32 from;
	u32 places;
};

/* The `i`th context of a carrier, from the last one on. */
static __always_inline u32 place_before(const struct carrier *c, u32 i)
{
	return (c->n - 1 - i) & (CONTEXTS - 1);
}

static long match_place(u32 i, struct ring_search *search)
{
	const struct carrier *c = search->carrier;
	u32 place = place_before(c, i);
	const struct entry *e = &c->ring[MASKED(place, CONTEXTS - 1)];
	u32 begins = search->is_received ? e->received : e->seq;

	if (i >= c->n)
		return 1;
	if (!search->found && (s32)(search->seq - begins) < 0)
		return 0;
	/* A stream's bytes are in its ranges. */
	if ((search->found && e->seq != search->from) || e->stream)
		return 1;
	search->found = true;
	search->from = e->seq;
	if (is_sampled(e) && !(search->is_received && e->answers))
		search->places |= 1 << place;
	return 0;
}

/*
 * Places in the ring and after it: the sampled contexts of the message in which this byte was sent or, if the peer
 * sent it, of the request that it answers or belongs to; or NO_PLACES. Several contexts that a table names for one
 * message are not distinguished. Global: verified once, not for each state of its caller.
 */
__noinline int places_in(const struct carrier *c, u32 seq, bool is_received)
{
	struct ring_search search = { .carrier = c, .seq = seq, .is_received = is_received };

	if (!c)
		return 0;
	if (is_received && (c->in.source || c->protocol == CARRIED_HTTP2))
		return is_sampled(&c->in) && c->awaits_answer && (s32)(seq - c->in.seq) >= 0
			       ? 1 << PLACE_RECEIVED
			       : 0;
	search.found = unknown_zero(c);
	bpf_loop(CONTEXTS, match_place, &search, 0);
	return search.found ? (int)search.places : NO_PLACES;
}

static long match_behind(u32 i, struct ring_search *search)
{
	const struct carrier *c = search->carrier;
	u32 place = place_before(c, i);
	const struct entry *e = &c->ring[MASKED(place, CONTEXTS - 1)];

	if (i >= c->n || (s32)(e->seq - search->seq) <= 0)
		return 1;
	if (e->seq - search->seq >= search->bytes || !is_sampled(e) || e->stream)
		return 0;
	if (e->seq != search->from)
		search->places = 0;
	search->from = e->seq;
	search->places |= 1 << place;
	return 0;
}

/*
 * The places of the first sampled context whose bytes begin behind `seq` in the segment: a retransmission may join what
 * was sent in several messages. Global: verified once.
 */
__noinline int places_within(const struct carrier *c, u32 seq, u32 bytes)
{
	struct ring_search search = { .carrier = c, .seq = seq, .bytes = bytes };

	if (!c)
		return 0;
	bpf_loop(CONTEXTS, match_behind, &search, 0);
	return search.places;
}

struct earlier_search {
	const struct earlier *earlier;
	u32 seq;
	u32 bytes;
	/* Places of contexts of the first byte, and of those whose bytes begin behind it, at `first`. */
	u64 at;
	u64 within;
	u32 first;
	bool found;
};

static long match_earlier(u32 i, struct earlier_search *search)
{
	u32 place = (search->earlier->n + i) & (EARLIER - 1);
	const struct earlier_entry *e = &search->earlier->ring[place];
	u32 behind = e->entry.seq - search->seq;

	/* It was never used if it ends where it begins. */
	if ((s32)(search->seq - e->end) >= 0 || e->end == e->entry.seq)
		return 0;
	if ((s32)behind <= 0) {
		search->found = true;
		if (is_sampled(&e->entry))
			search->at |= 1ull << place;
	} else if (behind < search->bytes && is_sampled(&e->entry)) {
		if (!search->within)
			search->first = e->entry.seq;
		if (e->entry.seq == search->first)
			search->within |= 1ull << place;
	}
	return 0;
}

/* Contexts of bytes that were sent before those of all contexts in the ring. */
static __always_inline bool earlier_at(struct places *places, struct sock *sk,
				       const struct carrier *c, u32 seq, u32 bytes)
{
	struct earlier_search search = { .seq = seq, .bytes = bytes };

	search.earlier = bpf_sk_storage_get(&earlier, sk, NULL, 0);
	search.within = unknown_zero(c);
	if (search.earlier)
		bpf_loop(EARLIER, match_earlier, &search, 0);
	if (!search.found && c->has_replaced && (s32)(seq - c->replaced_to) < 0) {
		COUNT_CORRELATED(replaced, 1);
		return false;
	}
	places->earlier = search.at ? search.at : search.within;
	if (!places->earlier)
		places->ring = places_within(c, seq, bytes);
	return places->earlier || places->ring;
}

/* The contexts of the bytes from `seq` on: for HTTP/2, the requests to whose streams they belong. */
static __noinline bool contexts_at(struct places *places, struct sock *sk, u32 seq, u32 bytes,
				   bool is_received)
{
	struct carrier *c = bpf_sk_storage_get(&contexts, sk, NULL, 0);
	int found;

	if (!c)
		return false;
	if (c->protocol == CARRIED_HTTP2 &&
	    streams_at(&places->streams, sk, seq, bytes, is_received))
		return places->streams != 0;
	found = places_in(c, seq, is_received);
	if (found == NO_PLACES)
		return !is_received && earlier_at(places, sk, c, seq, bytes);
	places->ring = found;
	if (!found && !is_received)
		places->ring = places_within(c, seq, bytes);
	return places->ring != 0;
}

static __always_inline bool has_place(const struct places *places, u32 i)
{
	u64 bits = i < PLACE_STREAMS   ? places->ring >> i
		   : i < PLACE_EARLIER ? places->streams >> ((i - PLACE_STREAMS) & 63)
				       : places->earlier >> ((i - PLACE_EARLIER) & 63);

	return bits & 1;
}

/* Calls `report(place, argument)` for each of the places. */
#define IN_EACH(report, argument) bpf_loop(PLACES, report, argument, 0)

static __always_inline struct entry *context_at(struct sock *sk, u32 place)
{
	struct carrier *c;
	struct earlier *earlier_contexts;
	struct streams *t;

	if (place >= PLACE_EARLIER) {
		earlier_contexts = bpf_sk_storage_get(&earlier, sk, NULL, 0);
		if (!earlier_contexts)
			return NULL;
		return &earlier_contexts->ring[MASKED(place - PLACE_EARLIER, EARLIER - 1)].entry;
	}
	if (place >= PLACE_STREAMS) {
		t = bpf_sk_storage_get(&streams, sk, NULL, 0);
		return t ? &t->requests[MASKED(place - PLACE_STREAMS, STREAMS - 1)] : NULL;
	}
	c = bpf_sk_storage_get(&contexts, sk, NULL, 0);
	if (!c)
		return NULL;
	return place == PLACE_RECEIVED ? &c->in : &c->ring[MASKED(place, CONTEXTS - 1)];
}

/* The context at a place; 0, and counted, if it has reached its limit of spans. `event`: see read_in_trace_id. */
__noinline int read_context(struct conn_record *r, struct entry *e, enum in_trace_kind kind,
			    u64 event)
{
	if (!r || !e)
		return 0;
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

/* A record that may be sent in a request's trace: NULL, and counted, if the ring is full. */
#define RESERVE_IN_TRACE(ring, bytes)                                \
	({                                                           \
		void *record_ = bpf_ringbuf_reserve(ring, bytes, 0); \
		if (!record_)                                        \
			COUNT_CORRELATED(lost, 1);                   \
		record_;                                             \
	})

/* Distinguishes the events of one request: the sequence number of the first byte, and that of an event. */
#define IN_TRACE_EVENT(seq, n) ((u64)(u32)(n) << 32 | (u32)(seq))

/*
 * Sends it below the context at `place`, or discards it if that has reached its limit; its `connection` is already
 * filled in.
 */
#define SUBMIT_IN_TRACE(ring, record, sk, place, kind, event)                 \
	do {                                                                  \
		struct entry *entry_ = context_at(sk, place);                 \
		struct conn_record *connection_ = &(record)->connection;      \
                                                                              \
		connection_->wanted = 0;                                      \
		if (entry_ && read_context(connection_, entry_, kind, event)) \
			bpf_ringbuf_submit(record, wakeup(ring));             \
		else                                                          \
			bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);        \
	} while (0)
