/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The end of accept(), if the verifier does not trust the socket that came out of the queue: it is found by its
 * descriptor, or as the subflow of a multipath socket, and read as plain memory. Its connection is found by the
 * socket's cookie; who accepted it is stored here until the connection is used.
 */
#include <wirespan/conn_ref.h>
#include "connect_syscall.h"

struct waiting {
	struct conn_ref conn;
	/* 0: accept() has not returned it. */
	u64 accepted_at;
	struct task acceptor;
	s32 fd;
	/* The span of the wait was not sampled when accept() returned. */
	u32 wanted_accept;
	/* It closed while accept() returned it. */
	bool has_closed;
	/* The acceptor is the agent itself. */
	bool excluded;
};

/* Connections that accept() has not returned yet, and those that have not been used since. By cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, struct waiting);
} unaccepted SEC(".maps");

/* What the end of accept() has found out about a connection. `owns`: the acceptor becomes its owner. */
static __always_inline void take_accept(struct conn *c, const struct waiting *w, bool owns)
{
	read_actor(&c->acceptor, &w->acceptor);
	c->accepted_at = w->accepted_at;
	c->accept_fd = w->fd;
	if (!owns)
		return;
	c->owner = w->acceptor;
	c->owner_source = OWNER_ACCEPT;
	c->user = c->acceptor;
	c->excluded = w->excluded;
}

/* Not counted: calls to be repeated, sockets that do not listen, and listeners that were shut down to end the call. */
static __always_inline bool is_accept_failure(long result)
{
	switch (-result) {
	case EINTR:
	case EBADF:
	case EAGAIN:
	case EINVAL:
	case ENOTSOCK:
	case ECANCELED:
		return false;
	default:
		return result < 0 && result > -ERESTARTSYS;
	}
}

/* NULL if it is not a TCP socket; of a multipath socket, its first subflow. */
static __always_inline const struct sock *subflow_of(const struct sock *sk)
{
	u32 protocol = sk ? BPF_CORE_READ(sk, sk_protocol) : 0;
	const struct mptcp_sock *multipath = (const void *)sk;

	if (protocol == IPPROTO_TCP)
		return sk;
	if (protocol == IPPROTO_MPTCP && bpf_core_field_exists(multipath->first))
		return BPF_CORE_READ(multipath, first);
	return NULL;
}

/* The queued connection of a socket that accept() returned, unless it is already known. */
static __always_inline struct waiting *queued_conn(const struct sock *returned)
{
	const struct sock *sk = subflow_of(returned);
	u64 cookie = sk ? BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) : 0;
	struct waiting *w = cookie ? bpf_map_lookup_elem(&unaccepted, &cookie) : NULL;

	return w && !w->accepted_at ? w : NULL;
}

/* The listener of the system call that ends. */
static __always_inline const struct sock *called_listener(void)
{
	struct call call;

	read_call(&call);
	return call.number < 0 ? NULL : socket_of(call.argument[0]);
}

/* What is known about the listener on which accept() failed, except its caller. */
static __always_inline bool read_failed_accept(struct conn *c, const struct sock *listener,
					       u32 error, u64 now)
{
	const struct sock *sk = subflow_of(listener);

	if (!sk)
		return false;
	__builtin_memset(c, 0, sizeof(*c));
	c->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	c->direction = DIRECTION_INBOUND;
	c->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	c->netns_cookie = BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie);
	c->ends.family = BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET ? 4 : 6;
	read_local_end(&c->ends, sk);
	c->opened_at = now;
	c->accept_fd = -1;
	c->error = error;
	return true;
}
