// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Listening sockets: every listen() with its result, how long listeners live, and how full their queues are.
// Hooks: tp_btf/inet_sock_set_state (in the tracker's chain), tp/syscalls/sys_exit_listen or
// fexit/inet_listen, iter/bpf_sk_storage_map.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/syscall.h>
#include <wirespan/chain.h>
#include <wirespan/conn.h>
#include <wirespan/filter.h>
#include <wirespan/listener.h>
#include <wirespan/ring.h>
#include <wirespan/owner.h>
#include <wirespan/skeleton.h>
#include <wirespan/sweep.h>

/* Which of the programs below that trace the results of listen() are attached. */
const volatile bool has_on_listen_exit = false;
const volatile bool has_on_inet_listen = false;
const volatile struct watched_cgroup watched_cgroups[WATCHED_CGROUPS] = {};

struct counters {
	u64 seen_listens;
	u64 lost_listens;
	u64 overflows;
};
EXPORT_COUNTERS(struct counters);

enum listen_kind { LISTEN_CALL, LISTEN_END };

/* A socket's accept queue and options. */
struct queue {
	u32 protocol;
	/* Number of connections waiting to be accepted, and the maximum. */
	u32 usage;
	u32 limit;
	/* Packets that the socket discarded, for any reason. */
	u32 drops;
	bool ipv6_only;
};

struct listen {
	u64 happened_at;
	/* 0: the socket has no cookie yet. */
	u64 cookie;
	/* At its end: since when it listened (0: unknown), and how many connections have arrived since. */
	u64 opened_at;
	u64 arrived;
	struct endpoints ends;
	struct task task;
	u64 netns_cookie;
	enum listen_kind kind;
	u32 netns;
	u32 error;
	s32 backlog;
	bool backlog_known;
	/* It was already listening. */
	bool again;
	/* It has listened since before the agent started, so `arrived` is incomplete. */
	bool before_start;
	struct queue queue;
};
EXPORT_RING(listens, struct listen, 64 * 1024);

/* A socket that listens. */
struct listening {
	u64 opened_at;
	u64 arrived;
	u64 first_arrived_at;
	/* Connections in its queue when the agent found it. */
	u32 waited_before;
	u32 calls;
	s32 backlog;
	bool backlog_known;
	bool submitted;
	bool before_start;
};

/* By cookie, the only thing that a listener's children know about it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct listening);
} listening SEC(".maps");

/* A listener as a struct conn, for the filters; too large for the stack. */
enum { SCRATCH_STATE, SCRATCH_CALL, SCRATCH_SWEEP };
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, u32);
	__type(value, struct conn);
} scratch SEC(".maps");

static __always_inline bool is_multipath(const struct sock *sk)
{
	const struct tcp_sock *tp = (const struct tcp_sock *)sk;

	return bpf_core_field_exists(tp->is_mptcp) && BPF_CORE_READ(tp, is_mptcp);
}

static __always_inline void read_queue(struct queue *q, const struct sock *sk)
{
	q->protocol = BPF_CORE_READ(sk, sk_protocol);
	if (q->protocol == IPPROTO_TCP && is_multipath(sk))
		q->protocol = IPPROTO_MPTCP;
	q->usage = BPF_CORE_READ(sk, sk_ack_backlog);
	q->limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
	q->drops = BPF_CORE_READ(sk, sk_drops.counter);
	q->ipv6_only = BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only);
}

/* Whether another program sees the results of this socket's calls, in more detail than its states show. */
static __always_inline bool is_seen_better(const struct sock *sk)
{
	return has_on_listen_exit || (has_on_inet_listen && !is_multipath(sk));
}

static __always_inline struct conn *copy_of(const struct conn *c, const struct sock *sk, u32 which)
{
	struct conn *copy = bpf_map_lookup_elem(&scratch, &which);

	if (!copy)
		return NULL;
	*copy = *c;
	read_bound_ends(&copy->ends, sk);
	return copy;
}

struct outcome {
	u64 at;
	u32 error;
	s32 backlog;
	bool backlog_known;
	bool again;
};

