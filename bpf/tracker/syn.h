/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* When the SYN was sent, if that is not when the socket left CLOSE. */
#include "shared.h"

/* Nanoseconds since the first SYN was sent, by the socket's timestamp, which must not be 0. */
static __always_inline u64 syn_age(const struct tcp_sock *tp)
{
	u64 now = bpf_ktime_get_ns();
	u32 stamp = tp->retrans_stamp;

	/* Since Linux 6.7. */
	if (bpf_core_field_exists(tp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD(tp, tcp_usec_ts))
		return (u64)((u32)(now / 1000) - stamp) * 1000;
	return (u64)((u32)(now / 1000000) - stamp) * 1000000;
}

/*
 * With TCP_FASTOPEN_CONNECT the SYN is sent with the first data, after connect() has returned and the socket has left
 * CLOSE. If it was never sent, the attempt took no time.
 */
static __always_inline void begin_at_syn(struct conn *c, const struct tcp_sock *tp, u64 now)
{
	u64 age;

	if (c->direction != DIRECTION_OUTBOUND || !BPF_CORE_READ_BITFIELD(tp, fastopen_connect))
		return;
	if (!tp->segs_out)
		age = 0;
	else if (!tp->total_retrans && tp->srtt_us)
		age = (u64)(tp->srtt_us >> 3) * 1000;
	else if (tp->retrans_stamp)
		age = syn_age(tp);
	else
		return;
	if (now - age > c->opened_at)
		c->opened_at = now - age;
}

/* After several SYNs, the socket no longer has the first one's timestamp when the answer arrives. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_syn_retransmit, struct sock *sk)
{
	struct tcp_sock *tp;
	struct conn *c;

	if (sk->__sk_common.skc_state != TCP_SYN_SENT)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (tp && c)
		begin_at_syn(c, tp, bpf_ktime_get_boot_ns());
	return 0;
}
