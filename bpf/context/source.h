/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Where a message is in an application's memory. */
#include "shared.h"

/* Location of a message; `vector`: NULL if it is contiguous. */
struct source {
	const void *base;
	u64 bytes;
	const struct iovec *vector;
};

/* Maximum number of parts of a message that are read. */
#define PARTS 24

static __always_inline const struct iovec *vector_of(const struct iov_iter *iter)
{
	const struct iov_iter___named *named = (const void *)iter;

	if (bpf_core_field_exists(iter->__iov))
		return BPF_CORE_READ(iter, __iov);
	return BPF_CORE_READ(named, iov);
}

/* False if it does not come from the application's memory (sendfile, kernel TLS). */
static __always_inline bool find_source(struct source *from, struct scratch *s,
					const struct iov_iter *iter, u32 bytes)
{
	u8 type = iter->iter_type;
	struct iovec first;

	if (iter->iov_offset)
		return false;
	from->vector = NULL;
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		/* From memory it is a number again: the verifier takes it for the other pointer of its union. */
		*(volatile u64 *)&s->base = (u64)iter->ubuf;
		from->base = (void *)*(volatile u64 *)&s->base;
		from->bytes = bytes;
		return true;
	}
	if (type != bpf_core_enum_value(enum iter_type, ITER_IOVEC))
		return false;
	from->vector = vector_of(iter);
	if (bpf_probe_read_kernel(&first, sizeof(first), from->vector))
		return false;
	from->base = first.iov_base;
	from->bytes = first.iov_len;
	return true;
}

/* Reading a few bytes of an application's memory takes nearly as long as reading that many. */
#define READ_AHEAD 256

/*
 * Copies the first bytes of a message after the tail in `s`, at least eight if there are as many; returns these, and zeros
 * for those that there are not. `ahead`: it is likely to be a request. s->copied is 0 if the memory cannot be read.
 */
static __always_inline u64 read_ahead(struct scratch *s, const struct source *from, bool ahead)
{
	u32 bytes = from->bytes < READ_AHEAD ? from->bytes : READ_AHEAD;
	u64 word;

	if (!ahead && bytes > 8)
		bytes = 8;
	if (bpf_probe_read_user(s->bytes + TAIL, MASKED(bytes, 2 * READ_AHEAD - 1), from->base)) {
		bytes = bytes < 8 ? bytes : 8;
		if (bpf_probe_read_user(s->bytes + TAIL, MASKED(bytes, 15), from->base)) {
			COUNT_CORRELATED(unreadable, 1);
			bytes = 0;
		}
	}
	s->copied = bytes;
	word = *(const u64 *)(s->bytes + TAIL);
	return bytes < 8 ? word & ((1ull << (8 * bytes & 63)) - 1) : word;
}

/* The `received` bytes that a call last copied there: the iterator has advanced past them. */
static __always_inline bool find_received(const void **base, const struct iov_iter *iter,
					  u32 received)
{
	u64 offset = BPF_CORE_READ(iter, iov_offset);
	u8 type = BPF_CORE_READ(iter, iter_type);
	const struct iovec *vector;
	struct iovec part;

	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		*base = BPF_CORE_READ(iter, ubuf) + offset - received;
		return offset >= received;
	}
	if (type != bpf_core_enum_value(enum iter_type, ITER_IOVEC))
		return false;
	vector = vector_of(iter);
	/* A full buffer was left behind. */
	if (!offset)
		vector--;
	if (bpf_probe_read_kernel(&part, sizeof(part), vector))
		return false;
	if (!offset)
		offset = part.iov_len;
	*base = part.iov_base + offset - received;
	/* Several buffers are not joined. */
	return offset >= received;
}

/* Maximum number of parts that are searched for a piece. */
#define PIECES 64

/* The address of a piece of a message that is within one part; 0: none. */
__noinline u64 find_piece(const struct source *from, u32 at, u32 bytes)
{
	u64 begin = 0;

	if (!from)
		return 0;
	if ((u64)at + bytes <= from->bytes)
		return (u64)from->base + at;
	if (!from->vector)
		return 0;
	for (u32 i = 0; i < PIECES; i++) {
		struct iovec part;

		if (bpf_probe_read_kernel(&part, sizeof(part), from->vector + i))
			return 0;
		if (begin + part.iov_len > at)
			return begin + part.iov_len >= (u64)at + bytes
				       ? (u64)part.iov_base + (at - begin)
				       : 0;
		begin += part.iov_len;
	}
	return 0;
}

/* Copies the message after the tail in `s`; returns the total number of bytes. */
__noinline int copy_message(struct scratch *s, const struct source *from, u32 limit)
{
	u32 n = 0;
	u64 bytes;

	if (!s || !from || limit > WINDOW)
		return TAIL;
	if (limit <= s->copied)
		return TAIL + limit;
	bytes = from->bytes;
	if (bytes > limit)
		bytes = limit;
	if (bpf_probe_read_user(s->bytes + TAIL, MASKED(bytes, SCRATCH_MASK), from->base)) {
		COUNT_CORRELATED(unreadable, 1);
		return TAIL;
	}
	n = bytes;
	if (!from->vector || bytes < from->bytes)
		return TAIL + n;
	for (u32 i = 1; i < PARTS; i++) {
		struct iovec part;

		if (n >= limit || bpf_probe_read_kernel(&part, sizeof(part), from->vector + i))
			break;
		bytes = part.iov_len;
		if (bytes > limit - n)
			bytes = limit - n;
		if (bpf_probe_read_user(s->bytes + TAIL + MASKED(n, WINDOW - 1),
					MASKED(bytes, WINDOW - 1), part.iov_base)) {
			COUNT_CORRELATED(unreadable, 1);
			break;
		}
		n += MASKED(bytes, WINDOW - 1);
	}
	return TAIL + n;
}
