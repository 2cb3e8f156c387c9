/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Requests as segments of TCP. */
#include "receive.h"
#include <wirespan/packet_view.h>

/* Of TCP's header: its length in words is the upper half of one byte. */
#define DATA_OFFSET 12
#define ACK_NUMBER  8

/* What is new in a segment, and next in order: what came before is answered already, what comes too early may be cut. */
struct piece {
	u32 seq;
	u32 bytes;
	/* Another request is open still. */
	u32 overlaps;
	/* The handshake was not long ago. */
	u32 is_soon;
	/* HTTP/2: the next frame's header, from the piece's first byte; or its block, and the part of it that is here. */
	s32 at;
	u32 block;
	u32 block_bytes;
};

enum { FOLLOW_NO_MORE, FOLLOW_HEADER, FOLLOW_BLOCK };

/* What is to be read next: where frames are followed, the rest of a block, or of a frame's header. */
__noinline int plan_frame(struct carrier *c, struct piece *p)
{
	if (!c || !p)
		return FOLLOW_NO_MORE;
	p->at = c->next_frame - p->seq;
	if (c->tail_of == TAIL_RECEIVED && p->at > 0) {
		p->block = 0;
		p->block_bytes = p->at;
		return FOLLOW_BLOCK;
	}
	/* Segments came out of order, and a frame was lost with them: nothing is certain from here on. */
	if (p->at + (s32)c->head_bytes < 0) {
		__builtin_memset(&c->in, 0, sizeof(c->in));
		c->protocol = CARRIED_UNKNOWN;
		COUNT_CORRELATED(ambiguous, 1);
		return FOLLOW_NO_MORE;
	}
	return p->at + (s32)c->head_bytes < (s32)p->bytes ? FOLLOW_HEADER : FOLLOW_NO_MORE;
}

/* More of a header is in the carrier's tail, `bytes` of them now. */
__noinline int take_frame(struct carrier *c, struct piece *p, u32 bytes)
{
	struct frame f;
	u32 at;

	if (!c || !p)
		return FOLLOW_NO_MORE;
	if (bytes < FRAME_HEADER) {
		c->head_bytes = bytes;
		return FOLLOW_NO_MORE;
	}
	read_frame(&f, c->tail);
	drop_tail(c);
	at = p->at + FRAME_HEADER;
	c->next_frame = p->seq + at + f.bytes;
	if (f.type == FRAME_HEADERS)
		begin_request(c, p->seq + at, p->overlaps, p->is_soon);
	if (!has_block(&f) || !f.bytes)
		return FOLLOW_HEADER;
	c->tail_of = TAIL_RECEIVED;
	if (at >= p->bytes)
		return FOLLOW_NO_MORE;
	p->block = at;
	p->block_bytes = f.bytes;
	return FOLLOW_BLOCK;
}

/* A block, or the part of it that is here, lies behind the tail in `s`. */
__noinline int take_block(struct carrier *c, struct scratch *s, const struct piece *p, u32 bytes)
{
	struct entry e = {};
	int found;

	if (!c || !s || !p)
		return 0;
	found = read_block(&e, s, 1, TAIL + bytes);
	if (found == HEAD_AMBIGUOUS)
		COUNT_CORRELATED(ambiguous, 1);
	if (!found)
		take_received(c, &e);
	if (found == HEAD_CONTINUES && p->block_bytes > p->bytes - p->block)
		keep_tail(c, s, TAIL + bytes, TAIL_RECEIVED);
	else
		drop_tail(c);
	return 0;
}

/*
 * Follows frames through a piece. One request after the other is told: of several streams at once it is not certain
 * whose an answer is. The carrier's tail holds the end of a block, or the first bytes of a frame's header.
 */
