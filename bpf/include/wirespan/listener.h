/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* What a socket that listens, or was asked to, is bound to. */
#include <wirespan/conn.h>

/*
 * Exactly as bound: an IPv6 socket's address stays one, whatever it accepts. Read as plain memory, so that
 * a socket will do which the verifier doesn't trust. The port is 0 until listen() has chosen one.
 */
static __always_inline void read_bound_ends(struct endpoints *e, const struct sock *sk)
{
	const struct inet_sock *inet = (const struct inet_sock *)sk;

	__builtin_memset(e, 0, sizeof(*e));
	e->local_port = bpf_ntohs(BPF_CORE_READ(inet, inet_sport));
	e->ifindex = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
		e->family = 4;
		*(u32 *)e->local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	} else {
		e->family = 6;
		BPF_CORE_READ_INTO((u32(*)[4])e->local, sk,
				   __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
	}
}