/* `e`: at the end of a listener. */
static __always_inline void submit_listen(enum listen_kind kind, const struct conn *c,
					  const struct sock *sk, const struct outcome *o,
					  const struct listening *e)
{
	struct listen *r;

	if (!passes(c, 0))
		return;
	COUNT(seen_listens);
	r = RESERVE(listens);
	if (!r)
		return;
	r->kind = kind;
	r->happened_at = o->at;
	r->cookie = c->cookie;
	r->ends = c->ends;
	r->task = c->owner;
	r->netns_cookie = c->netns_cookie;
	r->netns = c->netns;
	r->error = o->error;
	r->backlog = o->backlog;
	r->backlog_known = o->backlog_known;
	r->again = o->again;
	r->opened_at = e ? e->opened_at : 0;
	r->arrived = e ? e->arrived + e->waited_before : 0;
	r->before_start = e && e->before_start;
	__builtin_memset(&r->queue, 0, sizeof(r->queue));
	if (sk)
		read_queue(&r->queue, sk);
	SUBMIT(listens, r);
}

static __always_inline void submit_beginning(const struct conn *copy, const struct sock *sk,
					     struct listening *e)
{
	struct outcome o = { .at = e->opened_at,
			     .backlog = e->backlog,
			     .backlog_known = e->backlog_known };

	e->submitted = true;
	submit_listen(LISTEN_CALL, copy, sk, &o, NULL);
}

/* The port may not be chosen yet, and listen() may still fail: the next sweep, or the end, reports it. */
static __always_inline void on_listen(struct sock *sk, const struct conn *c,
				      const struct call *call, u64 now)
{
	struct listening e = { .opened_at = now, .submitted = is_seen_better(sk) };

	if (is_listen(call)) {
		e.backlog = call->argument[1];
		e.backlog_known = true;
	}
	if (bpf_map_update_elem(&listening, &c->cookie, &e, BPF_ANY))
		COUNT(overflows);
}

static __always_inline void on_end(struct sock *sk, const struct conn *c, const struct call *call,
				   u64 now)
{
	struct listening *e = bpf_map_lookup_elem(&listening, &c->cookie);
	struct conn *copy = copy_of(c, sk, SCRATCH_STATE);
	struct outcome o = { .at = now };

	if (copy && is_listen(call)) {
		/* listen() itself fails, because the port has been taken in the meantime. */
		o.error = EADDRINUSE;
		o.backlog = call->argument[1];
		o.backlog_known = true;
		if (!is_seen_better(sk))
			submit_listen(LISTEN_CALL, copy, sk, &o, NULL);
	} else if (copy && e) {
		if (!e->submitted)
			submit_beginning(copy, sk, e);
		submit_listen(LISTEN_END, copy, sk, &o, e);
	}
	bpf_map_delete_elem(&listening, &c->cookie);
}

/* A child socket is created; until it is established it has its listener's cookie. */
static __always_inline void on_arrival(const struct conn *child, u64 now)
{
	struct listening *e = bpf_map_lookup_elem(&listening, &child->cookie);

	if (!e)
		return;
	__sync_fetch_and_add(&e->arrived, 1);
	if (!e->first_arrived_at)
		e->first_arrived_at = now;
}

static __always_inline void see_state(struct sock *sk, int old, int new)
{
	struct call call = {};
	struct conn *c;
	u64 now;

	if (old == new || (old != TCP_LISTEN && new != TCP_LISTEN))
		return;
	c = conn_of(sk);
	if (!c)
		return;
	now = bpf_ktime_get_boot_ns();
	if (new == TCP_SYN_RECV) {
		on_arrival(c, now);
		return;
	}
	read_call(&call);
	if (new == TCP_LISTEN)
		on_listen(sk, c, &call, now);
	else
		on_end(sk, c, &call, now);
}

STATE_PROGRAM(on_state, WANTS(LISTEN), see_state)

