/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Trace contexts of applications, by the bytes that they belong to: each socket has those of its last requests, with
 * the sequence number at which their bytes begin. bpf/context writes them; the tracker and the plugins look up
 * sequence numbers. Sockets without contexts have no storage here.
 */
#include <wirespan/conn.h>
#include <bpf/bpf_helpers.h>

/* Number of requests that are kept per socket. */
#define CONTEXTS 8
/* And of earlier ones whose bytes are not acknowledged yet, per socket that has such. */
#define EARLIER 64

enum context_source {
	CONTEXT_NONE,
	CONTEXT_HEADER,
	CONTEXT_TABLE,
	CONTEXT_THREAD,
	CONTEXT_UPROBE,
};

/* The W3C flag: the application records its span. */
#define CONTEXT_SAMPLED 1

/* A request's context. */
struct entry {
	u8 trace_id[16];
	u8 span_id[8];
	/* Sequence number of its first byte, and rcv_nxt when that was sent. */
	u32 seq;
	u32 received;
	u8 flags;
	/* enum context_source; CONTEXT_NONE: the bytes are known to have no context. */
	u8 source;
	/* Events reported in its trace so far. */
	u8 reported;
	/* The bytes are a response to the request, which the other end sent. */
	bool answers;
	/* HTTP/2 stream; 0: none. */
	u32 stream;
} __attribute__((aligned(8)));

enum carried_protocol { CARRIED_UNKNOWN, CARRIED_HTTP1, CARRIED_HTTP2, CARRIED_TLS };

/* Enough for the longest line that contains a context, and for the newline before it. */
#define TAIL 72
struct tail {
	u64 words[TAIL / 8];
	/* Where in it the head begins, if it does; and the length of the body, if the head has named it so far. */
	u32 begin;
	u32 body;
};
enum tail_of { TAIL_NONE, TAIL_SENT, TAIL_RECEIVED };

struct carrier {
	/* The last is ring[(n - 1) % CONTEXTS]. */
	struct entry ring[CONTEXTS];
	/* Of the request that was received last. */
	struct entry in;
	/* Of the request that waits for the handshake, if the application has announced it. */
	struct entry opening;
	u32 n;
	/* The slot's `seq` when it was last read, if it was (bpf/context/table.h). */
	u32 table_seq;
	/* The last message sent: its first byte and the one after its last. */
	u32 sent_from;
	u32 sent_to;
	/* rcv_nxt when the last request line was sent, or where the last received request begins. */
	u32 asked_at;
	/* write_seq when the last request was received. */
	u32 answered_from;
	/* Up to where bytes were acknowledged when the last message was sent. */
	u32 acked;
	/* The end of the bytes whose contexts were replaced before they were acknowledged, if there are any. */
	u32 replaced_to;
	/* Bytes of the head that continues in the next message or segment. */
	u16 head_bytes;
	/* enum carried_protocol */
	u8 protocol;
	/* The table was read before, so everything new in it belongs to this socket. */
	bool looked;
	bool has_table_seq;
	bool asked;
	/* The request in `in` has not been answered yet. */
	bool awaits_answer;
	/* Another one was open when it arrived, so its context is not used. */
	bool overlaps;
	/* The peer does not wait for responses: which of them belongs to which request is not known. */
	bool is_pipelined;
	/* The connection was opened, or accepted, for the request in `in`. */
	bool awaits_accept;
	/* It is known whether a request waited for the handshake. */
	bool handshake_settled;
	bool has_replaced;
	/* One of its contexts belongs to a trace that the application samples. */
	bool has_sampled;
	u8 tail_of;
	struct tail tail;
} __attribute__((aligned(8)));

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct carrier);
} contexts SEC(".maps");

/* A context that was replaced in the carrier's ring, and the sequence number at which its bytes end. */
struct earlier_entry {
	struct entry entry;
	u32 end;
};

/* Contexts of unacknowledged bytes, on sockets that have more of them than the carrier can hold. */
struct earlier {
	/* The last is ring[(n - 1) % EARLIER]. */
	struct earlier_entry ring[EARLIER];
	u32 n;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct earlier);
} earlier SEC(".maps");

/* What happened to contexts, and to events in their traces, in all programs. */
struct correlated {
	u64 headers_sent;
	u64 headers_received;
	u64 tables_sent;
	u64 threads_sent;
	u64 calls_sent;
	/* Spans beyond the limit of one context, and those that did not fit into a ring. */
	u64 suppressed;
	u64 lost;
	/* The table, or the thread, had another context than the header. */
	u64 contradicted;
	/* Heads that exceed the searched window. */
	u64 beyond_window;
	u64 invalid;
	/*
	 * Bytes that look like a request while the last one is unanswered, pipelined requests as they are received, and
	 * several contexts in one head.
	 */
	u64 ambiguous;
	/* Application memory that could not be read. */
	u64 unreadable;
	/* Slots that were being written, and records that were overwritten before they were read. */
	u64 torn;
	u64 overrun;
	u64 announced;
	/* Invalid announcements, or not on a connection of a process to itself. */
	u64 refused_announcements;
	u64 no_memory;
	/* How often messages were sent that no program was shown, before the next one that was shown. */
	u64 unseen;
	/* Events whose bytes had a context that newer ones have replaced. */
	u64 replaced;
	/* Contexts that a TLS library was given, and whose bytes were not sent within the call. */
	u64 sent_later;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct correlated);
} correlated SEC(".maps");

static __always_inline struct correlated *correlated_of(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&correlated, &zero);
}

#define COUNT_CORRELATED(field, number)                                \
	do {                                                           \
		struct correlated *counts_ = correlated_of();          \
		if (counts_)                                           \
			__sync_fetch_and_add(&counts_->field, number); \
	} while (0)

static __always_inline bool is_sampled(const struct entry *e)
{
	return e->source && e->flags & CONTEXT_SAMPLED;
}
