/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The end of connect(), for attempts that the socket's state does not show: the requested address, and the
 * socket. A socket that is found through its descriptor is not trusted by the verifier, so all of it
 * is read as plain memory.
 */
#include <wirespan/syscall.h>
#include <wirespan/listener.h>

/* linux/socket.h; sockaddr_in6 holds the fields of sockaddr_in and more. */
struct asked_address {
	u16 family;
	u16 port;
	union {
		u32 ipv4;
		struct {
			u32 flow;
			u32 ipv6[4];
		};
	};
};

/* False: the attempt continues, or it was not an attempt to connect a socket. */
static __always_inline bool fails_at_once(long result)
{
	switch (-result) {
	case EINTR:
	case EBADF:
	case ENOTSOCK:
	case EISCONN:
	case EALREADY:
	case EINPROGRESS:
		return false;
	default:
		return result < 0 && result > -ERESTARTSYS;
	}
}

static __always_inline void read_asked(struct endpoints *e, const struct sock *sk,
				       const void *address, u32 length)
{
	struct asked_address asked = {};
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	bpf_probe_read_user(&asked, length < sizeof(asked) ? 16 : sizeof(asked), address);
	e->family = family == AF_INET ? 4 : 6;
	e->peer_port = bpf_ntohs(asked.port);
	if (asked.family == AF_INET) {
		*(u32 *)e->peer = asked.ipv4;
	} else if (asked.family == AF_INET6 && !asked.ipv6[0] && !asked.ipv6[1] &&
		   asked.ipv6[2] == bpf_htonl(0xffff)) {
		e->family = 4;
		e->mapped = true;
		*(u32 *)e->peer = asked.ipv6[3];
	} else if (asked.family == AF_INET6) {
		__builtin_memcpy(e->peer, asked.ipv6, 16);
	}
}

/*
 * False if it is not a TCP socket, or left CLOSE during this call (`connecting`, its cookie): then its
 * state shows the outcome.
 */
static __always_inline bool read_attempt(struct conn *c, u64 connecting)
{
	const struct sock *sk;
	struct call call = {};
	u64 cookie;

	read_call(&call);
	sk = socket_of(call.argument[0]);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return false;
	cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	if (connecting && connecting == cookie)
		return false;
	__builtin_memset(c, 0, sizeof(*c));
	c->cookie = cookie;
	c->direction = DIRECTION_OUTBOUND;
	c->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	c->netns_cookie = BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie);
	read_asked(&c->ends, sk, (const void *)call.argument[1], call.argument[2]);
	read_local_end(&c->ends, sk);
	return true;
}
