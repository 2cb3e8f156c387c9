// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Each retransmission that the kernel shows to a program that shares nothing with the agent's.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/ring.h>

struct shown {
	u32 local_port;
	u32 peer_port;
	u32 sequence;
};
EXPORT_RING(shown, struct shown, 1024 * 1024);

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(retransmit, const struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	struct shown *r = bpf_ringbuf_reserve(&shown, sizeof(*r), 0);

	if (!r)
		return 0;
	r->local_port = sk->__sk_common.skc_num;
	r->peer_port = bpf_ntohs(sk->__sk_common.skc_dport);
	r->sequence = BPF_CORE_READ(cb, seq);
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
