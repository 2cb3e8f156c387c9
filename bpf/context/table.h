/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The table of contexts that an application keeps in its own memory, for encrypted data and protocols other than HTTP:
 * docs/context-table.md. It is read during the application's own system calls, for its own sockets.
 */
#include "announcement.h"

/* The beginning of a slot: seq, and the socket that uses it. */
struct slot_key {
	u32 seq;
	u16 local_port;
	u16 peer_port;
	u8 local[16];
	u8 peer[16];
};

struct slot {
	u64 address;
	struct slot_key key;
	/* `seq` after its records were last zeroed; 0: not set. */
	u32 emptied;
};
#define SLOT_EMPTIED 236
/* Writes are counted modulo 2^31. */
#define WRITES_MASK 0x7fffffff

/* The key as the application knows it: IPv4 as ::ffff:a.b.c.d. */
static __always_inline bool is_slot_of(const struct slot_key *key, const struct endpoints *e)
{
	const u32 *local = (const u32 *)key->local, *peer = (const u32 *)key->peer;
	const u32 *own = (const u32 *)e->local, *other = (const u32 *)e->peer;

	if (key->local_port != e->local_port || key->peer_port != e->peer_port)
		return false;
	if (e->family == 4)
		return local[3] == own[0] && peer[3] == other[0] && local[2] == bpf_htonl(0xffff) &&
		       peer[2] == bpf_htonl(0xffff) && !(local[0] | local[1] | peer[0] | peer[1]);
	return local[0] == own[0] && local[1] == own[1] && local[2] == own[2] &&
	       local[3] == own[3] && peer[0] == other[0] && peer[1] == other[1] &&
	       peer[2] == other[2] && peer[3] == other[3];
}

static __always_inline void take_record(struct entry *e, const struct context_record *r)
{
	e->source = CONTEXT_NONE;
	e->flags = r->flags;
	__builtin_memcpy(e->trace_id, r->trace_id, 16);
	__builtin_memcpy(e->span_id, r->span_id, 8);
}

static __always_inline bool is_valid(const struct context_record *r)
{
	u64 trace[2], span;

	__builtin_memcpy(trace, r->trace_id, 16);
	__builtin_memcpy(&span, r->span_id, 8);
	return r->valid == 1 && (trace[0] | trace[1]) && span;
}

/* A lookup in a slot. */
struct slot_question {
	u64 address;
	/* Of the slot, and of the message. */
	u32 written;
	u32 emptied;
	u32 seq;
	u32 received;
	/* The socket was observed from its first byte on. */
	u32 knows_all;
	/* The accepting side responds. */
	u32 answers;
	/* Others may be those of messages that were not shown. */
	u32 only_last;
};

/* Whether the message of `e` already has the context. Global: verified once. */
__noinline int is_named(const struct carrier *c, const struct entry *e)
{
	if (!c || !e)
		return 0;
	for (u32 i = 1; i < SLOT_RECORDS; i++) {
		const struct entry *named = &c->ring[MASKED(c->n - i, CONTEXTS - 1)];

		if (i > c->n || named->seq != e->seq)
			return 0;
		if (named->source && is_same_context(named, e))
			return 1;
	}
	return 0;
}

/* Number of new records, including lost ones: clearing a slot removes all earlier records. */
static __always_inline u32 count_fresh(const struct carrier *c, const struct slot_question *q)
{
	u32 since_mark = (q->written - c->table_seq) / 2;
	u32 since_emptied = (q->written - q->emptied) / 2;

	if (q->only_last || (!c->has_table_seq && !q->knows_all))
		return 1;
	if (!c->has_table_seq)
		return q->emptied ? since_emptied : SLOT_RECORDS;
	return q->emptied && since_emptied < since_mark ? since_emptied : since_mark;
}

/*
 * Takes each record that was written since the last message; returns whether there was one. If a socket was not
 * observed from its first byte on, there may be older records: only the last one certainly belongs to this message.
 * Global: verified once.
 */
