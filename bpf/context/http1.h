/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* W3C traceparent in the heads of HTTP/1.1 requests, several of which may follow each other (pipelining). */
#include "shared.h"

/* Offset of the value, or: */
enum head {
	/* Not found yet, and the head continues. */
	HEAD_CONTINUES = -1,
	HEAD_ENDED = -2,
	/* Two contexts: receivers differ in which one they use, if any. */
	HEAD_AMBIGUOUS = -3,
	/* Another line. */
	HEAD_OTHER = -4,
	/* Not a valid context, so it does not start a trace. */
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

/* "tracepar" and "ent:", and the bits that make letters lower case. */
#define NAME_BEGIN       0x7261706563617274ull
#define NAME_END         0x3a746e65u
#define NAME_BEGIN_SMALL (0x20 * EACH_BYTE)
#define NAME_END_SMALL   0x202020u

/* "content-" and "length:". */
#define LENGTH_BEGIN 0x2d746e65746e6f63ull
#define LENGTH_END   0x3a6874676e656cull

/* "transfer", "-encodin" and "g:": of a request, the last coding is `chunked` (RFC 9112, 6.3). */
#define CODING_BEGIN  0x726566736e617274ull
#define CODING_MIDDLE 0x6e69646f636e652dull
#define CODING_END    0x3a67u
/* Instead of a body's length. */
#define CHUNKED (~0u)

/* A decimal number, behind blanks. Global: verified once. */
__noinline u32 read_number(struct scratch *s, u32 at)
{
	u32 number = 0;

	if (!s)
		return 0;
	for (u32 i = 0; i < 12; i++) {
		u8 c = s->bytes[MASKED(at + i, SCRATCH_MASK)];

		if (c == ' ' || c == '\t')
			continue;
		c -= '0';
		if (c > 9)
			break;
		number = 10 * number + c;
	}
	return number;
}

/* `at` may begin a line: the offset of the value if the line is a traceparent. */
static __always_inline int read_line(struct scratch *s, u32 at, u32 n)
{
	const u8 *p;
	u32 skip = 12;

	if (at < 1 || at >= n || at >= SEARCHED)
		return HEAD_OTHER;
	p = s->bytes + MASKED(at - 1, SCRATCH_MASK) + 1;
	if (p[-1] != '\n')
		return HEAD_OTHER;
	if (p[0] == '\r' || p[0] == '\n') {
		s->next = at + (p[0] == '\r' ? 2 : 1) + (s->body == CHUNKED ? 0 : s->body);
		return HEAD_ENDED;
	}
	if ((*(const u64 *)p | NAME_BEGIN_SMALL) == CODING_BEGIN &&
	    (*(const u64 *)(p + 8) | NAME_BEGIN_SMALL) == CODING_MIDDLE &&
	    (*(const u16 *)(p + 16) | 0x2020) == (CODING_END | 0x2020))
		s->body = CHUNKED;
	if ((*(const u64 *)p | NAME_BEGIN_SMALL) == LENGTH_BEGIN &&
	    (*(const u64 *)(p + 8) << 8 >> 8 | NAME_BEGIN_SMALL >> 8) == LENGTH_END &&
	    s->body != CHUNKED)
		s->body = read_number(s, at + 15);
	if ((*(const u64 *)p | NAME_BEGIN_SMALL) != NAME_BEGIN ||
	    (*(const u32 *)(p + 8) | NAME_END_SMALL) != NAME_END)
		return HEAD_OTHER;
	if (p[12] == ' ' || p[12] == '\t')
		skip = 13;
	return at + skip <= n ? (int)(at + skip) : HEAD_OTHER;
}

/* The highest bit of each byte. */
#define HIGHEST (0x80 * EACH_BYTE)

/* The highest bits of those of 8 bytes that are zero, and maybe of others above them. */
#define ZEROS(word) (((word)-EACH_BYTE) & ~(word)&HIGHEST)

/* The same for newlines. */
static __always_inline u64 newlines_in(u64 text)
{
	return ZEROS(text ^ '\n' * EACH_BYTE);
}

/* The highest bit is set for each byte up to a newline, for those that are not ASCII, and maybe for others next to these. */
#define MAY_BE_NEWLINES(word) ((word) - ('\n' + 1) * EACH_BYTE)

/* Number of bytes up to the first newline, with it. */
static __always_inline u32 end_of_first(u64 newlines)
{
	return (((newlines & -newlines) - 1) & EACH_BYTE) * EACH_BYTE >> 56;
}

/*
 * The lines that begin after the newlines in `text`, the 8 bytes at `at`; 1 if the search ends with one of them. What is
 * found is kept in the scratch memory, so that the verifier does not follow each value of it through the search.
 */
__noinline int read_lines(struct scratch *s, u32 at, u64 text, u32 n)
{
	u64 newlines = newlines_in(text);

	if (!s)
		return 1;
	for (int i = 0; i < 4; i++) {
		int value;

		if (!newlines)
			break;
		value = read_line(s, at + end_of_first(newlines), n);
		newlines &= newlines - 1;
		if (value == HEAD_OTHER)
			continue;
		if (value >= 0 && s->found < 0) {
			s->found = value;
			continue;
		}
		if (value >= 0)
			s->found = HEAD_AMBIGUOUS;
		else if (s->found < 0)
			s->found = HEAD_ENDED;
		return 1;
	}
	return 0;
}

/*
 * Whether a line that begins after a newline in `text`, the 8 bytes at `p`, may be of interest. Most are not, and are not
 * worth a call.
 */
static __always_inline bool is_of_interest(const u8 *p, u64 text)
{
	u64 newlines = newlines_in(text), line, small;

	/* Several: short lines, as at the end of a head. */
	if (newlines & (newlines - 1))
		return true;
	line = *(const u64 *)(p + (end_of_first(newlines) & 15));
	small = line | NAME_BEGIN_SMALL;
	return small == NAME_BEGIN || small == LENGTH_BEGIN || small == CODING_BEGIN ||
	       (u8)line == '\r' || (u8)line == '\n';
}

/* Words that are searched together, and bytes that are searched by one call. */
#define WORDS 4
#define PART  512

/* Searches a part of a head; 1 if the search ends in it. Global, and short: each step of its loop is verified by itself. */
__noinline int search_part(struct scratch *s, u32 from, u32 n)
{
	if (!s)
		return 1;
	for (u32 i = 0; i < PART; i += 8 * WORDS) {
		u64 words[WORDS], any = 0;
		u32 at = from + i;
		const u8 *p;

		if (at >= n)
			return 1;
		/* Otherwise the compiler counts from -32, which Linux 7.3 refuses. */
		p = s->bytes + MASKED(at, SCRATCH_MASK);
		for (int k = 0; k < WORDS; k++) {
			words[k] = *(const u64 *)(p + 8 * k);
			any |= MAY_BE_NEWLINES(words[k]);
		}
		if (!(any & HIGHEST))
			continue;
		for (int k = 0; k < WORDS; k++)
			if (MAY_BE_NEWLINES(words[k]) & HIGHEST &&
			    is_of_interest(p + 8 * k, words[k]) &&
			    read_lines(s, at + 8 * k, words[k], n))
				return 1;
	}
	return 0;
}

/* Maximum number of chunks that are followed per message. */
#define CHUNKS 256

/* The highest bit of a chunk's length. */
#define LAST_CHUNK (1u << 31)

struct chunks {
	struct scratch *scratch;
	u32 n;
};

static __always_inline u32 digit_of_size(u8 c)
{
	u8 number = c - '0', letter = (c | 0x20) - 'a';

	return number < 10 ? number : letter < 6 ? letter + 10 : 16;
}

/* The length of the chunk whose line begins at `at`, with the line and the end of line behind it; 0: not understood. */
__noinline u32 chunk_at(struct scratch *s, u32 at)
{
	u32 size = 0, digits = 0;
	const u8 *p;

	if (!s)
		return 0;
	p = s->bytes + MASKED(at, SCRATCH_MASK);
	for (u32 i = 0; i < 7; i++) {
		u32 d = digit_of_size(p[i]);

		if (d > 15)
			break;
		size = size << 4 | d;
		digits++;
	}
	p = s->bytes + MASKED(at + digits, SCRATCH_MASK);
	if (!digits || p[0] != '\r' || p[1] != '\n')
		return 0;
	/* Fields behind the last chunk are rare. */
	if (!size && (p[2] != '\r' || p[3] != '\n'))
		return 0;
	return (digits + size + 4) | (size ? 0 : LAST_CHUNK);
}

/* Skips one chunk; 1 if it is the last one here. */
static long skip_chunk(u32 i, struct chunks *chunks)
{
	struct scratch *s = chunks->scratch;
	u32 at = s->next, bytes;

	/* The shortest is the last one of a body. */
	if (at + 5 > chunks->n)
		return 1;
	bytes = chunk_at(s, at);
	if (!bytes) {
		COUNT_CORRELATED(ambiguous, 1);
		s->next = chunks->n;
		return 1;
	}
	s->next = at + (bytes & ~LAST_CHUNK);
	return bytes & LAST_CHUNK ? 1 : 0;
}

/* Searches the bytes from `from` up to the end of the head, or to `n`. Global: verified once. */
__noinline int search_head(struct scratch *s, u32 from, u32 n)
{
	struct chunks chunks = { .scratch = s, .n = n };

	if (!s)
		return HEAD_CONTINUES;
	s->next = 0;
	s->found = HEAD_CONTINUES;
	if (from)
		s->body = 0;
	for (u32 i = 0; i < SEARCHED; i += PART)
		if (search_part(s, from + i, n))
			break;
	if (s->body == CHUNKED && s->next)
		bpf_loop(CHUNKS, skip_chunk, &chunks, 0);
	return s->found;
}

/* The value of a hexadecimal digit, or more than 15. W3C Trace Context allows lower case only. */
static __always_inline u32 digit(u8 c)
{
	u8 number = c - '0', letter = c - 'a';

	return number < 10 ? number : letter < 6 ? letter + 10 : 256;
}

static __always_inline u32 read_byte(const u8 *p)
{
	return digit(p[0]) << 4 | digit(p[1]);
}

/* Four bytes from eight hexadecimal digits at `p`; `bad` becomes non-zero if there are other characters. */
static __always_inline u32 read_word(const u8 *p, u64 *bad)
{
	u64 text = *(const u64 *)p, digits, letters;

	digits = (text & 0x0f * EACH_BYTE) + (text >> 6 & EACH_BYTE) * 9;
	letters = (digits + 6 * EACH_BYTE) >> 4 & EACH_BYTE;
	/* As they should be written. */
	*bad |= (digits + '0' * EACH_BYTE + letters * ('a' - '0' - 10)) ^ text;
	*bad |= digits & 0xf0 * EACH_BYTE;
	digits = (digits << 4 | digits >> 8) & 0x00ff00ff00ff00ff;
	digits = (digits | digits >> 8) & 0x0000ffff0000ffff;
	return digits | digits >> 16;
}

/*
 * Parses the context of 55 characters at `at`; `plain`: more may follow, as in a plain-text head. Returns 0,
 * HEAD_INVALID, or HEAD_CONTINUES if it is incomplete.
 */
__noinline int parse_context(struct entry *e, struct scratch *s, u32 at, u32 n, bool plain)
{
	u32 *ids, version, flags, trace = 0;
	const u8 *p;
	u64 bad;

	if (!e || !s)
		return HEAD_INVALID;
	if (at + 55 + plain > n)
		return HEAD_CONTINUES;
	p = s->bytes + MASKED(at, SCRATCH_MASK);
	version = read_byte(p);
	flags = read_byte(p + 53);
	/* Version ff is invalid. */
	bad = version >= 255 || flags > 255;
	if (plain && p[55] != '\r' && p[55] != '\n' && p[55] != ' ' && p[55] != '\t')
		bad |= p[55] != '-' || !version;
	bad |= p[2] != '-' || p[35] != '-' || p[52] != '-';
	ids = (u32 *)e->trace_id;
	for (int i = 0; i < 4; i++) {
		ids[i] = read_word(p + 3 + 8 * i, &bad);
		trace |= ids[i];
	}
	ids = (u32 *)e->span_id;
	for (int i = 0; i < 2; i++)
		ids[i] = read_word(p + 36 + 8 * i, &bad);
	e->flags = flags;
	return bad || !trace || !(ids[0] | ids[1]) ? HEAD_INVALID : 0;
}

/* The context in the head that begins, or continues, at `from`. */
__noinline int read_head(struct entry *e, struct scratch *s, u32 from, u32 n)
{
	int at = search_head(s, from, n), parsed;

	if (!e || !s)
		return HEAD_OTHER;
	if (at < 0)
		return at;
	parsed = parse_context(e, s, at, n, true);
	if (!parsed)
		e->source = CONTEXT_HEADER;
	return parsed;
}

/* Whether the search continues in the next message. */
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

/* Maximum number of further requests per message or segment: as many as fit into the window. */
#define PIPELINED 160

/* Behind the request that was searched last comes another one. */
static __always_inline bool is_request_next(const struct scratch *s, u32 n)
{
	u32 at = s->next;

	return at && at + 4 <= n && is_method(*(const u64 *)(s->bytes + MASKED(at, SCRATCH_MASK)));
}
