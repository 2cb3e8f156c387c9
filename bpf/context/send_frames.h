/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* HTTP/2 frames in what either end sends: to which streams the bytes belong. */
#include "http2.h"
#include "source.h"
#include "table.h"

/* A piece of a message. */
static __always_inline bool copy_piece(u8 *to, u32 bytes, const struct source *from, u32 at)
{
	u64 address = find_piece(from, at, bytes);

	return address && !bpf_probe_read_user(to, bytes, (void *)address);
}

/* Maximum number of frames per message. */
#define FRAMES_SENT 64

/* How far the frames in a message have been followed. */
struct frames_state {
	u32 seq;
	u32 received;
	u32 bytes;
	/* The table has provided the contexts. */
	bool has_context;
	/* The frames are responses. */
	bool answers;
	/* Frames were missed: whether one begins here must be checked. */
	bool is_lost;
	/* Number of bytes in the scratch memory. */
	u32 copied;
	/* Offset of the next frame's header from the message's first byte. */
	u32 at;
};

/* A request's header block, between `at` and `end` in the message. */
__noinline int read_sent_block(struct entry *e, struct scratch *s, const struct source *from,
			       struct frames_state *state, u32 bytes)
{
	u32 at, end, copied;
	int head = HEAD_CONTINUES;

	if (!e || !s || !from || !state)
		return HEAD_OTHER;
	at = state->at + FRAME_HEADER;
	end = at + bytes;
	copied = state->copied;
	if ((end > copied || end > WINDOW / 2) && bytes <= WINDOW / 2 &&
	    copy_piece(s->bytes + TAIL, MASKED(bytes, WINDOW - 1), from, at)) {
		/* Its previous content was overwritten. */
		state->copied = 0;
		end = copied = bytes;
		head = read_block(e, s, TAIL, TAIL + bytes);
	} else if (at < copied && copied <= WINDOW)
		head = read_block(e, s, TAIL + at, TAIL + (end < copied ? end : copied));
	if (!head)
		COUNT_CORRELATED(headers_sent, 1);
	else if (head == HEAD_AMBIGUOUS)
		COUNT_CORRELATED(ambiguous, 1);
	else if (end > copied)
		COUNT_CORRELATED(beyond_window, 1);
	return head;
}

/* A request's frame with a header block. */
__noinline int take_sent_block(struct carrier *c, struct streams *t, const struct entry *e,
			       const struct frame *f, const struct frames_state *state)
{
	struct entry *request;

	if (!c || !t || !e || !f || !state)
		return 0;
	request = request_of(t, f->stream);
	if (request && e->source)
		*request = *e;
	if (!state->has_context && (e->source || f->type == FRAME_HEADERS))
		keep(c, NULL, e);
	return 0;
}

/* A frame of a response: the first frame of each is recorded as one of the connection's contexts. */
__noinline int answer_stream(struct carrier *c, struct streams *t, const struct frames_state *state,
			     u32 stream)
{
	struct entry *request, e;
	u64 bit;

	if (!c || !t || !state)
		return 0;
	request = request_of(t, stream);
	bit = 1ull << place_of(stream);
	if (!request || !request->source || t->answered & bit)
		return 0;
	t->answered |= bit;
	t->before.answered |= bit;
	e = *request;
	e.seq = state->seq;
	e.received = state->received;
	e.answers = true;
	return keep(c, NULL, &e);
}

/*
 * The header of the next frame, whose first bytes may be the end of the previous message; 0 if it cannot be read.
 * Bytes beyond the copied ones are read in place.
 */
__noinline int read_sent_header(struct frame *f, struct sender *out, struct scratch *s,
				const struct source *from, const struct frames_state *state)
{
	u8 header[16] = {};
	u32 at, had;

	if (!f || !out || !s || !from || !state)
		return 0;
	at = state->at;
	had = out->header_bytes;
	if (had) {
		/* At the message's first byte. */
		if (had >= FRAME_HEADER || had + state->copied < FRAME_HEADER)
			return 0;
		for (u32 i = 0; i < FRAME_HEADER; i++)
			header[i] = i < had ? out->header[i] : s->bytes[TAIL + MASKED(i - had, 15)];
		read_frame(f, header);
		return 1;
	}
	if (at + FRAME_HEADER > state->bytes || state->copied > WINDOW)
		return 0;
	if (at + FRAME_HEADER <= state->copied)
		read_frame(f, s->bytes + TAIL + MASKED(at, WINDOW - 1));
	else {
		/* Two parts of the message may share it. */
		for (u32 i = 0; i < FRAME_HEADER; i++)
			if (!copy_piece(header + i, 1, from, at + i))
				return 0;
		read_frame(f, header);
	}
	return 1;
}

