/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Requests as segments of TCP. */
#include "receive.h"
#include <wirespan/packet_view.h>

/* Of TCP's header: its length in words is the upper half of one byte. */
#define DATA_OFFSET 12
#define ACK_NUMBER  8

/*
 * A segment, as the kernel begins to handle it. A kernel without bpf_dynptr_from_skb refuses the program, and the agent
 * takes on_received.
 */
static __always_inline int see_segment(struct sock *sk, struct sk_buff *skb)
{
	struct conn *known = bpf_sk_storage_get(&conns, sk, NULL, 0);
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	u32 header, bytes, seq, skipped, acked = 0, limit;
	const struct tcp_sock *tp;
	bool is_first, is_pipelined;
	struct bpf_dynptr packet;
	struct scratch *s;
	struct carrier *c;
	u8 offset = 0;
	u64 word = 0;

	if (!known || known->excluded || is_receive_opaque(known) || !reads_http1)
		return 0;
	bpf_probe_read_kernel(&offset, sizeof(offset), skb->data + DATA_OFFSET);
	header = (offset >> 4) * 4;
	if (skb->len <= header)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	/* Only what is new and next in order: what came before is answered already, what comes too early may be cut. */
	seq = BPF_CORE_READ(cb, seq);
	skipped = tp->rcv_nxt - seq;
	bytes = skb->len - header;
	if (skipped >= bytes)
		return 0;
	header += skipped;
	bytes -= skipped;
	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	if (bytes >= 8 && bpf_dynptr_read(&word, sizeof(word), &packet, header, 0))
		return 0;
	c = carrier_for(sk, known, word);
	s = c ? scratch_of(SCRATCH_SEGMENT) : NULL;
	if (!s)
		return 0;
	is_first = is_method(word);
	is_pipelined = false;
	if (is_first) {
		bpf_probe_read_kernel(&acked, sizeof(acked), skb->data + ACK_NUMBER);
		is_pipelined = c->awaits_answer || bpf_ntohl(acked) != tp->write_seq;
		begin_request(known, c, seq + skipped, is_pipelined);
	}
	begin_scratch(s, c);
	limit = window - c->head_bytes;
	if (limit > bytes)
		limit = bytes;
	if (limit > WINDOW ||
	    bpf_dynptr_read(s->bytes + TAIL, MASKED(limit, SCRATCH_MASK), &packet, header, 0)) {
		drop_tail(c);
		return 0;
	}
	read_received_head(c, s, TAIL + limit, bytes > limit ? window : limit, is_pipelined);
	return 0;
}

SEC("tp_btf/tcp_probe")
int BPF_PROG(on_segment, struct sock *sk, struct sk_buff *skb)
{
	return see_segment(sk, skb);
}
