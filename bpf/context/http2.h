/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * traceparent in HTTP/2 header blocks (RFC 9113, RFC 7541). Its name may be an index into a table that can only be
 * known from the whole connection; its value has a unique form, and is usually Huffman-coded.
 */
#include <wirespan/streams.h>
#include "http1.h"

/* "PRI " */
#define PREFACE       0x20495250u
#define PREFACE_BYTES 24
#define FRAME_HEADER  9
enum {
	FRAME_DATA = 0,
	FRAME_HEADERS = 1,
	FRAME_RST_STREAM = 3,
	FRAME_SETTINGS = 4,
	FRAME_PING = 6,
	FRAME_WINDOW_UPDATE = 8,
	FRAME_CONTINUATION = 9,
};
#define END_STREAM 1
/* Flags of a frame with headers: END_STREAM, END_HEADERS, PADDED, PRIORITY. */
#define HEADERS_FLAGS 0x2d

struct frame {
	u32 bytes;
	u32 stream;
	u8 type;
	u8 flags;
};

static __always_inline void read_frame(struct frame *f, const u8 *p)
{
	f->bytes = p[0] << 16 | p[1] << 8 | p[2];
	f->type = p[3];
	f->flags = p[4];
	f->stream = (p[5] & 0x7f) << 24 | p[6] << 16 | p[7] << 8 | p[8];
}

static __always_inline bool has_block(const struct frame *f)
{
	return f->type == FRAME_HEADERS || f->type == FRAME_CONTINUATION;
}

/* Maximum distance of the next stream from the newest. */
#define STREAMS_AHEAD  2048
#define STREAMS_BEHIND (2 * STREAMS)

/* Whether the frame opens a stream. */
static __always_inline bool opens_stream(const struct streams *t, const struct frame *f)
{
	return f->type == FRAME_HEADERS && f->stream & 1 &&
	       f->stream > t->requests[place_of(f->stream)].stream &&
	       (s32)(f->stream - t->last) <= STREAMS_AHEAD &&
	       (s32)(t->last - f->stream) < STREAMS_BEHIND;
}

/*
 * After lost frames: whether a frame begins here. Only the side that opens streams may open one; otherwise the frame
 * must be on a known stream, or on the connection with the length that its type requires.
 */
static __always_inline bool is_plausible(struct streams *t, const struct frame *f, bool opens)
{
	if (f->bytes > 1 << 20)
		return false;
	if (opens && opens_stream(t, f))
		return true;
	if (f->type == FRAME_DATA || f->type == FRAME_HEADERS)
		return request_of(t, f->stream) != NULL;
	if (f->type == FRAME_SETTINGS)
		return !f->stream && f->bytes % 6 == 0 && f->bytes <= 600;
	if (f->type == FRAME_RST_STREAM)
		return f->bytes == 4 && request_of(t, f->stream) != NULL;
	if (f->type == FRAME_WINDOW_UPDATE)
		return f->bytes == 4 && (!f->stream || request_of(t, f->stream) != NULL);
	return f->type == FRAME_PING && !f->stream && f->bytes == 8;
}

static __always_inline struct streams *create_streams(struct sock *sk)
{
	struct streams *t = bpf_sk_storage_get(&streams, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!t)
		COUNT_CORRELATED(no_memory, 1);
	return t;
}

/* A stream's headers begin a request, unless they are its trailers. */
static __always_inline void open_request(struct streams *t, u32 stream)
{
	u32 place = place_of(stream);
	struct entry *e = &t->requests[place];

	if (!(stream & 1) || stream <= e->stream)
		return;
	if (stream > t->last)
		t->last = stream;
	__builtin_memset(e, 0, sizeof(*e));
	e->stream = stream;
	t->ended &= ~(1ull << place);
	t->answered &= ~(1ull << place);
}

/* Bytes of a stream, including the frame's header. Global: verified once. */
__noinline int note_range(struct ranges *w, u32 begin, u32 bytes, u32 stream)
{
	struct range *last, *next;

	if (!w)
		return 0;
	last = &w->ring[MASKED(w->n - 1, RANGES - 1)];
	next = &w->ring[MASKED(w->n, RANGES - 1)];
	if (w->n && last->stream == stream && last->end == begin &&
	    last->end - last->begin < RANGE_BYTES) {
		last->end += bytes;
		return 0;
	}
	next->begin = begin;
	next->end = begin + bytes;
	next->stream = stream;
	w->n++;
	return 0;
}

/* Handles the end of a stream that a frame signals; `answers`: its sender is the server. */
static __always_inline void note_end(struct streams *t, const struct frame *f, bool answers)
{
	if (!request_of(t, f->stream))
		return;
	if (f->type == FRAME_RST_STREAM || (answers && f->flags & END_STREAM &&
					    (f->type == FRAME_DATA || f->type == FRAME_HEADERS)))
		t->ended |= 1ull << place_of(f->stream);
}

static __always_inline bool has_bytes_of_stream(const struct frame *f)
{
	return f->stream && (f->type == FRAME_DATA || has_block(f));
}

