/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Connections that are older than the agent. */
#include <wirespan/traffic.h>
#include "shared.h"

/*
 * Which side opened a connection that is older than the agent: snd_nxt - ISN - 1 bytes were sent (and maybe a FIN), and
 * bytes_acked includes the SYN on the opener's side only.
 */
static __always_inline enum direction direction_of(const struct tcp_sock *tp, u32 state)
{
	bool closing = state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING ||
		       state == TCP_LAST_ACK;
	u32 fin = closing && tp->snd_nxt == tp->write_seq;
	u32 first = tp->snd_nxt - fin - (u32)(tp->bytes_sent - tp->bytes_retrans);
	u32 base = tp->snd_una - (u32)tp->bytes_acked;

	return first - base == 1 ? DIRECTION_OUTBOUND
	       : first == base   ? DIRECTION_INBOUND
				 : DIRECTION_UNKNOWN;
}

/* Fills a row for a connection that is older than the agent, except its owner. */
static __always_inline void read_older(struct conn *c, struct sock *sk, const struct tcp_sock *tp)
{
	u32 state = sk->__sk_common.skc_state;
	struct traffic before;

	c->before_start = true;
	c->state = state;
	c->opened_at = bpf_ktime_get_boot_ns();
	c->cookie = bpf_get_socket_cookie(sk);
	read_netns(c, sk);
	read_ends(&c->ends, tp);
	read_bound_interface(c, sk);
	c->direction = direction_of(tp, state);
	c->peer_is_here = has_loopback_peer(&c->ends);
	c->retransmits = tp->total_retrans;
	count_opened(c);
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		return;
	c->established_at = c->opened_at;
	read_isns(c, tp);
	read_traffic(&before, tp, c, state);
	c->sent_before = before.sent_bytes;
	c->received_before = before.received_bytes;
}
