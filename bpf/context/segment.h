/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Requests as segments of TCP. */
#include "segment_frames.h"
#include <wirespan/packet_view.h>

/* In TCP's header: the upper half of one byte is the header's length in words. */
#define DATA_OFFSET 12
#define ACK_NUMBER  8

static __always_inline void follow_head(struct carrier *c, struct scratch *s,
					const struct bpf_dynptr *packet, u32 offset,
					const struct piece *p)
{
	u32 limit = window - c->head_bytes;
	u32 from = begin_scratch(s, &c->tail, c->tail_of == TAIL_RECEIVED);

	if (limit > p->bytes)
		limit = p->bytes;
	if (limit > WINDOW ||
	    bpf_dynptr_read(s->bytes + TAIL, MASKED(limit, SCRATCH_MASK), packet, offset, 0)) {
		drop_tail(c);
		return;
	}
	read_received_head(c, s, from, TAIL + limit, p->bytes > limit ? window : limit);
}

/*
 * A segment, before the kernel handles it. A kernel without bpf_dynptr_from_skb refuses the program, and the agent
 * uses on_received.
 */
static __always_inline int see_segment(struct sock *sk, struct sk_buff *skb)
{
	struct conn *known = bpf_sk_storage_get(&conns, sk, NULL, 0);
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	u32 header, skipped, acked = 0;
	const struct tcp_sock *tp;
	struct bpf_dynptr packet;
	struct piece p = {};
	struct streams *t;
	struct scratch *s;
	struct carrier *c;
	bool is_early;
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
	/* It arrives out of order. */
	is_early = (s32)skipped < 0;
	if (is_early) {
		p.seq -= skipped;
		skipped = 0;
	}
	if (skipped >= p.bytes)
		return 0;
	header += skipped;
	p.bytes -= skipped;
	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	if (bpf_dynptr_read(&word, p.bytes < 8 ? p.bytes & 7 : 8, &packet, header, 0))
		return 0;
	c = is_early ? bpf_sk_storage_get(&contexts, sk, NULL, 0) : carrier_for(sk, known, word);
	if (c && is_early && c->protocol != CARRIED_HTTP2)
		return 0;
	s = c ? scratch_of(SCRATCH_SEGMENT) : NULL;
	if (!s)
		return 0;
	bpf_probe_read_kernel(&acked, sizeof(acked), skb->data + ACK_NUMBER);
	p.overlaps = bpf_ntohl(acked) != tp->write_seq;
	p.is_soon = !c->handshake_settled && is_soon_after_handshake(known);
	if (reads_http2 && c->protocol != CARRIED_HTTP2 && (u32)word == PREFACE) {
		t = create_streams(sk);
		if (!t)
			return 0;
		drop_tail(c);
		c->protocol = CARRIED_HTTP2;
		c->awaits_accept = p.is_soon;
		c->handshake_settled = true;
		t->in.next = p.seq + PREFACE_BYTES;
		/* What is sent from here on begins with a frame. */
		t->out.next = tp->write_seq;
	}
	if (c->protocol == CARRIED_HTTP2) {
		struct follower gap = {};

		t = bpf_sk_storage_get(&streams, sk, NULL, 0);
		if (!t)
			return 0;
		p.is_server = known->direction != DIRECTION_OUTBOUND;
		gap.next = p.seq - 1;
		follow_frames(c, t, is_early ? &gap : &t->in, s, &packet, header, &p);
		return 0;
	}
	if (is_method(word)) {
		begin_request(c, p.seq, p.overlaps, p.is_soon, tp->write_seq);
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
