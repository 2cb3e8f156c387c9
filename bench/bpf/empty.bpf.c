// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Programs that do nothing, to measure the cost of the call itself.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(empty_state, void *sk, int old, int new)
{
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(empty_entry, unsigned int vector)
{
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(empty_exit, unsigned int vector)
{
	return 0;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(empty_transmit, void *skb, void *dev)
{
	return 0;
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(empty_receive, void *skb)
{
	return 0;
}

SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(empty_send, void *sk, void *msg)
{
	return 0;
}

SEC("fentry/tcp_sendmsg_locked")
int BPF_PROG(empty_send_function, void *sk, void *msg)
{
	return 0;
}

SEC("tp_btf/tcp_probe")
int BPF_PROG(empty_segment, void *sk, void *skb)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
