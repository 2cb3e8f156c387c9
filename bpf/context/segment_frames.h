/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * HTTP/2 frames in the segments that either end receives: to which streams the bytes belong, and, for requests, the
 * contexts of the streams. Out-of-order segments are examined individually: what follows a gap is not shown again
 * after the gap is filled.
 */
#include "receive.h"

/* The new bytes of a segment. */
struct piece {
	u32 seq;
	u32 bytes;
	/* Another request is still open. */
	u32 overlaps;
	/* The handshake was a short time ago. */
	u32 is_soon;
	/* HTTP/2: requests are received, not responses. */
	u32 is_server;
	/*
	 * Offset from the piece's first byte of the next frame's header, or of its block and the part of it that is
	 * here.
	 */
	s32 at;
	u32 block;
	u32 block_bytes;
};

/* Maximum number of frames per segment. */
#define FRAMES_RECEIVED 24

enum { FOLLOW_NO_MORE, FOLLOW_HEADER, FOLLOW_BLOCK };

/* What to read next: if frames are followed, the rest of a block or of a frame's header. */
__noinline int plan_frame(struct follower *f, struct piece *p)
{
	if (!f || !p)
		return FOLLOW_NO_MORE;
	p->at = f->next - p->seq;
	if (f->in_block && p->at > 0) {
		p->block = 0;
		p->block_bytes = p->at;
		return FOLLOW_BLOCK;
	}
	return p->at + (s32)f->header_bytes < (s32)p->bytes ? FOLLOW_HEADER : FOLLOW_NO_MORE;
}

/* More bytes of a header are in the follower's tail, now `bytes`. */
__noinline int take_frame(struct streams *t, struct follower *follower, struct piece *p, u32 bytes)
{
	struct frame f;
	u32 at;

	if (!t || !follower || !p)
		return FOLLOW_NO_MORE;
	follower->header_bytes = bytes;
	if (bytes < FRAME_HEADER)
		return FOLLOW_NO_MORE;
	read_frame(&f, (const u8 *)&follower->tail);
	follower->header_bytes = 0;
	__builtin_memset(&follower->tail, 0, sizeof(follower->tail));
	at = p->at + FRAME_HEADER;
	follower->next = p->seq + at + f.bytes;
	if (has_bytes_of_stream(&f))
		note_range(&t->received, p->seq + p->at, FRAME_HEADER + f.bytes, f.stream);
	note_end(t, &f, !p->is_server);
	if (!p->is_server || !has_block(&f) || !f.bytes)
		return FOLLOW_HEADER;
	open_request(t, f.stream);
	follower->stream = f.stream;
	follower->in_block = 1;
	if (at >= p->bytes)
		return FOLLOW_NO_MORE;
	p->block = at;
	p->block_bytes = f.bytes;
	return FOLLOW_BLOCK;
}

/* A block, or the part of it that is here, follows the tail in `s`. */
__noinline int take_block(struct streams *t, struct follower *f, struct scratch *s,
			  const struct piece *p, u32 bytes)
{
	struct entry e = {}, *request;
	int found;

	if (!t || !f || !s || !p)
		return 0;
	/* There is no tail before a block that begins here. */
	found = read_block(&e, s, p->block ? TAIL : 1, TAIL + bytes);
	if (found == HEAD_AMBIGUOUS)
		COUNT_CORRELATED(ambiguous, 1);
	request = request_of(t, f->stream);
	if (!found && request && !request->source) {
		COUNT_CORRELATED(headers_received, 1);
		e.stream = f->stream;
		*request = e;
	}
	f->in_block = found == HEAD_CONTINUES && p->block_bytes > p->bytes - p->block;
	if (f->in_block)
		copy_tail(&f->tail, s, TAIL + bytes);
	else
		__builtin_memset(&f->tail, 0, sizeof(f->tail));
	return !found && is_sampled(&e);
}

/* Searches the scratch memory for the beginning of a frame. */
struct frame_search {
	struct streams *streams;
	struct scratch *scratch;
	u32 bytes;
	s32 found;
};

