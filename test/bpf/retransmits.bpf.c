// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Reports each retransmission, and each message, that the kernel shows to programs that share no code with the agent's.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/ring.h>
#include <wirespan/skeleton.h>

struct counters {
	u64 lost_records;
};
EXPORT_COUNTERS(struct counters);

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
	struct shown *r = RESERVE_OR_COUNT(shown, lost_records);

	if (!r)
		return 0;
	r->local_port = sk->__sk_common.skc_num;
	r->peer_port = bpf_ntohs(sk->__sk_common.skc_dport);
	r->sequence = BPF_CORE_READ(cb, seq);
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

/* A sent message: where its bytes begin, and how many there are. */
struct message {
	u32 local_port;
	u32 peer_port;
	u32 sequence;
	u32 bytes;
};
EXPORT_RING(messages, struct message, 4 * 1024 * 1024);

SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(message, struct sock *sk, const struct msghdr *msg)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct message *r = RESERVE_OR_COUNT(messages, lost_records);

	if (!r)
		return 0;
	r->local_port = sk->__sk_common.skc_num;
	r->peer_port = bpf_ntohs(sk->__sk_common.skc_dport);
	r->sequence = tp ? tp->write_seq : 0;
	r->bytes = BPF_CORE_READ(msg, msg_iter.count);
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
