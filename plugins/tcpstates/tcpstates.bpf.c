// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The states of TCP sockets: how long each lasted, every change if enabled, and how many sockets are in each.
// Hooks: tp_btf/inet_sock_set_state (in the tracker's chain), iter/bpf_sk_storage_map.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/chain.h>
#include <wirespan/conn.h>
#include <wirespan/conn_record.h>
#include <wirespan/filter.h>
#include <wirespan/histogram.h>
#include <wirespan/listener.h>
#include <wirespan/ring.h>
#include <wirespan/aggregate.h>
#include <wirespan/skeleton.h>
#include <wirespan/sweep.h>

/* Whether each change is reported. */
const volatile bool events = false;

struct counters {
	u64 seen_changes;
	u64 lost_changes;
	u64 overflows;
};
EXPORT_COUNTERS(struct counters);

/* A state change; states are the kernel's numbers. */
struct change {
	struct conn_record connection;
	u64 changed_at;
	/* Time in the old state, ns; 0: unknown. */
	u64 duration;
	u32 old_state;
	u32 new_state;
	/* The current task, possibly just interrupted by a packet; an empty name: unknown. */
	struct actor context;
};
EXPORT_RING(changes, struct change, 256 * 1024);

struct dwell_key {
	u32 workload;
	enum direction direction;
	u32 state;
};

/* Spare rows by state. */
SUMS_BY(dwells, struct dwell_key, struct histogram, 4096, 16)

/* A listener and its bound address, too large for the stack. A state change may interrupt the sweep. */
enum { SCRATCH_CHANGE, SCRATCH_SWEEP };
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct conn);
} scratch SEC(".maps");

/* A socket that began to listen before its port was chosen: reported when it is chosen. */
struct beginning {
	u64 at;
	struct actor context;
};
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct beginning);
} beginnings SEC(".maps");

struct step {
	u32 old_state;
	u32 new_state;
	u64 at;
	/* When it entered the old state; 0: unknown. */
	u64 since;
	const struct actor *context;
};

static __always_inline struct histogram *row_of(const struct conn *c, u32 state)
{
	struct dwell_key key = {
		.workload = workload_of(&c->owner),
		.direction = c->direction,
		.state = state,
	};

	return dwells_row(&key, state);
}

static __always_inline void submit_change(struct sock *sk, const struct conn *c,
					  const struct step *s, u64 duration)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct change *r;

	if (!tp)
		return;
	COUNT(seen_changes);
	r = RESERVE(changes);
	if (!r)
		return;
	r->connection.wanted = 0;
	read_record(&r->connection, SPAN_CONNECTION, c, tp, s->old_state);
	r->changed_at = s->at;
	r->duration = duration;
	r->old_state = s->old_state;
	r->new_state = s->new_state;
	if (s->context)
		r->context = *s->context;
	else
		__builtin_memset(&r->context, 0, sizeof(r->context));
	SUBMIT(changes, r);
}

static __noinline void count_and_submit(struct sock *sk, const struct conn *c, const struct step *s)
{
	u64 duration = s->since ? s->at - s->since : 0;
	struct histogram *row;

	if (!passes(c, duration))
		return;
	row = duration ? row_of(c, s->old_state) : NULL;
	if (row)
		histogram_add_shared(row, duration);
	if (events)
		submit_change(sk, c, s, duration);
}

static __always_inline void read_context(struct actor *a)
{
	u64 id = bpf_get_current_pid_tgid();

	a->pid = id >> 32;
	a->tid = id;
	bpf_get_current_comm(a->comm, sizeof(a->comm));
}

static __always_inline void enter(struct conn *c, u32 state, u64 at)
{
	c->entered_state = state;
	c->entered_at = at;
}

/* A passive handshake began with the SYN, before the socket existed. */
static __always_inline u64 entered(const struct conn *c, u32 state)
{
	if (c->entered_state != state)
		return 0;
	return state == TCP_SYN_RECV && c->direction == DIRECTION_INBOUND ? c->opened_at
									  : c->entered_at;
}

/* Reports the earlier states now: until here the local port or the ids were unknown. */
static __always_inline void submit_handshake(struct sock *sk, struct conn *c, u32 left,
					     const struct actor *context)
{
	/* The SYN may be sent later. */
	struct step first = { .new_state = TCP_SYN_SENT,
			      .old_state = TCP_CLOSE,
			      .at = left == TCP_SYN_SENT ? c->entered_at : c->opened_at };
	struct step second = { .old_state = TCP_SYN_SENT, .new_state = TCP_SYN_RECV };

	if (c->direction == DIRECTION_OUTBOUND) {
		struct actor opener;

		if (events) {
			read_actor(&opener, &c->owner);
			first.context = &opener;
			count_and_submit(sk, c, &first);
		}
		if (left != TCP_SYN_RECV)
			return;
		/* A simultaneous open. */
		second.at = c->entered_at;
		second.since = c->opened_at;
		count_and_submit(sk, c, &second);
		return;
	}
	if (!events)
		return;
	first.old_state = TCP_LISTEN;
	first.new_state = TCP_SYN_RECV;
	/* Except with Fast Open, the current packet created the socket. */
	first.context = c->fastopen ? NULL : context;
	count_and_submit(sk, c, &first);
}

