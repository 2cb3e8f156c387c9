/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* What the programs that read contexts share: settings, scratch memory, and the handling of a context that was read. */
#include <wirespan/conn.h>
#include <wirespan/context.h>
#include <wirespan/filter.h>
#include <wirespan/context_record.h>
#include <wirespan/ring.h>
#include <wirespan/skeleton.h>

/* Maximum bytes of a message or segment that are searched; the setting cannot exceed it. */
#define WINDOW 4096
const volatile u32 window = WINDOW;
const volatile bool reads_http1 = true;
const volatile bool reads_http2 = true;
const volatile bool reads_tables = true;
/* A first request this long after the handshake did not wait for it, in nanoseconds. */
const volatile u64 connect_gap = 0;

enum inbound { INBOUND_NEVER, INBOUND_PRIVATE_PEERS, INBOUND_ALWAYS };
const volatile u32 inbound = INBOUND_PRIVATE_PEERS;

/* Messages or segments without a context after which a socket is no longer examined. */
#define OPAQUE_AFTER 4
/* The configuration excludes it permanently. */
#define OPAQUE_FOR_GOOD 255
/* This end opened the connection: HTTP/2 frames are followed in what it receives. */
#define ANSWERS_FOLLOWED 254

/* The tracker's ring, so that spans are exported in the order in which they become known. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} spans SEC(".maps");

/* The last bytes of the previous message, or zeros, followed by the message. */
struct scratch {
	u8 bytes[2 * WINDOW + 128];
	/* Of HTTP/1.1: where the head that was searched last ends, with its body; 0: not in these bytes. */
	u32 next;
	/* The length of that body, as far as the head has named it. */
	u32 body;
	/* Its traceparent so far: enum head. */
	s32 found;
	/* Number of bytes, with the tail, and how many of the message were copied before it was known what it is. */
	u32 filled;
	u32 copied;
	/* The context of a request behind the first. */
	struct entry further;
	/* For the verifier (send.h, source.h). */
	u32 joined;
	u64 base;
	/* By calls of a TLS library (tls.h). */
	u32 uses;
} __attribute__((aligned(8)));
#define SCRATCH_MASK (2 * WINDOW - 1)
/* As far as it is searched. */
#define SEARCHED (TAIL + WINDOW)

/* One for each program: a packet may interrupt a system call. */
enum { SCRATCH_SEND, SCRATCH_SEGMENT, SCRATCH_RECEIVE, SCRATCH_CALL };
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *scratch_of(u32 which)
{
	return bpf_map_lookup_elem(&scratches, &which);
}

/* What is known about a message or a segment. */
struct message {
	struct conn *conn;
	const struct tcp_sock *tp;
	/* Sequence number of its first byte, and its length in bytes. */
	u32 seq;
	u32 bytes;
	/* Earlier messages were not shown to any program, so their contexts are unknown. */
	bool follows_gap;
	/* Contexts that do not fit into the carrier; NULL: the socket has none. */
	struct earlier *earlier;
};

static __always_inline struct carrier *create_carrier(struct sock *sk)
{
	struct carrier *c = bpf_sk_storage_get(&contexts, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!c)
		COUNT_CORRELATED(no_memory, 1);
	return c;
}

static __always_inline struct earlier *create_earlier(struct sock *sk)
{
	struct earlier *e = bpf_sk_storage_get(&earlier, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!e)
		COUNT_CORRELATED(no_memory, 1);
	return e;
}

static __always_inline bool is_soon_after_handshake(const struct conn *c)
{
	return c->established_at && is_start_known(c) &&
	       bpf_ktime_get_boot_ns() - c->established_at <= connect_gap;
}

