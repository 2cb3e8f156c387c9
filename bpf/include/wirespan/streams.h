/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * HTTP/2: which stream each byte of a connection is of, both ways, and whose request each stream is. bpf/context writes
 * it. Sockets of other protocols have no storage here.
 */
#include <wirespan/context.h>

/* Requests that a connection remembers: a new one takes the place of the one 64 streams before it. */
#define STREAMS 64
/*
 * Frames that it remembers each way; what follows in the same stream is one. As many may wait to be acknowledged: 16 streams
 * of 10 KB in frames of 1 KB, say.
 */
#define RANGES 256
/* Longer ranges are not extended, so that sequence numbers go round in none. */
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

/* Where in what is received frames have been followed to. */
struct follower {
	/* The number of the next frame's first byte. */
	u32 next;
	/* Of the block that goes on. */
	u32 stream;
	/* Of the next frame's header, those that are in the tail. */
	u32 header_bytes;
	/* A block goes on; its last bytes are in the tail. */
	u32 in_block;
	struct tail tail;
};

/* Where in what is sent frames have been followed to. */
struct sender {
	/* The number of the next frame's first byte. */
	u32 next;
	/* Of its header, those that are in the messages so far, and in `header`. */
	u32 header_bytes;
	u8 header[16];
};

/* As it was before the last message: if the kernel takes nothing of that, the next one begins at the same byte. */
struct sender_before {
	struct sender out;
	/* Answers that have begun with it. */
	u64 answered;
	/* The carrier's contexts, the ranges, and where the last range ended. */
	u32 contexts;
	u32 ranges;
	u32 end;
};

struct streams {
	struct entry requests[STREAMS];
	struct ranges sent;
	struct ranges received;
	/* By request: answered in full, or cut off; the answer has begun. */
	u64 ended;
	u64 answered;
	/* The newest that was opened. */
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

/* NULL: it is not known, or the server has opened it. */
static __always_inline struct entry *request_of(struct streams *t, u32 stream)
{
	struct entry *e = &t->requests[place_of(stream)];

	return stream & 1 && e->stream == stream ? e : NULL;
}
