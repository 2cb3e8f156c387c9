// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Connect, accept and close of TCP connections: requests the three spans of each established connection.
// Hooks: tp_btf/inet_sock_set_state (in the tracker's chain); fentry/security_sock_graft and fexit/__sys_accept4, or else
// tp/syscalls/sys_exit_accept4,syscalls/sys_exit_accept and tp_btf/io_uring_complete.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/hooks/accept.h>
#include <wirespan/chain.h>
#include <wirespan/conn.h>
#include <wirespan/filter.h>

static __always_inline void on_accepted(struct conn *c)
{
	u64 age = c->accepted_at - c->opened_at;

	if (!is_start_known(c) || !passes(c, age))
		return;
	c->wanted_accept |= plugin_bit;
	if (c->established_at && will_pass(c, age))
		c->promised |= plugin_bit;
}

static __always_inline void on_failed(struct conn *c)
{
}

ACCEPT_PROGRAMS(on_accepted, on_failed)

static __always_inline void see_change(struct sock *sk, int old, int new)
{
	struct conn *c;

	if (new != TCP_ESTABLISHED &&new != TCP_CLOSE)
		return;
	c = conn_of(sk);
	/* Reports no close without an open, and no open of older connections. */
	if (!c || !c->established_at || !is_start_known(c) || c->queued)
		return;
	if (new == TCP_CLOSE) {
		if (passes(c, c->closed_at - c->opened_at))
			c->wanted_connection |= plugin_bit;
	} else if (c->direction == DIRECTION_OUTBOUND && passes(c, handshake_duration(c))) {
		c->wanted_connect |= plugin_bit;
		if (will_pass(c, handshake_duration(c)))
			c->promised |= plugin_bit;
	}
}

STATE_PROGRAM(on_change, WANTS_OUTCOMES, see_change)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