/* `sk` may be untrusted by the verifier, or NULL. */
static __always_inline void on_result(const struct sock *sk, s32 backlog, long result)
{
	struct outcome o = { .backlog = backlog, .backlog_known = true };
	struct listening *e;
	u32 which = SCRATCH_CALL, protocol;
	struct conn *c = bpf_map_lookup_elem(&scratch, &which);

	if (!c)
		return;
	__builtin_memset(c, 0, sizeof(*c));
	o.at = bpf_ktime_get_boot_ns();
	o.error = result < 0 ? -result : 0;
	if (sk) {
		u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

		if (family != AF_INET && family != AF_INET6)
			return;
		c->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
		c->netns_cookie = BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie);
		read_bound_ends(&c->ends, sk);
		protocol = BPF_CORE_READ(sk, sk_protocol);
		if (protocol == IPPROTO_MPTCP)
			/* Its first subflow listens and has the queue. */
			sk = BPF_CORE_READ((const struct mptcp_sock *)sk, first) ?: sk;
		c->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
		e = bpf_map_lookup_elem(&listening, &c->cookie);
		if (e && !o.error)
			o.again = __sync_fetch_and_add(&e->calls, 1) > 0;
		/* The agent's own socket, which the tracker excludes. */
		if (!e && !o.error && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP))
			return;
	}
	read_task(&c->owner, watched_cgroups);
	if (o.error)
		c->close_reason = CLOSE_ABORTED;
	submit_listen(LISTEN_CALL, c, sk, &o, NULL);
}

SEC("tp/syscalls/sys_exit_listen")
int on_listen_exit(struct trace_event_raw_sys_exit *ctx)
{
	const struct sock *sk = NULL;
	struct call call = {};
	long result = ctx->ret;

	read_call(&call);
	if (result != -EBADF && result != -ENOTSOCK) {
		sk = socket_of(call.argument[0]);
		if (!sk)
			return 0;
	}
	on_result(sk, call.argument[1], result);
	return 0;
}

SEC("fexit/inet_listen")
int BPF_PROG(on_inet_listen, struct socket *sock, int backlog, int result)
{
	const struct sock *sk = sock->sk;

	/* Before Linux 6.12, subflows get here, too. */
	if (sk && !has_on_listen_exit && !is_multipath(sk))
		on_result(sk, backlog, result);
	return 0;
}

struct listener {
	u64 cookie;
	/* How long its first connection has been waiting; 0: one was accepted, or none has arrived. */
	u64 unattended;
	struct endpoints ends;
	struct task owner;
	u64 netns_cookie;
	u32 netns;
	u32 padding;
	struct queue queue;
};
EXPORT_ROWS(sweep, struct listener);

/* All listening sockets, in every network namespace. */
static __always_inline void see_living(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	const struct conn *c = ctx->value;
	u64 now = bpf_ktime_get_boot_ns(), arrived, since;
	struct listener row = {};
	struct listening *e;
	struct conn *copy;

	if (!sk || !c || c->excluded || sk->__sk_common.skc_state != TCP_LISTEN)
		return;
	copy = copy_of(c, sk, SCRATCH_SWEEP);
	if (!copy)
		return;
	read_queue(&row.queue, sk);
	row.cookie = copy->cookie;
	e = bpf_map_lookup_elem(&listening, &row.cookie);
	if (!e) {
		struct listening met = {
			.waited_before = row.queue.usage,
			.first_arrived_at = row.queue.usage ? now : 0,
			.calls = 1,
			.submitted = true,
			.before_start = true,
		};

		bpf_map_update_elem(&listening, &row.cookie, &met, BPF_NOEXIST);
	} else {
		arrived = e->arrived + e->waited_before;
		since = e->first_arrived_at;
		if (row.queue.usage && row.queue.usage >= arrived && since && since < now)
			row.unattended = now - since;
		if (!e->submitted && copy->ends.local_port)
			submit_beginning(copy, sk, e);
	}
	if (!passes(copy, 0))
		return;
	row.ends = copy->ends;
	row.owner = copy->owner;
	row.netns_cookie = copy->netns_cookie;
	row.netns = copy->netns;
	write_row(ctx, &row, sizeof(row));
}

SWEEP_PROGRAM(see_living)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
