/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Assigns messages that applications send. Runs in the system call. */
#include "handshake.h"
#include "send_frames.h"
#include "send_requests.h"
#include "source.h"
#include "thread.h"
#include "tls.h"

/* The first bytes of a response belong to the request that it answers, if that has a context. */
static __always_inline void keep_answer(const struct message *m, struct carrier *c)
{
	struct entry e = c->in;

	c->awaits_answer = false;
	e.seq = m->seq;
	e.received = m->tp->rcv_nxt;
	e.answers = true;
	keep(c, m->earlier, &e);
}

/*
 * A TLS record that contains a ClientHello or a ServerHello: bodies of other protocols may begin with the same first
 * two bytes.
 */
static __always_inline bool is_tls(u64 word)
{
	u8 minor = word >> 16, message = word >> 40;

	return (word & 0xffff) == 0x0316 && minor <= 4 && (message == 1 || message == 2);
}

/* The kernel may skip a program while another thread's run of it is preempted on the same CPU. */
static __always_inline bool follows_gap(const struct message *m, const struct carrier *c)
{
	/* A Fast Open message arrives here before the connection has a sequence number. */
	if (!c->sent_from || (s32)(m->seq - c->sent_to) <= 0)
		return false;
	/* Without a context it may have been left alone for a while. */
	if (c->n || m->conn->unread_sends < OPAQUE_AFTER)
		COUNT_CORRELATED(unseen, 1);
	return true;
}

/* A retry of a message of which nothing was accepted may have other content. */
static __always_inline void forget_unsent(struct carrier *c, u32 seq)
{
	for (u32 i = 0; i < CONTEXTS; i++) {
		const struct entry *e = &c->ring[MASKED(c->n - 1, CONTEXTS - 1)];

		if (!c->n || (s32)(e->seq - seq) < 0 || e->answers ||
		    (e->seq == seq && e->source != CONTEXT_HEADER))
			break;
		c->n--;
	}
}

/* Whether there are bytes of several contexts that are not acknowledged. The ranges of streams are kept elsewhere. */
static __always_inline bool has_several_in_flight(const struct carrier *c)
{
	u32 newest = c->ring[MASKED(c->n - 1, CONTEXTS - 1)].seq;
	u32 before = c->ring[MASKED(c->n - 2, CONTEXTS - 1)].seq;

	if (c->n < 2 || c->protocol == CARRIED_HTTP2)
		return false;
	return (s32)(newest - c->acked) > 0 ||
	       (newest == before && (s32)(c->sent_to - c->acked) > 0);
}

/* The same for requests that were handed to a TLS library. Records of the protocol itself also count as a response. */
static __always_inline void end_answered_call(const struct message *m, struct carrier *c)
{
	if (reads_tls && c->n && c->ring[MASKED(c->n - 1, CONTEXTS - 1)].source == CONTEXT_UPROBE)
		end_answered(m, c);
}

/* Then the socket is examined, although its messages have had no contexts so far. */
static __always_inline bool is_tls_call_running(void)
{
	return reads_tls && current_tls_call();
}

/* What it sends is not observed. */
static __always_inline void leave_tls_call(void)
{
	struct tls_call *call = reads_tls ? current_tls_call() : NULL;

	if (call)
		call->state = CALL_NONE;
}

/* Nothing is known about the message, except that it is sent. */
static __always_inline void on_unread(struct conn *known, const struct carrier *c)
{
	if (c && (c->n || c->in.source || c->opening.source))
		return;
	if (known->unread_tables != (u8)announcements) {
		known->unread_tables = announcements;
		known->unread_sends = 0;
	}
	if (known->unread_sends < OPAQUE_AFTER)
		known->unread_sends++;
}

static __always_inline bool is_send_opaque(const struct conn *c)
{
	return c->unread_sends >= OPAQUE_AFTER && c->unread_tables == (u8)announcements;
}

/* Whether the configuration excludes the connection; then it is not checked again. */
static __noinline bool is_left_out(struct conn *c)
{
	if (passes(c, 0))
		return false;
	c->unread_sends = OPAQUE_FOR_GOOD;
	c->unread_segments = OPAQUE_FOR_GOOD;
	return true;
}

/* What is known about a message when its bytes are assigned. */
enum {
	/* The table, or the thread, has provided the context. */
	HAS_CONTEXT = 1 << 0,
	/* It is known where threads of the program have theirs. */
	PUBLISHES = 1 << 1,
	IS_CALL = 1 << 2,
	IS_READABLE = 1 << 3,
	IS_FIRST = 1 << 4,
	IS_PREFACE = 1 << 5,
	IS_TLS = 1 << 6,
};

/* What the first bytes of a message are. The accepting side responds. */
static __always_inline u32 kind_of(u64 word, const struct conn *c)
{
	if (is_tls(word))
		return IS_TLS;
	if (c->direction == DIRECTION_INBOUND)
		return 0;
	if (reads_http1 && is_method(word))
		return IS_FIRST;
	return reads_http2 && (u32)word == PREFACE ? IS_PREFACE : 0;
}

/*
 * The same value, which the verifier no longer knows: the paths that lead to it join, instead of being followed one by
 * one through all that comes next.
 */
static __always_inline u32 joined(struct scratch *s, u32 value)
{
	*(volatile u32 *)&s->joined = value;
	return *(volatile u32 *)&s->joined;
}