static __always_inline bool is_frame(struct frame_search *search, u32 at, bool opens, bool any)
{
	struct frame f;

	if (at >= WINDOW || at + FRAME_HEADER > search->bytes)
		return false;
	read_frame(&f, search->scratch->bytes + TAIL + MASKED(at, WINDOW - 1));
	if (any && is_plausible(search->streams, &f, opens))
		return true;
	return opens && opens_stream(search->streams, &f) && !(f.flags & ~HEADERS_FLAGS) &&
	       f.bytes && f.bytes <= WINDOW;
}

/* Eight bytes at once: one of them may be the type of a frame with headers. */
static long find_headers(u32 i, struct frame_search *search)
{
	u32 at = 8 * i;
	u64 word, ones;

	if (at >= search->bytes || at >= WINDOW)
		return 1;
	word = *(u64 *)(search->scratch->bytes + TAIL + MASKED(at, WINDOW - 1)) ^ EACH_BYTE;
	ones = (word - EACH_BYTE) & ~word & 0x80 * EACH_BYTE;
	if (!ones)
		return 0;
	for (u32 k = 0; k < 8; k++) {
		if (!(ones >> (8 * k) & 0x80) || at + k < 3)
			continue;
		if (is_frame(search, at + k - 3, true, false)) {
			search->found = at + k - 3;
			return 1;
		}
	}
	return 0;
}

/*
 * After missed frames: where a frame begins in the first `n` bytes of a piece, which are in the scratch memory; -1:
 * nowhere. That is the piece's first byte, or where a stream is opened.
 */
__noinline int find_frame(struct streams *t, struct scratch *s, const struct piece *p, u32 n)
{
	struct frame_search search = { .streams = t, .scratch = s, .bytes = n, .found = -1 };

	if (!t || !s || !p)
		return -1;
	if (is_frame(&search, 0, p->is_server, true))
		return 0;
	if (p->is_server)
		bpf_loop(WINDOW / 8, find_headers, &search, 0);
	if (search.found < 0)
		COUNT_CORRELATED(ambiguous, 1);
	return search.found;
}

static __always_inline void begin_again(struct streams *t, struct follower *f, struct scratch *s,
					const struct bpf_dynptr *packet, u32 offset,
					const struct piece *p)
{
	u32 n = p->bytes < WINDOW ? p->bytes : WINDOW;
	int at;

	f->in_block = 0;
	f->header_bytes = 0;
	f->next = p->seq - 1;
	if (!n || bpf_dynptr_read(s->bytes + TAIL, MASKED(n, SCRATCH_MASK), packet, offset, 0))
		return;
	at = find_frame(t, s, p, n);
	if (at >= 0)
		f->next = p->seq + at;
}

/* Follows frames through a piece. */
static __always_inline void follow_frames(struct carrier *c, struct streams *t, struct follower *f,
					  struct scratch *s, const struct bpf_dynptr *packet,
					  u32 offset, struct piece *p)
{
	if ((s32)(f->next - p->seq) + (s32)f->header_bytes < 0)
		begin_again(t, f, s, packet, offset, p);
	if ((s32)(f->next - p->seq) + (s32)f->header_bytes < 0)
		return;
	for (int i = 0; i < FRAMES_RECEIVED; i++) {
		int next = plan_frame(f, p);
		u32 had = f->header_bytes, take, left;

		if (next == FOLLOW_HEADER) {
			take = FRAME_HEADER - had;
			left = p->bytes - (p->at + had);
			if (take > left)
				take = left;
			if (had >= FRAME_HEADER || !take || take > FRAME_HEADER ||
			    bpf_dynptr_read((u8 *)&f->tail + MASKED(had, 15), MASKED(take, 15),
					    packet, offset + p->at + had, 0))
				return;
			next = take_frame(t, f, p, had + take);
		}
		if (next == FOLLOW_NO_MORE)
			return;
		if (next != FOLLOW_BLOCK)
			continue;
		take = p->block_bytes;
		left = p->bytes - p->block;
		if (take > left)
			take = left;
		if (take > WINDOW)
			take = WINDOW;
		begin_scratch(s, &f->tail, !p->block);
		if (bpf_dynptr_read(s->bytes + TAIL, MASKED(take, SCRATCH_MASK), packet,
				    offset + p->block, 0))
			return;
		if (take_block(t, f, s, p, take))
			c->has_sampled = true;
		if (p->block_bytes > left)
			return;
	}
}
