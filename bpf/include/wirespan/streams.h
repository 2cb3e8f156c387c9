/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * HTTP/2: to which stream each byte of a connection belongs, in both directions, and to which request each stream.
 * bpf/context writes it. Sockets of other protocols have no storage here.
 */
#include <wirespan/context.h>

/* Requests that are kept per connection: a new one replaces the one 64 streams before it. */
#define STREAMS 64
/*
 * Frames that are kept per direction; adjacent frames of one stream are merged. As many may wait to be acknowledged:
 * for example 16 streams of 10 KB in frames of 1 KB.
 */
#define RANGES 256
/* Longer ranges are not extended, so that sequence numbers wrap in none. */
#define RANGE_BYTES (1 << 20)

/* Bytes from `begin` up to `end`. */
struct range {
	u32 begin;
	u32 end;
	u32 stream;
};

struct ranges {
	/* The last is ring[(n - 1) % RANGES]. */
	struct range ring[RANGES];
	u32 n;
};

/* How far frames have been followed in received data. */
struct follower {
	/* Sequence number of the next frame's first byte. */
	u32 next;
	/* Of the block that continues. */
	u32 stream;
	/* Bytes of the next frame's header that are in the tail. */
	u32 header_bytes;
	/* A block continues; its last bytes are in the tail. */
	u32 in_block;
	struct tail tail;
};

/* How far frames have been followed in sent data. */
struct sender {
	/* Sequence number of the next frame's first byte. */
	u32 next;
	/* Bytes of its header in the messages so far, and in `header`. */
	u32 header_bytes;
	u8 header[16];
};

/* State before the last message: if the kernel accepts nothing of that, the next one begins at the same byte. */
struct sender_before {
	struct sender out;
	/* Responses that have begun with it. */
	u64 answered;
	/* The carrier's contexts, the ranges, and the end of the last range. */
	u32 contexts;
	u32 ranges;
	u32 end;
};

struct streams {
	struct entry requests[STREAMS];
	struct ranges sent;
	struct ranges received;
	/* By request: fully answered or aborted; the response has begun. */
	u64 ended;
	u64 answered;
	/* The newest opened stream. */
	u32 last;
	struct follower in;
	struct sender out;
	struct sender_before before;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct streams);
} streams SEC(".maps");

static __always_inline u32 place_of(u32 stream)
{
	return stream >> 1 & (STREAMS - 1);
}

/* NULL: unknown, or the server has opened it. */
static __always_inline struct entry *request_of(struct streams *t, u32 stream)
{
	struct entry *e = &t->requests[place_of(stream)];

	return stream & 1 && e->stream == stream ? e : NULL;
}
