/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Records of what plugins want, from programs that are attached after theirs. */
#include "shared.h"
#include "connect_syscall.h"
#include "states.h"

/*
 * Whether the span has left. Called from several places: inlined into each, the ids alone would make the programs
 * three times as long.
 */
static __noinline bool emit(struct sock *sk, struct conn *c, enum span span, u32 wanted)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn_record *r;

	if (!tp)
		return false;
	COUNT(seen_spans);
	r = RESERVE(spans);
	if (!r)
		return false;
	r->wanted = wanted;
	read_record(r, span, c, tp, c->old_state);
	SUBMIT(spans, r);
	return true;
}

/* Always empty. A program without a call may get a stack of its own for each CPU, which must not interrupt itself. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} no_program SEC(".maps");

/* Stores what the plugins have promised where accept() and the acceptor's end look for it. */
static __always_inline void pass_promise_on(const struct conn *c)
{
	struct conn *queued;

	if (c->direction == DIRECTION_OUTBOUND) {
		mark_opened(c, c->promised ? OPENED_AND_PROMISED : OPENED_HERE);
		return;
	}
	queued = queues_some() ? bpf_map_lookup_elem(&unaccepted, &c->cookie) : NULL;
	if (queued)
		queued->promised = c->promised;
}

/* Its span first: from then on it is known whether its children have a parent. */
static __always_inline void emit_connection(struct sock *sk, struct conn *c)
{
	c->promised = 0;
	if (!c->wanted_connection || c->emitted_connection)
		return;
	c->emitted_connection = true;
	/* Connections older than the agent have ids too, if their sequence numbers are known. */
	if (emit(sk, c, SPAN_CONNECTION, c->wanted_connection))
		c->promised = c->wanted_connection;
}

static __always_inline void emit_wanted(struct sock *sk, int old, int new)
{
	struct conn *c;

	if (new != TCP_CLOSE && !ends_handshake(old, new))
		return;
	c = conn_of(sk);
	if (!c)
		return;
	if (new == TCP_CLOSE)
		emit_connection(sk, c);
	else if (new == TCP_ESTABLISHED)
		pass_promise_on(c);
	if (c->wanted_connect && !c->emitted_connect) {
		c->emitted_connect = true;
		emit(sk, c, SPAN_CONNECT, c->wanted_connect);
	}
	if (new == TCP_CLOSE && c->queued && c->wanted_accept) {
		emit(sk, c, SPAN_ACCEPT, c->wanted_accept);
		c->wanted_accept = 0;
	}
}

/* The last of the chain: by now the plugins have set what they want. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_emit, struct sock *sk, int old, int new)
{
	emit_wanted(sk, old, new);
	bpf_tail_call_static(ctx, &no_program, 0);
	return 0;
}

SEC("tp/syscalls/sys_exit_connect")
int on_connect_exit(struct trace_event_raw_sys_exit *ctx)
{
	u32 zero = 0, tid = bpf_get_current_pid_tgid();
	struct conn *c = bpf_map_lookup_elem(&connect_results, &zero);
	u64 *mark = bpf_map_lookup_elem(&connect_by_tid, &tid);
	u64 cookie = mark ? *mark : 0;

	if (!c)
		return 0;
	/* Not valid until the call is known to be one. */
	c->opened_at = 0;
	if (mark)
		bpf_map_delete_elem(&connect_by_tid, &tid);
	if (!fails_at_once(ctx->ret) || !read_attempt(c, cookie))
		return 0;
	c->error = -ctx->ret;
	c->close_reason = reason_of(c, TCP_CLOSE);
	read_current_owner(c, OWNER_CONNECT);
	if (is_own(c))
		exclude(c);
	c->closed_at = c->opened_at = bpf_ktime_get_boot_ns();
	return 0;
}

static __always_inline int emit_without_socket(const struct conn *c, enum span span, u32 wanted)
{
	struct conn_record *r;

	if (!wanted)
		return 0;
	COUNT(seen_spans);
	r = RESERVE(spans);
	if (!r)
		return 0;
	r->wanted = wanted;
	read_record_without_socket(r, span, c);
	SUBMIT(spans, r);
	return 0;
}

/* Attached after every plugin's programs. */
SEC("tp/syscalls/sys_exit_connect")
int on_connect_emit(void *ctx)
{
	struct conn *c = failed_connect();

	return c ? emit_without_socket(c, SPAN_CONNECT, c->wanted_connect) : 0;
}
