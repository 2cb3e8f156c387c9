/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Requests as applications receive them. */
#include "receive.h"
#include "source.h"

/*
 * What the application has received, at the return of its call. If segments are read, this is only needed for data in
 * the handshake's last packet, for which there is no event (TCP_DEFER_ACCEPT, Fast Open).
 */
const volatile bool has_on_segment = false;

static __always_inline int see_received(struct sock *sk, struct msghdr *msg, int flags,
					int received)
{
	struct conn *known = bpf_sk_storage_get(&conns, sk, NULL, 0);
	const struct iov_iter *iter = &msg->msg_iter;
	u32 bytes = received, from, limit, seq;
	const struct tcp_sock *tp;
	struct scratch *s;
	struct carrier *c;
	const void *base;
	u64 word = 0;
	bool is_first;

	if (received <= 0 || flags & MSG_PEEK || !known || known->excluded ||
	    is_receive_opaque(known))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	seq = tp->copied_seq - bytes;
	if (has_on_segment && seq != known->peer_isn)
		return 0;
	if (!find_received(&base, iter, bytes))
		return 0;
	if (bpf_probe_read_user(&word, bytes < 8 ? bytes & 7 : 8, base)) {
		COUNT_CORRELATED(unreadable, 1);
		return 0;
	}
	/* Frames are only followed in segments. */
	if ((u32)word == PREFACE)
		return 0;
	c = carrier_for(sk, known, word);
	s = c && c->protocol != CARRIED_HTTP2 ? scratch_of(SCRATCH_RECEIVE) : NULL;
	if (!s)
		return 0;
	is_first = is_method(word);
	/* It was read from the segment. */
	if (has_on_segment && (c->in.source || c->awaits_answer))
		return 0;
	if (is_first) {
		begin_request(c, seq, tp->snd_una != tp->write_seq, is_soon_after_handshake(known),
			      tp->write_seq);
		c->protocol = CARRIED_HTTP1;
	}
	from = begin_scratch(s, &c->tail, c->tail_of == TAIL_RECEIVED);
	limit = window - c->head_bytes;
	if (limit > bytes)
		limit = bytes;
	if (limit > WINDOW ||
	    bpf_probe_read_user(s->bytes + TAIL, MASKED(limit, SCRATCH_MASK), base)) {
		drop_tail(c);
		COUNT_CORRELATED(unreadable, 1);
		return 0;
	}
	read_received_head(c, s, from, TAIL + limit, bytes > limit ? window : limit);
	return 0;
}

SEC("fexit/tcp_recvmsg")
int BPF_PROG(on_received, struct sock *sk, struct msghdr *msg, u64 len, int flags)
{
	u64 received = 0;

	/* It has an argument less from Linux 7.3 on. */
	return bpf_get_func_ret(ctx, &received) ? 0 : see_received(sk, msg, flags, received);
}
