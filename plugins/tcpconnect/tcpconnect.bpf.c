// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Attempts to connect, each with its outcome: requests the span, and counts.
// Hooks: tp_btf/inet_sock_set_state (in the tracker's chain), tp/syscalls/sys_exit_connect;
// for DNS tp_btf/netif_receive_skb, tp_btf/sock_recv_length.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/hooks/connect.h>
#include <wirespan/filter.h>
#include <wirespan/ring.h>
#include <wirespan/aggregate.h>
#include <wirespan/skeleton.h>

/* What is counted separately, besides workload and outcome. */
const volatile bool count_flows = false;
const volatile bool count_source_ports = false;

struct counters {
	u64 overflows;
	u64 seen_answers;
	u64 lost_answers;
};
EXPORT_COUNTERS(struct counters);

#include "dns.h"

struct attempt_key {
	u32 workload;
	/* CLOSE_NONE: it succeeded. */
	enum close_reason close_reason;
	u32 error;
	/* Addresses and ports are zero unless flows are counted. */
	struct endpoints ends;
};

struct attempts {
	u64 count;
};

SUMS_BY(attempts, struct attempt_key, struct attempts, 8192, 1)

static __always_inline struct attempts *row_of(const struct conn *c)
{
	struct attempt_key key = {
		.workload = workload_of(&c->owner),
		.close_reason = c->established_at ? CLOSE_NONE : c->close_reason,
		.error = c->established_at ? 0 : c->error,
		.ends.family = c->ends.family,
	};

	if (count_flows) {
		__builtin_memcpy(key.ends.local, c->ends.local, sizeof(key.ends.local));
		__builtin_memcpy(key.ends.peer, c->ends.peer, sizeof(key.ends.peer));
		key.ends.peer_port = c->ends.peer_port;
		if (count_source_ports)
			key.ends.local_port = c->ends.local_port;
	}
	return attempts_row(&key, 0);
}

static __always_inline void on_outcome(struct conn *c)
{
	struct attempts *row;

	if (!passes(c, handshake_duration(c)))
		return;
	c->wanted_connect |= plugin_bit;
	row = row_of(c);
	if (row)
		__sync_fetch_and_add(&row->count, 1);
}

CONNECT_PROGRAMS(on_outcome)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