/* Huffman decoding of the characters of a context, by the next six bits: code length and character. */
#define FIVE(c) (5 << 8 | (c))
#define SIX(c)  (6 << 8 | (c))
static const u16 huffman[64] = {
	FIVE('0'),       FIVE('0'),       FIVE('1'),       FIVE('1'),       FIVE('2'),
	FIVE('2'),       FIVE('a'),       FIVE('a'),       FIVE('c'),       FIVE('c'),
	FIVE('e'),       FIVE('e'),       [22] = SIX('-'), [25] = SIX('3'), [26] = SIX('4'),
	[27] = SIX('5'), [28] = SIX('6'), [29] = SIX('7'), [30] = SIX('8'), [31] = SIX('9'),
	[35] = SIX('b'), [36] = SIX('d'), [37] = SIX('f'),
};

/* Offset of a decoded value in the scratch memory, after everything that is searched. */
#define DECODED (2 * WINDOW - 128)

/* Decodes the 55 characters that begin at byte `at`; false if there are others. */
__noinline int decode(struct scratch *s, u32 at, u32 n)
{
	u32 bit = 0;

	if (!s)
		return 0;
	for (int i = 0; i < 55; i++) {
		u32 byte = at + (bit >> 3), bits;
		const u8 *p;
		u16 symbol;

		if (byte >= n || byte >= SEARCHED)
			return 0;
		p = s->bytes + MASKED(byte, SCRATCH_MASK);
		bits = (p[0] << 8 | p[1]) >> (10 - (bit & 7)) & 63;
		symbol = huffman[MASKED(bits, 63)];
		if (!symbol)
			return 0;
		s->bytes[DECODED + i] = symbol;
		bit += symbol >> 8;
	}
	return 1;
}

#define PLAIN 0x10000

/* The length byte before a value, and the value's first bytes: Huffman-coded "00-", or "00-". */
static __always_inline bool is_huffman(u32 word)
{
	u8 bytes = word;

	return bytes >= 0xa3 && bytes <= 0xaa && word << 8 >> 16 == 0x1600;
}

static __always_inline bool is_plain(u32 word)
{
	return word == (55 | '0' << 8 | '0' << 16 | '-' << 24);
}

/*
 * The first value at or after `from` whose zero byte, if it is Huffman-coded, or hyphen is one of the 8 bytes at `at`; -1:
 * none.
 */
__noinline int match_value(struct scratch *s, u32 at, u32 from, u32 n)
{
	if (!s)
		return -1;
	for (u32 k = 0; k < 10; k++) {
		const u8 *p = s->bytes + MASKED(at + k - 3, SCRATCH_MASK);
		u32 begin = at + k - 2, word = *(const u32 *)p;

		if (begin < from || (u64)begin + (word & 0x7f) > n)
			continue;
		if (is_huffman(word))
			return begin;
		if (is_plain(word))
			return begin | PLAIN;
	}
	return -1;
}

/* What begins behind this offset in a message is not searched. */
#define BLOCK_SEARCHED (TAIL + WINDOW / 2)

/* What was found in a part of a block; 0: nothing. */
__noinline int search_block_part(struct scratch *s, u32 at, u32 from, u32 n)
{
	if (!s)
		return 0;
	for (u32 i = 0; i < PART; i += 8) {
		u64 word;
		int value;

		if (at + i >= n)
			break;
		word = *(const u64 *)(s->bytes + MASKED(at + i, SCRATCH_MASK));
		if (!(ZEROS(word) | ZEROS(word ^ '-' * EACH_BYTE)))
			continue;
		value = match_value(s, at + i, from, n);
		if (value >= 0)
			return value;
	}
	return 0;
}

/* The first value at or after `from`; 0: none. */
__noinline int search_block(struct scratch *s, u32 from, u32 n)
{
	for (u32 i = 0; i < BLOCK_SEARCHED; i += PART) {
		u32 at = (from & ~7u) + i;
		int value;

		if (at >= n || at >= BLOCK_SEARCHED)
			break;
		value = search_block_part(s, at, from, n);
		if (value)
			return value;
	}
	return 0;
}

/*
 * The context in the part of a block between byte `from` and `n` in `s`. HEAD_AMBIGUOUS if it contains two different
 * values of that form: the names are not known.
 */
__noinline int read_block(struct entry *e, struct scratch *s, u32 from, u32 n)
{
	struct entry other = {};
	u32 found = 0;

	if (!e || !s)
		return HEAD_OTHER;
	for (int i = 0; i < 4; i++) {
		int value = search_block(s, from, n), parsed = HEAD_INVALID;
		u32 at = value & ~PLAIN;

		if (!value)
			break;
		from = at + 1;
		if (value & PLAIN)
			parsed = parse_context(&other, s, at, n, false);
		else if (decode(s, at, n))
			parsed = parse_context(&other, s, DECODED, DECODED + 55, false);
		if (parsed)
			continue;
		if (found && !is_same_context(&other, e))
			return HEAD_AMBIGUOUS;
		found = 1;
		__builtin_memcpy(e->trace_id, other.trace_id, 16);
		__builtin_memcpy(e->span_id, other.span_id, 8);
		e->flags = other.flags;
	}
	if (!found)
		return HEAD_CONTINUES;
	e->source = CONTEXT_HEADER;
	return 0;
}
