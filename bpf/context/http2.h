/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * traceparent in HTTP/2's header blocks (RFC 9113, RFC 7541). Its name may be an index into a table that only whoever has
 * seen the whole connection knows; its value has a shape that nothing else has, and as a rule Huffman's code.
 */
#include "http1.h"

/* "PRI " */
#define PREFACE       0x20495250u
#define PREFACE_BYTES 24
#define FRAME_HEADER  9
enum { FRAME_DATA = 0, FRAME_HEADERS = 1, FRAME_CONTINUATION = 9 };
/* Frames of one message or segment that are looked at. */
#define FRAMES 16

struct frame {
	u32 bytes;
	u32 stream;
	u8 type;
};

static __always_inline void read_frame(struct frame *f, const u8 *p)
{
	f->bytes = p[0] << 16 | p[1] << 8 | p[2];
	f->type = p[3];
	f->stream = (p[5] & 0x7f) << 24 | p[6] << 16 | p[7] << 8 | p[8];
}

static __always_inline bool has_block(const struct frame *f)
{
	return f->type == FRAME_HEADERS || f->type == FRAME_CONTINUATION;
}

/* Huffman's code for what a context consists of, by the next six bits: how many of them, and the character. */
#define FIVE(c) (5 << 8 | (c))
#define SIX(c)  (6 << 8 | (c))
static const u16 huffman[64] = {
	FIVE('0'),       FIVE('0'),       FIVE('1'),       FIVE('1'),       FIVE('2'),
	FIVE('2'),       FIVE('a'),       FIVE('a'),       FIVE('c'),       FIVE('c'),
	FIVE('e'),       FIVE('e'),       [22] = SIX('-'), [25] = SIX('3'), [26] = SIX('4'),
	[27] = SIX('5'), [28] = SIX('6'), [29] = SIX('7'), [30] = SIX('8'), [31] = SIX('9'),
	[35] = SIX('b'), [36] = SIX('d'), [37] = SIX('f'),
};

/* Where a decoded value lies in the scratch memory, behind all that is searched. */
#define DECODED (2 * WINDOW - 128)

/* Decodes the 55 characters that begin at byte `at`; false if they are others. */
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

/* A value that begins at `at` or one of the three bytes behind it, as 00 16 (Huffman's "00-") or "00-". */
__noinline int match_value(struct scratch *s, u32 at, u32 n)
{
	if (!s || at < 1 || at >= SEARCHED)
		return -1;
	for (u32 k = 0; k < 4; k++) {
		const u8 *p = s->bytes + MASKED(at + k - 1, SCRATCH_MASK);
		u32 begin = at + k, bytes = p[0] & 0x7f;

		if (begin + bytes > n)
			continue;
		if (p[0] >= 0xa3 && p[0] <= 0xaa && p[1] == 0 && p[2] == 0x16)
			return begin;
		if (p[0] == 55 && p[1] == '0' && p[2] == '0' && p[3] == '-')
			return begin | PLAIN;
	}
	return -1;
}

/* Further behind the message's first byte a block is not searched. */
#define BLOCK_SEARCHED (TAIL + WINDOW / 2)

/* 1 if x is 0, else 0, without a branch: each would be one more for the verifier to come back to. */
#define IS_ZERO(x)             (((u64)(x)-1) >> 63)
#define IS_HUFFMAN(word, bits) IS_ZERO(((word) >> (bits)&0xffff) ^ 0x1600)
#define IS_PLAIN(word, bits)   IS_ZERO(((word) >> (bits)&0xffffff) ^ 0x2d3030)

/* The first value at `from` or behind it; -1: there is none. */
__noinline int search_block(struct scratch *s, u32 from, u32 n)
{
	if (!s)
		return -1;
	for (u32 at = 0; at < BLOCK_SEARCHED; at += 4) {
		u64 word, hit;
		int value;

		if (at >= n)
			break;
		word = *(u64 *)(s->bytes + at);
		hit = IS_HUFFMAN(word, 0) | IS_HUFFMAN(word, 8) | IS_HUFFMAN(word, 16) |
		      IS_HUFFMAN(word, 24) | IS_PLAIN(word, 0) | IS_PLAIN(word, 8) |
		      IS_PLAIN(word, 16) | IS_PLAIN(word, 24);
		asm volatile("" : "+r"(hit));
		if (!hit)
			continue;
		value = match_value(s, at, n);
		if (value >= 0 && (u32)(value & ~PLAIN) >= from)
			return value;
	}
	return -1;
}

/*
 * The context in the part of a block that lies from byte `from` up to `n` in `s`. HEAD_AMBIGUOUS if it holds two
 * values of that shape which differ: the names are not known.
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

		if (value < 0)
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

/* The context of a stream whose bytes go on, for the message that begins at `e->seq`. */
__noinline int keep_stream(struct carrier *c, struct entry *e)
{
	if (!c || !e)
		return 0;
	for (u32 i = 1; i <= CONTEXTS; i++) {
		const struct entry *known = &c->ring[MASKED(c->n - i, CONTEXTS - 1)];

		if (i > c->n)
			break;
		if (known->stream != e->stream)
			continue;
		/* It is the newest already. */
		if (i == 1)
			return 0;
		__builtin_memcpy(e->trace_id, known->trace_id, 16);
		__builtin_memcpy(e->span_id, known->span_id, 8);
		e->flags = known->flags;
		e->source = known->source;
		e->reported = known->reported;
		break;
	}
	return keep(c, e);
}