static __always_inline void follow_frames(struct carrier *c, struct scratch *s,
					  const struct bpf_dynptr *packet, u32 offset,
					  struct piece *p)
{
	for (int i = 0; i < FRAMES; i++) {
		int next = plan_frame(c, p);
		u32 had = c->head_bytes, take, left;

		if (next == FOLLOW_HEADER) {
			take = FRAME_HEADER - had;
			left = p->bytes - (p->at + had);
			if (take > left)
				take = left;
			if (had >= FRAME_HEADER || !take || take > FRAME_HEADER ||
			    bpf_dynptr_read(c->tail + MASKED(had, 15), MASKED(take, 15), packet,
					    offset + p->at + had, 0))
				return;
			next = take_frame(c, p, had + take);
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
		begin_scratch(s, c);
		if (bpf_dynptr_read(s->bytes + TAIL, MASKED(take, SCRATCH_MASK), packet,
				    offset + p->block, 0))
			return;
		take_block(c, s, p, take);
		if (p->block_bytes > left)
			return;
	}
}

static __always_inline void follow_head(struct carrier *c, struct scratch *s,
					const struct bpf_dynptr *packet, u32 offset,
					const struct piece *p)
{
	u32 limit = window - c->head_bytes;

	begin_scratch(s, c);
	if (limit > p->bytes)
		limit = p->bytes;
	if (limit > WINDOW ||
	    bpf_dynptr_read(s->bytes + TAIL, MASKED(limit, SCRATCH_MASK), packet, offset, 0)) {
		drop_tail(c);
		return;
	}
	read_received_head(c, s, TAIL + limit, p->bytes > limit ? window : limit);
}

/*
 * A segment, as the kernel begins to handle it. A kernel without bpf_dynptr_from_skb refuses the program, and the agent
 * takes on_received.
 */
static __always_inline int see_segment(struct sock *sk, struct sk_buff *skb)
{
	struct conn *known = bpf_sk_storage_get(&conns, sk, NULL, 0);
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	u32 header, skipped, acked = 0;
	const struct tcp_sock *tp;
	struct bpf_dynptr packet;
	struct piece p = {};
	struct scratch *s;
	struct carrier *c;
	u8 offset = 0;
	u64 word = 0;

	if (!known || known->excluded || is_receive_opaque(known))
		return 0;
	bpf_probe_read_kernel(&offset, sizeof(offset), skb->data + DATA_OFFSET);
	header = (offset >> 4) * 4;
	if (skb->len <= header)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	p.seq = tp->rcv_nxt;
	p.bytes = skb->len - header;
	skipped = p.seq - BPF_CORE_READ(cb, seq);
	if (skipped >= p.bytes)
		return 0;
	header += skipped;
	p.bytes -= skipped;
	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	if (p.bytes >= 8 && bpf_dynptr_read(&word, sizeof(word), &packet, header, 0))
		return 0;
	c = carrier_for(sk, known, word);
	s = c ? scratch_of(SCRATCH_SEGMENT) : NULL;
	if (!s)
		return 0;
	bpf_probe_read_kernel(&acked, sizeof(acked), skb->data + ACK_NUMBER);
	p.overlaps = bpf_ntohl(acked) != tp->write_seq;
	p.is_soon = !c->handshake_settled && is_soon_after_handshake(known);
	if (reads_http2 && c->protocol != CARRIED_HTTP2 && (u32)word == PREFACE) {
		drop_tail(c);
		c->protocol = CARRIED_HTTP2;
		c->next_frame = p.seq + PREFACE_BYTES;
	}
	if (c->protocol == CARRIED_HTTP2) {
		follow_frames(c, s, &packet, header, &p);
		return 0;
	}
	if (is_method(word)) {
		begin_request(c, p.seq, p.overlaps, p.is_soon);
		c->protocol = CARRIED_HTTP1;
	}
	follow_head(c, s, &packet, header, &p);
	return 0;
}

SEC("tp_btf/tcp_probe")
int BPF_PROG(on_segment, struct sock *sk, struct sk_buff *skb)
{
	return see_segment(sk, skb);
}
