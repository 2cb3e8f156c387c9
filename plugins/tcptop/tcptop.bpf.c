// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Which processes transfer data over TCP: sums by process, and by connection if requested.
// Hooks: tp_btf/inet_sock_set_state (in the tracker's chain), iter/bpf_sk_storage_map.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/chain.h>
#include <wirespan/conn.h>
#include <wirespan/io_delta.h>
#include <wirespan/filter.h>
#include <wirespan/owner.h>
#include <wirespan/skeleton.h>
#include <wirespan/sweep.h>

/* Whether connections are reported individually. */
const volatile bool by_connection = false;

struct counters {
	u64 overflow_processes;
	u64 overflow_connections;
};
EXPORT_COUNTERS(struct counters);

struct process_key {
	u32 pid;
	/*
	 * When the row was created, in units of 2^33 ns (8.6 s): rows of past units are not written any more, so the
	 * agent can remove them without losing bytes.
	 */
	u32 span;
	u64 started_at;
	/* A process may run several programs in succession. */
	u64 exe;
};

struct usage {
	u64 sent_bytes;
	u64 received_bytes;
	struct task task;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct process_key);
	__type(value, struct usage);
} processes SEC(".maps");
EXPORT_TABLE(processes, struct process_key, struct usage);

struct rest {
	u64 sent_bytes;
	u64 received_bytes;
};

/* For what did not fit in `processes` (0) or `closed` (1). */
enum { OF_PROCESSES, OF_CONNECTIONS };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct rest);
} rests SEC(".maps");
EXPORT_TABLE(rests, u32, struct rest);

/* What a connection transferred since it was last reported. */
struct flow {
	struct conn conn;
	u64 sent_bytes;
	u64 received_bytes;
};

/* A socket may have had several connections in succession. */
struct flow_key {
	u64 cookie;
	u32 life;
	u32 padding;
};

/* The last bytes of closed connections; the agent removes each row. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct flow_key);
	__type(value, struct flow);
} closed SEC(".maps");
EXPORT_TABLE(closed, struct flow_key, struct flow);

/* Too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	/* A close may interrupt the sweep, and another close that one. */
	__uint(max_entries, 3);
	__type(key, u32);
	__type(value, struct flow);
} scratch SEC(".maps");
enum { FOR_CLOSE, FOR_INTERRUPT, FOR_SWEEP };

static __always_inline void add_to_rest(u32 of, const struct io_delta *delta)
{
	struct rest *rest = bpf_map_lookup_elem(&rests, &of);

	if (!rest)
		return;
	__sync_fetch_and_add(&rest->sent_bytes, delta->sent_bytes);
	__sync_fetch_and_add(&rest->received_bytes, delta->received_bytes);
}

static __always_inline void add_to_process(const struct task *task, const struct io_delta *delta,
					   u64 now)
{
	struct process_key key = { .pid = task->pid,
				   .span = now >> 33,
				   .started_at = task->started_at };
	struct usage *usage;

	key.exe = task->exe;
	usage = bpf_map_lookup_elem(&processes, &key);
	if (!usage) {
		struct usage first = { .task = *task };

		bpf_map_update_elem(&processes, &key, &first, BPF_NOEXIST);
		usage = bpf_map_lookup_elem(&processes, &key);
	}
	if (!usage) {
		COUNT(overflow_processes);
		add_to_rest(OF_PROCESSES, delta);
		return;
	}
	__sync_fetch_and_add(&usage->sent_bytes, delta->sent_bytes);
	__sync_fetch_and_add(&usage->received_bytes, delta->received_bytes);
}

static __always_inline struct flow *flow_of(const struct conn *c, const struct io_delta *delta,
					    u32 purpose)
{
	struct flow *flow = bpf_map_lookup_elem(&scratch, &purpose);

	if (!flow)
		return NULL;
	flow->conn = *c;
	flow->sent_bytes = delta->sent_bytes;
	flow->received_bytes = delta->received_bytes;
	return flow;
}

static __always_inline void see_close(struct sock *sk, int old, int new)
{
	struct flow_key key = {};
	struct io_delta delta;
	struct tcp_sock *tp;
	struct flow *flow;
	struct conn *c;

	if (new != TCP_CLOSE || old == TCP_LISTEN)
		return;
	c = conn_of(sk);
	tp = bpf_skc_to_tcp_sock(sk);
	if (!c || !tp || !passes(c, c->closed_at - c->opened_at))
		return;
	take_closed(&delta, c, tp, old);
	if (!(delta.sent_bytes | delta.received_bytes))
		return;
	add_to_process(&c->owner, &delta, c->closed_at);
	if (!by_connection)
		return;
	flow = flow_of(c, &delta, c->is_nested ? FOR_INTERRUPT : FOR_CLOSE);
	key.cookie = c->cookie;
	key.life = c->life;
	if (flow && bpf_map_update_elem(&closed, &key, flow, BPF_ANY)) {
		COUNT(overflow_connections);
		add_to_rest(OF_CONNECTIONS, &delta);
	}
}

STATE_PROGRAM(on_close, WANTS(CLOSE), see_close)

EXPORT_ROWS(sweep, struct flow);

static __always_inline void see_living(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct conn *c = ctx->value;
	struct sock *sk = ctx->sk;
	struct io_delta delta;
	struct flow *flow;
	u64 now;

	if (!sk || !c || c->excluded)
		return;
	now = bpf_ktime_get_boot_ns();
	if (waits_for_owner(c, now))
		return;
	if (!passes(c, now - c->opened_at) || !take_living(&delta, sk, c) ||
	    !(delta.sent_bytes | delta.received_bytes))
		return;
	add_to_process(&c->owner, &delta, now);
	if (!by_connection)
		return;
	flow = flow_of(c, &delta, FOR_SWEEP);
	if (flow)
		write_row(ctx, flow, sizeof(*flow));
}

SWEEP_PROGRAM(see_living)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