static __always_inline bool is_same_context(const struct entry *a, const struct entry *b)
{
	const u64 *x = (const u64 *)a->trace_id, *y = (const u64 *)b->trace_id;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

/* The contexts whose bytes end at `end` are lost. */
static __always_inline void note_replaced(struct carrier *c, const struct entry *e, u32 end)
{
	if (!is_sampled(e) || (s32)(end - c->acked) <= 0)
		return;
	c->replaced_to = end;
	c->has_replaced = true;
}

/* Makes room in the carrier's ring for a context whose bytes begin at `seq`. Global: verified once. */
__noinline int make_room(struct carrier *c, struct earlier *earlier, u32 seq)
{
	const struct entry *oldest;
	struct earlier_entry *to;
	u32 end = seq;

	if (!c || c->n < CONTEXTS)
		return 0;
	oldest = &c->ring[MASKED(c->n, CONTEXTS - 1)];
	/* A message may have several contexts. */
	for (u32 i = CONTEXTS - 1; i; i--) {
		u32 begins = c->ring[MASKED(c->n + i, CONTEXTS - 1)].seq;

		if (begins != oldest->seq)
			end = begins;
	}
	/* The bytes of streams are noted one by one (streams.h). */
	if (oldest->stream || (s32)(end - c->acked) <= 0)
		return 0;
	if (!earlier) {
		note_replaced(c, oldest, end);
		return 0;
	}
	to = &earlier->ring[MASKED(earlier->n, EARLIER - 1)];
	if (earlier->n >= EARLIER)
		note_replaced(c, &to->entry, to->end);
	to->entry = *oldest;
	to->end = end;
	earlier->n++;
	return 0;
}

/* From this message on, the bytes belong to this context, or are known to belong to none. Global: verified once. */
__noinline int keep(struct carrier *c, struct earlier *earlier, const struct entry *e)
{
	const struct entry *newest, *oldest;

	if (!c || !e)
		return 0;
	newest = &c->ring[MASKED(c->n - 1, CONTEXTS - 1)];
	if (!e->source && c->n && !newest->source)
		return 0;
	oldest = &c->ring[MASKED(c->n, CONTEXTS - 1)];
	/* Otherwise all that was sent with the oldest one is acknowledged. */
	if (newest->seq == oldest->seq || (s32)(newest->seq - c->acked) > 0)
		make_room(c, earlier, e->seq);
	c->ring[MASKED(c->n, CONTEXTS - 1)] = *e;
	c->has_sampled |= is_sampled(e);
	c->n++;
	return 0;
}

/* The last bytes of the first `n` of `s`. Global: verified once. */
__noinline int copy_tail(struct tail *to, const struct scratch *s, u32 n)
{
	const u64 *from;

	if (!to || !s || n < TAIL)
		return 0;
	from = (const u64 *)(s->bytes + MASKED(n - TAIL, SCRATCH_MASK));
	for (int i = 0; i < TAIL / 8; i++)
		to->words[i] = from[i];
	to->body = s->body;
	return 0;
}

/* The head that begins at `from` and ends with the first `n` bytes of `s` continues in the next message. */
static __always_inline void keep_tail(struct carrier *c, const struct scratch *s, u32 from, u32 n,
				      enum tail_of of)
{
	copy_tail(&c->tail, s, n);
	c->tail.begin = from + TAIL > n ? from + TAIL - n : 0;
	c->tail_of = of;
}

static __always_inline void drop_tail(struct carrier *c)
{
	if (c->tail_of == TAIL_NONE)
		return;
	c->tail_of = TAIL_NONE;
	c->head_bytes = 0;
	__builtin_memset(&c->tail, 0, sizeof(c->tail));
}

/* Before the message itself is copied after it; returns where the head begins. `continues`: in the tail. */
static __always_inline u32 begin_scratch(struct scratch *s, const struct tail *tail, bool continues)
{
	if (!continues) {
		__builtin_memset(s->bytes, 0, TAIL);
		s->body = 0;
		return TAIL;
	}
	__builtin_memcpy(s->bytes, tail, TAIL);
	s->body = tail->body;
	return tail->begin;
}
