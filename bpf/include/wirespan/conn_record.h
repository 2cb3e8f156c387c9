/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The record of a connection: its state, its counters, and the ids of its span. */
#include <wirespan/conn.h>
#include <wirespan/streams.h>
#include <wirespan/ids.h>
#include <wirespan/siphash.h>
#include <wirespan/traffic.h>

const volatile struct siphash_key id_key = {};
/* Identifies this boot of this host. */
const volatile u64 boot = 0;

enum span { SPAN_CONNECTION, SPAN_CONNECT, SPAN_ACCEPT, SPAN_RESET };

/* The application's span that is the record's parent; source CONTEXT_NONE: none. */
struct context {
	u8 trace_id[16];
	u8 parent_span_id[8];
	/* The record's own ids in that trace. */
	u8 span_id[8];
	enum context_source source;
	/* Later events of this context are counted but not reported. */
	bool more;
};

struct conn_record {
	enum span span;
	/* The plugins that want it; 0 if it is reported in an application's trace only. */
	u32 wanted;
	/* Number of contexts after the record. */
	u32 contexts;
	u8 trace_id[16];
	u8 span_id[8];
	/* All zero: a root span. */
	u8 parent_span_id[8];
	/* Of this end's `tcp connection`: the same as `span_id`, or the span's parent if that is sent. */
	u8 connection_span_id[8];
	struct context context;
	struct conn conn;
	struct traffic traffic;
};

/* Whether this end is the opener for ids. If both opened, the one with the lower number is. */
static __always_inline bool is_opener(const struct conn *c)
{
	return c->simultaneous ? c->own_isn <= c->peer_isn : c->direction == DIRECTION_OUTBOUND;
}

/* Both ends' initial sequence numbers, the opener's in the lower half; for an attempt, its cookie. */
static __always_inline u64 numbers_of(const struct conn *c)
{
	bool is_first = is_opener(c);
	u64 opener = is_first ? c->own_isn : c->peer_isn,
	    acceptor = is_first ? c->peer_isn : c->own_isn;

	return has_numbers(c) ? opener | acceptor << 32 : c->cookie;
}

static __always_inline void read_id(u64 id[2], enum id_domain domain, const struct conn *c)
{
	struct siphash_key key = { id_key.k0, id_key.k1 };
	bool opener = is_opener(c);

	if (has_numbers(c))
		connection_id(id, &key, domain, opener ? c->own_isn : c->peer_isn,
			      opener ? c->peer_isn : c->own_isn);
	else
		attempt_id(id, &key, domain, boot, c->cookie, c->own_isn);
}

/* A global function, so that the verifier checks it once and not for each caller. */
__noinline int read_ids(struct conn_record *r, const struct conn *c)
{
	bool opener;
	u64 id[2];

	if (!r || !c)
		return 0;
	opener = is_opener(c);
	read_id(id, ID_TRACE, c);
	__builtin_memcpy(r->trace_id, id, 16);
	read_id(id, ID_CONNECTION, c);
	__builtin_memcpy(r->connection_span_id, opener ? &id[0] : &id[1], 8);
	if (r->span == SPAN_CONNECTION || r->span == SPAN_RESET) {
		__builtin_memcpy(r->span_id, opener ? &id[0] : &id[1], 8);
		if (!opener)
			__builtin_memcpy(r->parent_span_id, &id[0], 8);
		return 0;
	}
	if (c->promised)
		__builtin_memcpy(r->parent_span_id, opener ? &id[0] : &id[1], 8);
	/* Hashing is the most expensive step here, so the third id is computed only if needed. */
	read_id(id, ID_HANDSHAKE, c);
	__builtin_memcpy(r->span_id, opener ? &id[0] : &id[1], 8);
	return 0;
}

/* All but `traffic` and `wanted`. Every field is written, because reserved memory is not zeroed. Global, as read_ids is. */
__noinline int begin_record(struct conn_record *r, enum span span, const struct conn *c)
{
	if (!r || !c)
		return 0;
	r->span = span;
	r->contexts = 0;
	r->conn = *c;
	__builtin_memset(&r->context, 0, sizeof(r->context));
	__builtin_memset(r->parent_span_id, 0, sizeof(r->parent_span_id));
	read_ids(r, c);
	return 0;
}

/* `state`: see read_traffic. */
static __always_inline void read_record(struct conn_record *r, enum span span, const struct conn *c,
					const struct tcp_sock *tp, u32 state)
{
	begin_record(r, span, c);
	read_traffic(&r->traffic, tp, c, state);
	read_measured(&r->traffic, tp, c);
}

/* Without the socket's counters, if the socket can't be read. */
static __always_inline void read_record_without_socket(struct conn_record *r, enum span span,
						       const struct conn *c)
{
	begin_record(r, span, c);
	__builtin_memset(&r->traffic, 0, sizeof(r->traffic));
}
