/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* What a socket counts and measures of its connection. */
#include <wirespan/conn.h>

/* A socket's own counters, corrected for the SYN and FIN that TCP counts as bytes. */
struct traffic {
	/* Payload bytes acknowledged by the peer, and received in order. */
	u64 sent_bytes;
	u64 received_bytes;
	u64 retransmitted_bytes;
	u32 sent_segments;
	u32 received_segments;
	u32 retransmits;
	u32 lost;
	/* Microseconds; 0: never measured. */
	u32 srtt_us;
	u32 min_rtt_us;
	u32 rtt_var_us;
	/* Segments. */
	u32 cwnd;
	u32 reordering;
	/* Payload bytes that were received but never read by the application. */
	u32 unread;
	/* Retransmissions of data that had arrived, as far as the peer reported it (DSACK, RFC 2883). */
	u32 spurious;
};

/*
 * bytes_acked includes the opener's SYN and the FIN of either side; bytes_received includes a FIN
 * (net/ipv4/tcp_input.c: tcp_snd_una_update, tcp_rcv_nxt_update). `state`: the one that the counters belong to;
 * at CLOSE, the previous one.
 */
static __always_inline void read_traffic(struct traffic *t, const struct tcp_sock *tp,
					 const struct conn *c, u32 state)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	u64 syn = c->direction == DIRECTION_OUTBOUND && c->established_at;
	u64 fin = state == TCP_FIN_WAIT2 ||
		  ((state == TCP_LAST_ACK || state == TCP_CLOSING) && c->closed_at && !c->error);
	u64 done = sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_DONE) & 1;
	u64 acked = tp->bytes_acked, received = tp->bytes_received;
	/* The application can still read what is in the queue. Only the rest is lost, and a FIN is its last byte. */
	u32 unread = sk->sk_receive_queue.qlen ? 0 : tp->rcv_nxt - tp->copied_seq;

	t->sent_bytes = acked > syn + fin ? acked - syn - fin : 0;
	/* Without having seen all state changes, we don't know if the peer acknowledged a FIN. */
	if (c->ended_unseen && t->sent_bytes > tp->bytes_sent - tp->bytes_retrans)
		t->sent_bytes = tp->bytes_sent - tp->bytes_retrans;
	t->received_bytes = received > done ? received - done : 0;
	t->retransmitted_bytes = tp->bytes_retrans;
	t->sent_segments = tp->segs_out;
	t->received_segments = tp->segs_in;
	t->retransmits = tp->total_retrans;
	t->spurious = tp->dsack_dups;
	t->lost = tp->lost - c->lost_before;
	t->unread = c->established_at && unread ? unread - done : 0;
}

/*
 * The answer to a retransmitted SYN may belong to any of the SYNs, but is the first sample of the smoothed round trip.
 * After this many segments it has no weight any more.
 */
#define SEGMENTS_TO_FORGET 1000

static __always_inline u32 smoothed_rtt_us(const struct tcp_sock *tp, const struct conn *c)
{
	bool doubtful = c->doubtful_rtt_us && tp->delivered < SEGMENTS_TO_FORGET;

	return doubtful ? 0 : tp->srtt_us >> 3;
}

/* The congestion window is still the initial one of the kernel or the route. */
static __always_inline bool is_initial_cwnd(const struct tcp_sock *tp, u32 cwnd)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	unsigned long metrics;
	u32 initial = 0;

	if (tp->snd_ssthresh < TCP_INFINITE_SSTHRESH)
		return false;
	if (cwnd == TCP_INIT_CWND)
		return true;
	metrics = sk->sk_dst_cache->_metrics & ~(unsigned long)DST_METRICS_FLAGS;
	bpf_probe_read_kernel(&initial, sizeof(initial), (u32 *)metrics + RTAX_INITCWND - 1);
	return cwnd == initial;
}

/* Leaves out initial values: they are not measurements. */
static __always_inline void read_measured(struct traffic *t, const struct tcp_sock *tp,
					  const struct conn *c)
{
	u32 min_rtt_us = tp->rtt_min.s[0].v, cwnd = tp->snd_cwnd;

	t->srtt_us = smoothed_rtt_us(tp, c);
	t->rtt_var_us = t->srtt_us ? tp->mdev_us >> 2 : 0;
	/* tcp_init_sock sets it to ~0; it also keeps what earlier connections of the socket measured. */
	if (min_rtt_us == ~0u || min_rtt_us == c->doubtful_rtt_us || c->life)
		min_rtt_us = 0;
	t->min_rtt_us = min_rtt_us;
	t->cwnd = c->established_at && !is_initial_cwnd(tp, cwnd) ? cwnd : 0;
	t->reordering = tp->reord_seen ? tp->reordering : 0;
}
