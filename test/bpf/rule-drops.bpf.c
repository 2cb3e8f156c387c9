// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Counts the packets that rules drop, as the kernel shows them to a program that shares no code with the agent's.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* By the inode of the network namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u64);
} rule_drops SEC(".maps");

enum skb_drop_reason___rules { SKB_DROP_REASON_NETFILTER_DROP = 8 };

SEC("tp_btf/kfree_skb")
int BPF_PROG(drop, struct sk_buff *skb, void *location, enum skb_drop_reason reason)
{
	u64 netns, zero = 0, *count;

	if (reason !=
	    bpf_core_enum_value(enum skb_drop_reason___rules, SKB_DROP_REASON_NETFILTER_DROP))
		return 0;
	/* An outgoing packet has no device yet. */
	netns = BPF_CORE_READ(skb, dev) ? BPF_CORE_READ(skb, dev, nd_net.net, ns.inum)
					: BPF_CORE_READ(skb, sk, __sk_common.skc_net.net, ns.inum);
	bpf_map_update_elem(&rule_drops, &netns, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&rule_drops, &netns);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
