/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The W3C's traceparent in the head of an HTTP/1.1 request. */
#include "shared.h"

/* Where the value begins, or: */
enum head {
	/* There is none so far, and the head goes on. */
	HEAD_CONTINUES = -1,
	HEAD_ENDED = -2,
	/* Two contexts: receivers differ in which they take, if any. */
	HEAD_AMBIGUOUS = -3,
	/* The line is another. */
	HEAD_OTHER = -4,
	/* It is no valid context, and so begins no trace. */
	HEAD_INVALID = -5,
};

#define EACH_BYTE 0x0101010101010101ull

static __always_inline bool is_method(u64 word)
{
	switch ((u32)word) {
	case 0x20544547: /* "GET " */
	case 0x54534f50: /* "POST" */
	case 0x20545550: /* "PUT " */
	case 0x44414548: /* "HEAD" */
	case 0x454c4544: /* "DELE" */
	case 0x43544150: /* "PATC" */
	case 0x4954504f: /* "OPTI" */
	case 0x4e4e4f43: /* "CONN" */
	case 0x43415254: /* "TRAC" */
		return true;
	default:
		return false;
	}
}

/* `at` may begin a line: where its value begins if it is a traceparent. */
__noinline int read_line(struct scratch *s, u32 at, u32 n)
{
	const u8 *p;
	u32 skip = 12;

	if (!s || at < 1 || at >= n || at >= SEARCHED)
		return HEAD_OTHER;
	p = s->bytes + MASKED(at - 1, SCRATCH_MASK) + 1;
	if (p[-1] != '\n')
		return HEAD_OTHER;
	if (p[0] == '\r' || p[0] == '\n')
		return HEAD_ENDED;
	if ((p[0] | 32) != 't' || (p[1] | 32) != 'r' || (p[2] | 32) != 'a' || (p[3] | 32) != 'c' ||
	    (p[4] | 32) != 'e' || (p[5] | 32) != 'p' || (p[6] | 32) != 'a' || (p[7] | 32) != 'r' ||
	    (p[8] | 32) != 'e' || (p[9] | 32) != 'n' || (p[10] | 32) != 't' || p[11] != ':')
		return HEAD_OTHER;
	if (p[12] == ' ' || p[12] == '\t')
		skip = 13;
	return at + skip <= n ? (int)(at + skip) : HEAD_OTHER;
}

/* The lines that begin behind the newlines in the 8 bytes at `at`: `newlines` has their highest bits set. */
__noinline int read_lines(struct scratch *s, u32 at, u64 newlines, u32 n)
{
	for (int i = 0; i < 4; i++) {
		u64 below;
		int value;

		if (!newlines)
			break;
		below = ((newlines & -newlines) - 1) & EACH_BYTE;
		value = read_line(s, at + (u32)(below * EACH_BYTE >> 56), n);
		if (value != HEAD_OTHER)
			return value;
		newlines &= newlines - 1;
	}
	return HEAD_OTHER;
}

/* Searches the first `n` bytes, up to the head's end. */
__noinline int search_head(struct scratch *s, u32 n)
{
	int found = HEAD_CONTINUES;

	if (!s)
		return found;
	for (u32 at = 0; at < SEARCHED; at += 8) {
		u64 word, newlines;
		int value;

		if (at >= n)
			break;
		word = *(u64 *)(s->bytes + at) ^ '\n' * EACH_BYTE;
		newlines = (word - EACH_BYTE) & ~word & 0x80 * EACH_BYTE;
		if (!newlines)
			continue;
		value = read_lines(s, at, newlines, n);
		if (value == HEAD_OTHER)
			continue;
		if (value == HEAD_ENDED)
			return found >= 0 ? found : HEAD_ENDED;
		if (found >= 0)
			return HEAD_AMBIGUOUS;
		found = value;
	}
	return found;
}

/* The value of a hexadecimal digit, or more than 15. The W3C allows small letters alone. */
static __always_inline u32 digit(u8 c)
{
	u8 number = c - '0', letter = c - 'a';

	return number < 10 ? number : letter < 6 ? letter + 10 : 256;
}

static __always_inline u32 read_byte(const u8 *p)
{
	return digit(p[0]) << 4 | digit(p[1]);
}

/*
 * The context of 55 characters at `at`; `plain`: more may follow, as in the text of a head. 0, or HEAD_INVALID, or
 * HEAD_CONTINUES if not all of it is there.
 */
__noinline int parse_context(struct entry *e, struct scratch *s, u32 at, u32 n, bool plain)
{
	u32 bad, trace = 0, span = 0, byte;
	const u8 *p;

	if (!e || !s)
		return HEAD_INVALID;
	if (at + 55 + plain > n)
		return HEAD_CONTINUES;
	p = s->bytes + MASKED(at, SCRATCH_MASK);
	/* Version ff is invalid. */
	byte = read_byte(p);
	bad = byte >= 255;
	if (plain && p[55] != '\r' && p[55] != '\n' && p[55] != ' ' && p[55] != '\t')
		bad |= p[55] != '-' || !byte;
	bad |= p[2] != '-' || p[35] != '-' || p[52] != '-';
	for (int i = 0; i < 16; i++) {
		byte = read_byte(p + 3 + 2 * i);
		bad |= byte > 255;
		trace |= byte;
		e->trace_id[i] = byte;
	}
	for (int i = 0; i < 8; i++) {
		byte = read_byte(p + 36 + 2 * i);
		bad |= byte > 255;
		span |= byte;
		e->span_id[i] = byte;
	}
	byte = read_byte(p + 53);
	bad |= byte > 255;
	e->flags = byte;
	return bad || !trace || !span ? HEAD_INVALID : 0;
}

/* The context in the head whose first, or next, `n` bytes are in `s`. */
__noinline int read_head(struct entry *e, struct scratch *s, u32 n)
{
	int at = search_head(s, n), parsed;

	if (!e || !s)
		return HEAD_OTHER;
	if (at < 0)
		return at;
	parsed = parse_context(e, s, at, n, true);
	if (!parsed)
		e->source = CONTEXT_HEADER;
	return parsed;
}

/* Whether the search goes on in the next message. */
static __always_inline bool goes_on(int head, u32 bytes)
{
	if (head == HEAD_INVALID)
		COUNT_CORRELATED(invalid, 1);
	if (head == HEAD_AMBIGUOUS)
		COUNT_CORRELATED(ambiguous, 1);
	if (head != HEAD_CONTINUES)
		return false;
	if (bytes < window)
		return true;
	COUNT_CORRELATED(beyond_window, 1);
	return false;
}
