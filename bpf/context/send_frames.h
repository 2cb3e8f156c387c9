/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* HTTP/2's frames in what a client sends: whose streams the bytes are. */
#include "http2.h"
#include "source.h"

/* The piece of a message from `at` on, if it lies in its first part; else it is copied with the whole. */
static __always_inline bool copy_piece(u8 *to, u32 bytes, const struct source *from, u32 at)
{
	return at + bytes <= from->bytes && !bpf_probe_read_user(to, bytes, from->base + at);
}

/* Where in a message the frames have been followed to. */
struct frames_state {
	u32 seq;
	u32 received;
	u32 bytes;
	/* The table has named the contexts. */
	u32 has_context;
	/* Bytes that are in the scratch memory. */
	u32 copied;
	/* Of the next frame's header, from the message's first byte. */
	u32 at;
};

/*
 * One frame; 1 if it is the last that can be followed. What lies behind the copied bytes is read from the message's first
 * part. Global: the verifier goes through it once, not once for each frame.
 */
__noinline int read_sent_frame(struct carrier *c, struct scratch *s, const struct source *from,
			       struct frames_state *state)
{
	u8 header[16] = {};
	struct entry e = {};
	struct frame f;
	u32 at, end, copied;
	int head;

	if (!c || !s || !from || !state)
		return 1;
	at = state->at;
	copied = state->copied;
	if (at + FRAME_HEADER > state->bytes || copied > WINDOW)
		return 1;
	if (at + FRAME_HEADER <= copied)
		read_frame(&f, s->bytes + TAIL + MASKED(at, WINDOW - 1));
	else if (copy_piece(header, FRAME_HEADER, from, at))
		read_frame(&f, header);
	else
		return 1;
	at += FRAME_HEADER;
	end = at + f.bytes;
	state->at = end;
	e.seq = state->seq;
	e.received = state->received;
	e.stream = f.stream;
	if (state->has_context)
		return 0;
	if (f.type == FRAME_DATA) {
		keep_stream(c, &e);
		return 0;
	}
	if (!has_block(&f))
		return 0;
	head = HEAD_CONTINUES;
	if (end > WINDOW / 2 && f.bytes <= WINDOW / 2 &&
	    copy_piece(s->bytes + TAIL, MASKED(f.bytes, WINDOW - 1), from, at)) {
		/* What was there is overwritten. */
		state->copied = 0;
		end = copied = f.bytes;
		head = read_block(&e, s, TAIL, TAIL + f.bytes);
	} else if (at < copied)
		head = read_block(&e, s, TAIL + at, TAIL + (end < copied ? end : copied));
	if (!head)
		COUNT_CORRELATED(headers_sent, 1);
	else if (head == HEAD_AMBIGUOUS)
		COUNT_CORRELATED(ambiguous, 1);
	else if (end > copied)
		COUNT_CORRELATED(beyond_window, 1);
	if (!head || f.type == FRAME_HEADERS)
		keep(c, &e);
	return 0;
}

/* `is_preface`: the connection begins with this message. */
static __always_inline void on_frames(const struct message *m, struct carrier *c,
				      const struct source *from, bool is_preface, bool has_context)
{
	struct scratch *s = scratch_of(SCRATCH_SEND);
	struct frames_state state = {
		.seq = m->seq,
		.received = m->tp->rcv_nxt,
		.bytes = m->bytes,
		.has_context = has_context,
	};

	if (is_preface) {
		c->protocol = CARRIED_HTTP2;
		c->next_frame = m->seq + PREFACE_BYTES;
	}
	/* The middle of a long frame. */
	if (!s || (s32)(c->next_frame - m->seq) >= (s32)m->bytes)
		return;
	begin_scratch(s, NULL);
	state.copied = copy_message(s, from, m->bytes < WINDOW ? m->bytes : WINDOW) - TAIL;
	state.at = c->next_frame - m->seq;
	/* Frames were missed; writers begin their messages with one. */
	if ((s32)state.at < 0)
		state.at = 0;
	for (int i = 0; i < FRAMES; i++)
		if (read_sent_frame(c, s, from, &state))
			break;
	c->next_frame = m->seq + state.at;
}
