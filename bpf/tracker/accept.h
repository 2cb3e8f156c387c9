/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The end of accept(): by a function if the kernel allows tracing it, otherwise by system calls and io_uring. */
#include <wirespan/hooks/accept_chain.h>
#include "uring.h"
#include "emit.h"
#include "states.h"
#include "first_use.h"

static __always_inline void read_acceptor(struct conn *c, s32 fd, u64 now)
{
	take_over(c, OWNER_ACCEPT);
	read_actor(&c->acceptor, &c->owner);
	c->accept_fd = fd;
	c->accepted_at = now;
}

/* The connection stays queued until it is used: a system call's tracepoint can't reach its storage. */
static __always_inline void on_accept_return(struct conn *result, const struct sock *sk, s32 fd,
					     u64 now)
{
	struct waiting *w = queued_conn(sk);

	if (!w || !read_conn(result, &w->conn))
		return;
	/* It may have closed since. */
	result->closed_at = 0;
	result->error = 0;
	result->close_reason = CLOSE_NONE;
	read_acceptor(result, fd, now);
	w->acceptor = result->owner;
	w->fd = fd;
	w->excluded = result->excluded;
	w->accepted_at = now;
	if (w->has_closed)
		bpf_map_delete_elem(&unaccepted, &result->cookie);
}

static __always_inline void on_accept_failure(struct conn *result, const struct sock *listener,
					      u32 error, u64 now)
{
	if (!read_failed_accept(result, listener, error, now))
		return;
	read_current_owner(result, OWNER_ACCEPT);
	result->excluded = is_own(result);
}

static __always_inline int on_accept_end(long result)
{
	u64 now = bpf_ktime_get_boot_ns();
	u32 zero = 0;
	struct conn *c = bpf_map_lookup_elem(&accept_results, &zero);

	if (!c)
		return 0;
	/* Not valid until it is known to be an accept(). */
	c->accepted_at = 0;
	c->error = 0;
	if (result >= 0) {
		on_accept_return(c, socket_of(result), result, now);
	} else if (is_accept_failure(result)) {
		on_accept_failure(c, called_listener(), -result, now);
	}
	return 0;
}

/* Its span is sent at the end of the connection, if the connection is sampled by then. */
static __always_inline void keep_accept_back(const struct conn *c)
{
	struct waiting *w = bpf_map_lookup_elem(&unaccepted, &c->cookie);

	if (w)
		w->wanted_accept = c->wanted_accept;
}

static __always_inline int emit_accepting(void)
{
	struct conn *c = ended_accept();

	if (!c || !c->accepted_at || !c->wanted_accept)
		return 0;
	if (samples(c, false, c->handshake_retransmits, c->accepted_at))
		return emit_without_socket(c, SPAN_ACCEPT, c->wanted_accept);
	keep_accept_back(c);
	return 0;
}

SEC(ACCEPT_EXITS)
int on_accept_exit(struct trace_event_raw_sys_exit *ctx)
{
	return on_accept_end(ctx->ret);
}

/* Attached after every plugin's programs. */
SEC(ACCEPT_EXITS)
int on_accept_emit(void *ctx)
{
	return emit_accepting();
}

/* True: it was an accept(), which `accept_results` holds. */
static __always_inline bool on_completion(const struct completion *e)
{
	const struct io_kiocb *request = e->request;
	const struct sock *sk;
	u32 zero = 0;
	struct conn *c;
	u64 now;
	s32 fd;

	if (!may_be_accept(e))
		return false;
	now = bpf_ktime_get_boot_ns();
	c = bpf_map_lookup_elem(&accept_results, &zero);
	if (!c)
		return false;
	c->accepted_at = 0;
	c->error = 0;
	if (e->result >= 0) {
		sk = accepted_socket(e, &fd);
		on_accept_return(c, sk, fd, now);
	} else if (is_accept_failure(e->result)) {
		on_accept_failure(c, socket_of_file(BPF_CORE_READ(request, file)), -e->result, now);
	}
	return c->accepted_at || c->error;
}

/* The first program of a separate chain: the plugins' programs and the emitter run for accepts only. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_result, void *ring, void *request, u64 user_data, s32 result, u32 flags)
{
	struct completion e = { ring, request, result, flags };

	if (on_completion(&e))
		CALL_NEXT_ACCEPT(ctx);
	return 0;
}

/* Since Linux 6.16 or so the result is in the ring's entry. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_entry, void *ring, void *request, const struct io_uring_cqe *entry)
{
	struct completion e = { ring, request, entry->res, entry->flags };

	if (on_completion(&e))
		CALL_NEXT_ACCEPT(ctx);
	return 0;
}

CHAIN_LINK(on_uring_emit, 1);
SEC("tp_btf/io_uring_complete")
int on_uring_emit(void *ctx)
{
	return emit_accepting();
}

/* If the kernel allows fentry programs, the socket itself is at hand, but not its descriptor. */
static __always_inline int on_accepted(struct sock *child)
{
	struct tcp_sock *tp;
	struct conn *c;

	c = bpf_sk_storage_get(&conns, child, NULL, 0);
	tp = bpf_skc_to_tcp_sock(child);
	if (!c || !tp || c->direction != DIRECTION_INBOUND || c->accepted_at || c->closed_at)
		return 0;
	if (!c->established_at) {
		/* With Fast Open it is accepted during its handshake. */
		read_ends(&c->ends, tp);
		read_bound_interface(c, child);
		read_isns(c, tp);
	}
	read_acceptor(c, -1, bpf_ktime_get_boot_ns());
	return 0;
}

static __always_inline int emit_accepted(struct sock *child)
{
	struct conn *c = conn_of(child);

	if (!c || !c->accepted_at || !c->wanted_accept || !is_kept(child, c, c->accepted_at))
		return 0;
	emit(child, c, SPAN_ACCEPT, c->wanted_accept);
	c->wanted_accept = 0;
	return 0;
}

/*
 * accept() gives the connection its socket here: this function is also reached by calls that were blocked before it
 * was traced, which a fexit of the whole call would miss. Of the programs on one function the last one attached runs
 * first: so the emitter is attached before the plugins' programs, and the other one after them.
 */
SEC("fentry/security_sock_graft")
int BPF_PROG(on_graft, struct sock *sk)
{
	u32 zero = 0;
	struct conn *result = bpf_map_lookup_elem(&accept_results, &zero);

	if (sk->sk_protocol == IPPROTO_TCP)
		return on_accepted(sk);
	if (!result)
		return 0;
	result->accepted_at = 0;
	result->error = 0;
	if (sk->sk_protocol == IPPROTO_MPTCP)
		on_accept_return(result, sk, -1, bpf_ktime_get_boot_ns());
	return 0;
}

SEC("fentry/security_sock_graft")
int BPF_PROG(on_graft_emit, struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_TCP ? emit_accepted(sk) : emit_accepting();
}

/* Too many open files: there is no connection then. */
SEC("fexit/__sys_accept4")
int BPF_PROG(on_accept_failed, int fd, void *address, void *length, int flags, int result)
{
	return on_accept_end(result < 0 ? result : -EAGAIN);
}