/* The message ends within a frame's header, whose first bytes may be in earlier messages. */
__noinline int keep_header(struct sender *out, const struct source *from, u32 at, u32 bytes)
{
	u32 had;

	if (!out || !from)
		return 0;
	had = out->header_bytes;
	out->header_bytes = 0;
	if (had + bytes >= FRAME_HEADER)
		return 0;
	for (u32 i = 0; i < FRAME_HEADER && i < bytes; i++)
		if (!copy_piece(out->header + MASKED(had + i, 15), 1, from, at + i))
			return 0;
	out->header_bytes = had + bytes;
	return 0;
}

/* Before a message, which may replace one of which nothing was accepted. */
__noinline int begin_message(struct carrier *c, struct streams *t, u32 seq)
{
	struct sender_before *before;
	struct range *last;

	if (!c || !t)
		return 0;
	before = &t->before;
	if (c->sent_from == seq && c->sent_to != seq) {
		t->out = before->out;
		t->answered &= ~before->answered;
		t->sent.n = before->ranges;
		last = &t->sent.ring[MASKED(t->sent.n - 1, RANGES - 1)];
		last->end = before->end;
		c->n = before->contexts;
		return 0;
	}
	last = &t->sent.ring[MASKED(t->sent.n - 1, RANGES - 1)];
	before->out = t->out;
	before->answered = 0;
	before->ranges = t->sent.n;
	before->end = last->end;
	before->contexts = c->n;
	return 0;
}

/* What is needed to process one frame. */
struct sent_frames {
	struct carrier *carrier;
	struct streams *streams;
	struct scratch *scratch;
	const struct source *from;
	struct frames_state *state;
};

/* Processes one frame; 1 if it is the last that can be followed. */
static long see_sent_frame(u32 i, struct sent_frames *x)
{
	struct frames_state *state = x->state;
	struct streams *t = x->streams;
	struct entry e = {};
	struct frame f = {};

	if (!read_sent_header(&f, &t->out, x->scratch, x->from, state))
		return 1;
	/* Its beginning, in an earlier message. */
	state->at -= t->out.header_bytes;
	t->out.header_bytes = 0;
	if (state->is_lost && !is_plausible(t, &f, !state->answers))
		return 1;
	state->is_lost = false;
	if (has_bytes_of_stream(&f) && !state->has_context)
		note_range(&t->sent, state->seq + state->at, FRAME_HEADER + f.bytes, f.stream);
	if (state->answers) {
		if (f.type == FRAME_HEADERS && !state->has_context)
			answer_stream(x->carrier, t, state, f.stream);
	} else if (has_block(&f)) {
		e.seq = state->seq;
		e.received = state->received;
		e.stream = f.stream;
		open_request(t, f.stream);
		read_sent_block(&e, x->scratch, x->from, state, f.bytes);
		take_sent_block(x->carrier, t, &e, &f, state);
	}
	note_end(t, &f, state->answers);
	state->at += FRAME_HEADER + f.bytes;
	return 0;
}

/* `is_preface`: the connection begins with this message. */
static __always_inline void on_frames(struct sock *sk, struct scratch *s, const struct message *m,
				      struct carrier *c, const struct source *from, bool is_preface,
				      bool has_context)
{
	struct frames_state state = {
		.seq = m->seq,
		.received = m->tp->rcv_nxt,
		.bytes = m->bytes,
		.has_context = has_context,
		.answers = m->conn->direction == DIRECTION_INBOUND,
	};
	struct sent_frames x = { .carrier = c, .scratch = s, .from = from, .state = &state };
	struct sender *out;

	x.streams = create_streams(sk);
	if (!x.streams)
		return;
	begin_message(c, x.streams, m->seq);
	out = &x.streams->out;
	if (is_preface) {
		c->protocol = CARRIED_HTTP2;
		out->next = m->seq + PREFACE_BYTES;
		x.streams->in.next = state.received;
		m->conn->unread_segments = ANSWERS_FOLLOWED;
	}
	/* Frames assign the bytes better than the last record of a table. */
	if (!has_context && c->n && c->ring[MASKED(c->n - 1, CONTEXTS - 1)].source == CONTEXT_TABLE)
		end_table_context(c, m);
	/* The middle of a long frame. */
	if ((s32)(out->next - m->seq) >= (s32)m->bytes)
		return;
	begin_scratch(s, NULL, false);
	state.copied = copy_message(s, from, m->bytes < WINDOW ? m->bytes : WINDOW) - TAIL;
	state.at = out->next - m->seq;
	if ((s32)state.at >= 0) {
		/* The rest of an earlier message, and then more. */
		out->header_bytes = 0;
	} else {
		/* Otherwise frames were missed. Senders begin messages with a frame. */
		state.is_lost = state.at + out->header_bytes != 0;
		if (state.is_lost)
			out->header_bytes = 0;
		state.at = 0;
	}
	bpf_loop(FRAMES_SENT, see_sent_frame, &x, 0);
	out->next = m->seq + state.at - out->header_bytes;
	if (!state.is_lost && state.at < m->bytes)
		keep_header(out, from, state.at, m->bytes - state.at);
}
