// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The time that connecting takes: asks for the handshake's span, and sums durations by outcome.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/chain.h>
#include <wirespan/conn.h>
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

SUMS(handshakes, struct handshake_key, struct histogram, 2048);

/* Takes what the table has no room for. */
SPARE_SUMS(overflow, struct histogram, 1);

BLANK_SUM(struct histogram);

static __always_inline struct histogram *row_of(const struct conn *c)
{
	struct handshake_key key = {
		.workload = workload_of(&c->owner),
		.close_reason = c->established_at ? CLOSE_NONE : c->close_reason,
		.error = c->established_at ? 0 : c->error,
		.family = c->ends.family,
	};
	struct histogram *row;
	u32 zero = 0;

	row = large_row_at(&handshakes, &key, &blank);
	if (row)
		return row;
	COUNT(overflows);
	return bpf_map_lookup_elem(&overflow, &zero);
}

static __always_inline void on_outcome(struct conn *c)
{
	u64 duration = handshake_duration(c);
	struct histogram *row;

	if (!passes(c, duration))
		return;
	c->wanted_connect |= plugin_bit;
	row = row_of(c);
	if (row)
		histogram_add_shared(row, duration);
}

static __always_inline void see_handshake(struct sock *sk, int old, int new)
{
	struct conn *c;

	if (!ends_handshake(old, new))
		return;
	c = conn_of(sk);
	/* Of what was under way before the agent came, nobody knows when it began. */
	if (c && c->direction == DIRECTION_OUTBOUND && is_start_known(c))
		on_outcome(c);
}

STATE_PROGRAM(on_handshake, see_handshake)

SEC("tp/syscalls/sys_exit_connect")
int on_failed_at_once(void *ctx)
{
	struct conn *c = failed_connect();

	if (c)
		on_outcome(c);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
