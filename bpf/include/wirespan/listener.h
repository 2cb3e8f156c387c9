/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* What a socket is bound to. Read as plain memory, so that the verifier need not trust the socket. */
#include <wirespan/conn.h>

/* The bound port and address, of the family that `e` has. */
static __always_inline void read_local_end(struct endpoints *e, const struct sock *sk)
{
	const struct inet_sock *inet = (const struct inet_sock *)sk;

	e->local_port = bpf_ntohs(BPF_CORE_READ(inet, inet_sport));
	if (e->family == 4)
		*(u32 *)e->local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	else
		BPF_CORE_READ_INTO((u32(*)[4])e->local, sk,
				   __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
}

/* For a listening socket, exactly as bound: an IPv6 socket is IPv6, whatever it accepts. Port 0: not chosen yet. */
static __always_inline void read_bound_ends(struct endpoints *e, const struct sock *sk)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->family = BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET ? 4 : 6;
	e->ifindex = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
	read_local_end(e, sk);
}