/* The listener with its bound address, which the tracker does not keep. */
static __always_inline struct conn *bound(const struct conn *c, const struct sock *sk, u32 which)
{
	struct conn *copy = bpf_map_lookup_elem(&scratch, &which);

	if (!copy)
		return NULL;
	*copy = *c;
	read_bound_ends(&copy->ends, sk);
	return copy;
}

static __always_inline void submit_beginning(struct sock *sk, const struct conn *c)
{
	struct beginning *b = bpf_sk_storage_get(&beginnings, sk, NULL, 0);
	struct step s = { .old_state = TCP_CLOSE, .new_state = TCP_LISTEN };
	struct actor context;

	if (!b)
		return;
	context = b->context;
	s.at = b->at;
	s.context = &context;
	bpf_sk_storage_delete(&beginnings, sk);
	count_and_submit(sk, c, &s);
}

static __always_inline void on_listener(struct sock *sk, const struct conn *c, struct step *s)
{
	struct beginning b = { .at = s->at };
	const struct conn *copy;

	read_context(&b.context);
	s->context = &b.context;
	copy = bound(c, sk, SCRATCH_CHANGE);
	if (!copy)
		return;
	if (s->new_state != TCP_LISTEN) {
		submit_beginning(sk, copy);
	} else if (events && !copy->ends.local_port) {
		bpf_sk_storage_get(&beginnings, sk, &b, BPF_SK_STORAGE_GET_F_CREATE);
		return;
	}
	count_and_submit(sk, copy, s);
}

/* The socket is freed, but the kernel keeps the connection in TIME_WAIT or FIN_WAIT2. */
static __always_inline bool lives_on(const struct conn *c, u32 left)
{
	return (left == TCP_FIN_WAIT2 || left == TCP_CLOSING) && !c->error;
}

static __always_inline void see_change(struct sock *sk, int old, int new)
{
	struct actor context;
	struct step s = { .old_state = old, .new_state = new };
	struct conn *c;

	if (old == new)
		return;
	c = conn_of(sk);
	/* While the plugin is restarted, two programs see each change. */
	if (!c || c->entered_state == new)
		return;
	if (new == TCP_SYN_SENT) {
		enter(c, new, c->opened_at);
		return;
	}
	if (new == TCP_SYN_RECV) {
		enter(c, new, bpf_ktime_get_boot_ns());
		return;
	}
	s.since = entered(c, old);
	if (new == TCP_LISTEN || old == TCP_LISTEN) {
		s.at = bpf_ktime_get_boot_ns();
		enter(c, new, s.at);
		on_listener(sk, c, &s);
		return;
	}
	if (new == TCP_ESTABLISHED)
		s.at = c->established_at;
	else if (new == TCP_CLOSE)
		s.at = c->closed_at;
	else
		s.at = bpf_ktime_get_boot_ns();
	if (new == TCP_CLOSE && lives_on(c, old))
		s.new_state = TCP_TIME_WAIT;
	if (events) {
		read_context(&context);
		s.context = &context;
	}
	if (s.since && (old == TCP_SYN_SENT || old == TCP_SYN_RECV))
		submit_handshake(sk, c, old, &context);
	enter(c, new, s.at);
	count_and_submit(sk, c, &s);
}

STATE_PROGRAM(on_change, WANTS_ALL, see_change)

/* Sockets by state. */
struct population {
	u64 sockets[16];
};
EXPORT_ROWS(sweep, struct population);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct population);
} population SEC(".maps");

/* All sockets that the tracker knows, in every network namespace; the only row is written at the end. */
static __always_inline void see_living(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	const struct conn *c = ctx->value;
	struct population *sum;
	u32 zero = 0, state;

	sum = bpf_map_lookup_elem(&population, &zero);
	if (!sum)
		return;
	if (!ctx->meta->seq_num)
		__builtin_memset(sum, 0, sizeof(*sum));
	if (!sk || !c) {
		write_row(ctx, sum, sizeof(*sum));
		return;
	}
	if (c->excluded)
		return;
	state = sk->__sk_common.skc_state;
	if (state == TCP_LISTEN) {
		c = bound(c, sk, SCRATCH_SWEEP);
		if (!c)
			return;
		if (events && c->ends.local_port)
			submit_beginning(sk, c);
	}
	if (passes(c, 0))
		sum->sockets[MASKED(state, 15)]++;
}

SWEEP_PROGRAM(see_living)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