__noinline int read_records(struct carrier *c, struct earlier *earlier,
			    const struct slot_question *q)
{
	struct entry e = {};
	u32 writes, fresh, again = 0;
	int found = 0;

	if (!c || !q)
		return 0;
	e.seq = q->seq;
	e.received = q->received;
	e.answers = q->answers;
	writes = q->written / 2;
	fresh = count_fresh(c, q);
	c->table_seq = q->written;
	c->has_table_seq = true;
	if (fresh > SLOT_RECORDS) {
		COUNT_CORRELATED(overrun, fresh - SLOT_RECORDS);
		fresh = SLOT_RECORDS;
	}
	for (u32 i = 0; i < SLOT_RECORDS; i++) {
		u32 which = ((writes - fresh + i) & WRITES_MASK) % SLOT_RECORDS;
		struct context_record r;

		if (i >= fresh)
			break;
		if (bpf_probe_read_user(&r, sizeof(r),
					(void *)(q->address + SLOT_KEY + which * sizeof(r))) ||
		    bpf_probe_read_user(&again, sizeof(again), (void *)q->address)) {
			COUNT_CORRELATED(unreadable, 1);
			break;
		}
		/* Another thread has taken over the slot meanwhile, or has wrapped its ring. */
		if (again - q->written > 2 * (SLOT_RECORDS - fresh + i) + 1) {
			COUNT_CORRELATED(torn, 1);
			break;
		}
		take_record(&e, &r);
		found = 1;
		if (is_valid(&r)) {
			e.source = CONTEXT_TABLE;
			COUNT_CORRELATED(tables_sent, 1);
			if (is_named(c, &e))
				continue;
		} else if (i + 1 < fresh) {
			continue;
		}
		keep(c, earlier, &e);
	}
	return found;
}

/* The context ends where messages begin that were not shown. With HTTP/2, the frames show it. */
static __noinline int end_at_gap(struct message *m, struct carrier *c)
{
	const struct entry nobodys = {
		.seq = c->sent_to,
		.received = m->tp->rcv_nxt,
		.answers = m->conn->direction == DIRECTION_INBOUND,
	};

	m->follows_gap = false;
	if (c->n && c->protocol != CARRIED_HTTP2)
		keep(c, m->earlier, &nobodys);
	return 0;
}

/* Another socket has the slot: from here on the bytes cannot be assigned. */
static __noinline int end_table_context(struct carrier *c, const struct message *m)
{
	const struct entry nobodys = { .seq = m->seq, .received = m->tp->rcv_nxt };

	c->looked = true;
	if (c->n && c->ring[MASKED(c->n - 1, CONTEXTS - 1)].source == CONTEXT_TABLE)
		keep(c, m->earlier, &nobodys);
	return 0;
}

/* The contexts that the application has written for this message; returns whether there are any. */
static __noinline bool read_table(struct sock *sk, struct message *m, const struct table *t,
				  struct carrier **carrier)
{
	const struct endpoints *ends = &m->conn->ends;
	u32 index = (ends->local_port * 31 + ends->peer_port) & (t->slots - 1);
	struct slot slot = { .address = t->address + TABLE_HEADER + (u64)index * SLOT_BYTES };
	struct carrier *c = *carrier;
	struct slot_question q = {};

	if (bpf_probe_read_user(&slot.key, sizeof(slot.key), (void *)slot.address) ||
	    bpf_probe_read_user(&slot.emptied, sizeof(slot.emptied),
				(void *)(slot.address + SLOT_EMPTIED))) {
		COUNT_CORRELATED(unreadable, 1);
		return false;
	}
	if (!is_slot_of(&slot.key, ends)) {
		if (c)
			end_table_context(c, m);
		return false;
	}
	if (slot.key.seq & 1) {
		COUNT_CORRELATED(torn, 1);
		return false;
	}
	if (!c)
		c = *carrier = create_carrier(sk);
	if (!c)
		return false;
	if (c->has_table_seq && c->table_seq == slot.key.seq) {
		/* No other context has been named, so what was not shown is of the same one. */
		m->follows_gap = false;
		return false;
	}
	q.only_last = m->follows_gap;
	if (m->follows_gap)
		end_at_gap(m, c);
	q.address = slot.address;
	q.written = slot.key.seq;
	q.emptied = slot.emptied;
	q.seq = m->seq;
	q.received = m->tp->rcv_nxt;
	q.knows_all = c->looked || m->seq == m->conn->own_isn;
	q.answers = m->conn->direction == DIRECTION_INBOUND;
	c->looked = true;
	return read_records(c, m->earlier, &q);
}
