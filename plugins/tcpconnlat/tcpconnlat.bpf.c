// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The time that connecting takes: requests the handshake's span, and sums durations by outcome.
// Hooks: tp_btf/inet_sock_set_state (in the tracker's chain), tp/syscalls/sys_exit_connect.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/hooks/connect.h>
#include <wirespan/filter.h>
#include <wirespan/histogram.h>
#include <wirespan/aggregate.h>
#include <wirespan/skeleton.h>

struct counters {
	u64 overflows;
};
EXPORT_COUNTERS(struct counters);

struct handshake_key {
	u32 workload;
	/* CLOSE_NONE: it succeeded. */
	enum close_reason close_reason;
	u32 error;
	u32 family;
};

SUMS_BY(handshakes, struct handshake_key, struct histogram, 2048, 1)

static __always_inline struct histogram *row_of(const struct conn *c)
{
	struct handshake_key key = {
		.workload = workload_of(&c->owner),
		.close_reason = c->established_at ? CLOSE_NONE : c->close_reason,
		.error = c->established_at ? 0 : c->error,
		.family = c->ends.family,
	};

	return handshakes_row(&key, 0);
}

static __always_inline void on_outcome(struct conn *c)
{
	u64 duration = handshake_duration(c);
	struct histogram *row;

	if (!is_start_known(c) || !passes(c, duration))
		return;
	c->wanted_connect |= plugin_bit;
	row = row_of(c);
	if (row)
		histogram_add_shared(row, duration);
}

CONNECT_PROGRAMS(on_outcome)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