static __always_inline int see_send(struct sock *sk, const struct msghdr *msg)
{
	struct conn *known = bpf_sk_storage_get(&conns, sk, NULL, 0);
	const struct iov_iter *iter = &msg->msg_iter;
	struct message m = { .conn = known };
	bool has_context = false, is_searched = false;
	struct source from = {};
	struct carrier *c;
	struct scratch *s;
	const struct table *t = NULL;
	u32 flags = 0;
	u64 word = 0;

	if (!known || known->excluded || known->unread_sends == OPAQUE_FOR_GOOD) {
		leave_tls_call();
		return 0;
	}
	if (is_send_opaque(known) && !is_tls_call_running())
		return 0;
	m.tp = bpf_skc_to_tcp_sock(sk);
	s = scratch_of(SCRATCH_SEND);
	if (!m.tp || !s)
		return 0;
	m.seq = m.tp->write_seq;
	m.bytes = iter->count;
	c = bpf_sk_storage_get(&contexts, sk, NULL, 0);
	if (c) {
		/* The rest of a message that did not fit. */
		if (c->sent_to == m.seq + m.bytes && c->sent_from != m.seq)
			return 0;
		if (c->sent_from == m.seq && c->sent_to != m.seq && c->protocol != CARRIED_HTTP2)
			forget_unsent(c, m.seq);
		m.follows_gap = follows_gap(&m, c);
		c->acked = m.tp->snd_una;
		if (c->has_replaced && (s32)(c->replaced_to - c->acked) <= 0)
			c->has_replaced = false;
		if (has_several_in_flight(c))
			m.earlier = create_earlier(sk);
	}
	if (m.bytes && find_source(&from, s, iter, m.bytes)) {
		word = read_ahead(s, &from, c && c->protocol == CARRIED_HTTP1);
		if (s->copied)
			flags = IS_READABLE | kind_of(word, known);
	}
	/* Several threads may announce their tables over one connection, also over one that a filter excludes. */
	if (reads_tables && flags && word == TABLE_MAGIC) {
		if (take_announcement(known, (u64)from.base, m.bytes))
			known->unread_segments = OPAQUE_FOR_GOOD;
		return 0;
	}
	if (!c && is_left_out(known)) {
		leave_tls_call();
		return 0;
	}
	flags = joined(s, flags);
	if (reads_tables) {
		t = current_table();
		if (t)
			has_context = read_table(sk, &m, t, &c);
	}
	if (c && m.follows_gap)
		end_at_gap(&m, c);
	/*
	 * The table is specific to this socket; the thread's context covers everything that the thread does. The agent is
	 * asked about a process at its sockets' first messages; before it has found anything, nothing is read later.
	 */
	if (reads_threads && !has_context && (announcements || !(c && c->n)) &&
	    !(c && c->has_table_seq)) {
		int says = read_thread(sk, &m, &c);

		if (says != THREAD_UNKNOWN)
			flags |= PUBLISHES;
		has_context = says == THREAD_HAS_CONTEXT;
	}
	if (has_context)
		flags |= HAS_CONTEXT;
	else if (reads_tls && !(c && c->has_table_seq) && known->direction != DIRECTION_INBOUND &&
		 read_tls_call(sk, &m, word, &c))
		flags |= IS_CALL;
	flags = joined(s, flags);
	has_context = flags & HAS_CONTEXT;
	if (!c && flags & (IS_FIRST | IS_PREFACE | IS_TLS)) {
		c = create_carrier(sk);
		/* Its first byte, and the table has no slot for it yet: any later records belong to later messages. */
		if (c && t && m.seq == known->own_isn)
			c->looked = true;
	}
	if (!c) {
		if (!(flags & PUBLISHES))
			on_unread(known, NULL);
		return 0;
	}
	if (flags & IS_TLS && c->protocol != CARRIED_TLS && c->protocol != CARRIED_HTTP2) {
		/* Earlier requests to a proxy have been answered. */
		if (c->protocol == CARRIED_HTTP1 && !has_context) {
			struct entry nobodys = { .seq = m.seq };

			keep(c, m.earlier, &nobodys);
		}
		c->protocol = CARRIED_TLS;
	}
	if (c->protocol == CARRIED_TLS) {
		if (!(flags & (IS_CALL | HAS_CONTEXT)))
			end_answered_call(&m, c);
		if (!(flags & (IS_CALL | HAS_CONTEXT | PUBLISHES)))
			on_unread(known, c);
	} else if (flags & IS_PREFACE || c->protocol == CARRIED_HTTP2) {
		if (flags & IS_READABLE)
			on_frames(sk, s, &m, c, &from, flags & IS_PREFACE, has_context);
	} else if (flags & IS_FIRST || (flags & IS_READABLE && c->tail_of == TAIL_SENT)) {
		is_searched = on_request(s, &m, c, &from, flags & IS_FIRST, has_context);
	} else if (has_context) {
		c->awaits_answer = false;
	} else if (c->awaits_answer) {
		keep_answer(&m, c);
	} else {
		end_answered(&m, c);
		if (!(flags & PUBLISHES))
			on_unread(known, c);
	}
	c->sent_from = m.seq;
	c->sent_to = m.seq + m.bytes;
	tell_handshake(sk, &m, c, word);
	if (is_searched && is_more_sent(s, m.bytes))
		read_pipelined(sk, s, &m, c);
	return 0;
}

SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(on_send, struct sock *sk, struct msghdr *msg)
{
	return see_send(sk, msg);
}

/* Kernels without that tracepoint. */
SEC("fentry/tcp_sendmsg_locked")
int BPF_PROG(on_sendmsg_locked, struct sock *sk, struct msghdr *msg)
{
	return see_send(sk, msg);
}

SEC("fentry/tcp_sendmsg")
int BPF_PROG(on_sendmsg, struct sock *sk, struct msghdr *msg)
{
	return see_send(sk, msg);
}
