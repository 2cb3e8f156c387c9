// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The life of TCP connections: asks for the connection's span, and sums durations, round trips and bytes.
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "claim.h"
#include "conn.h"
#include "connection.h"
#include "filter.h"
#include "histogram.h"
#include "wire.h"

/* Age after which, and interval at which, a living connection is reported; 0: never. */
const volatile u64 checkpoint_ns = 0;

struct counters {
	u64 overflows;
};
WIRE_COUNTERS(struct counters);

struct life_key {
	u64 cgroup_id;
	char exe[24];
	enum direction direction;
	enum close_reason close_reason;
	u32 family;
	u32 padding;
};

struct life {
	u64 connections;
	u64 sent_bytes;
	u64 received_bytes;
	struct histogram duration;
	struct histogram rtt;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2048);
	__type(key, struct life_key);
	__type(value, struct life);
} lives SEC(".maps");
WIRE_TABLE(lives, struct life_key, struct life);

/* Takes what the table has no room for. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct life);
} overflow SEC(".maps");
WIRE_TABLE(overflow, u32, struct life);

/* A new row, too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct life);
} blank SEC(".maps");

/* What of a living connection is in the sums already; there from its first sweep to its close. */
struct counted {
	u64 sent_bytes;
	u64 received_bytes;
	u64 reported_at;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct counted);
} counts SEC(".maps");

static __always_inline struct life *row_of(const struct conn *c)
{
	struct life_key key = {
		.cgroup_id = c->owner.cgroup_id,
		.direction = c->direction,
		.close_reason = c->close_reason,
		.family = c->ends.family,
	};
	struct life *row, *new;
	u32 zero = 0;

	__builtin_memcpy(key.exe, c->owner.exe, sizeof(key.exe));
	row = bpf_map_lookup_elem(&lives, &key);
	if (row)
		return row;
	new = bpf_map_lookup_elem(&blank, &zero);
	if (!new)
		return NULL;
	bpf_map_update_elem(&lives, &key, new, BPF_NOEXIST);
	row = bpf_map_lookup_elem(&lives, &key);
	if (row)
		return row;
	COUNT(overflows);
	return bpf_map_lookup_elem(&overflow, &zero);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_close, struct sock *sk, int old, int new)
{
	u64 duration, sent, received;
	struct counted *counted;
	struct traffic traffic;
	struct tcp_sock *tp;
	struct life *life;
	struct conn *c;

	if (new != TCP_CLOSE || old == TCP_LISTEN || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	c = conn_of(sk);
	tp = bpf_skc_to_tcp_sock(sk);
	if (!c || !tp)
		return 0;
	duration = c->closed_at - c->opened_at;
	if (!passes(c, duration))
		return 0;
	c->wanted_connection |= plugin_bit;
	life = row_of(c);
	if (!life)
		return 0;
	read_traffic(&traffic, tp, c, old);
	full_barrier();
	counted = bpf_sk_storage_get(&counts, sk, NULL, 0);
	if (counted) {
		sent = claim(&counted->sent_bytes, traffic.sent_bytes);
		received = claim(&counted->received_bytes, traffic.received_bytes);
		/* The socket may connect again, and then counts from zero. */
		bpf_sk_storage_delete(&counts, sk);
	} else {
		sent = traffic.sent_bytes - c->sent_before;
		received = traffic.received_bytes - c->received_before;
	}
	__sync_fetch_and_add(&life->connections, 1);
	__sync_fetch_and_add(&life->sent_bytes, sent);
	__sync_fetch_and_add(&life->received_bytes, received);
	if (!c->before_start)
		histogram_add_shared(&life->duration, duration);
	if (traffic.srtt_us)
		histogram_add_shared(&life->rtt, (u64)traffic.srtt_us * 1000);
	return 0;
}

WIRE_ROWS(sweep, struct connection);

/* Too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct connection);
} scratch SEC(".maps");

/* Living connections, in every network namespace: adds what moved since the last time. */
SEC("iter/bpf_sk_storage_map")
int sweep(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn *c = ctx->value;
	u64 now = bpf_ktime_get_boot_ns(), age;
	struct connection *report;
	struct counted *counted;
	struct traffic traffic;
	struct tcp_sock *tp;
	struct life *life;
	u32 zero = 0, state;

	if (!sk || !c || c->excluded || c->closed_at || !c->established_at)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || !passes(c, now - c->opened_at))
		return 0;
	counted = bpf_sk_storage_get(&counts, sk, NULL, 0);
	if (!counted) {
		struct counted met = {
			.sent_bytes = c->sent_before,
			.received_bytes = c->received_before,
			.reported_at = c->opened_at,
		};

		counted = bpf_sk_storage_get(&counts, sk, &met, BPF_SK_STORAGE_GET_F_CREATE);
		full_barrier();
		/* A close that has not found the mark has added everything. */
		if (counted && *(volatile u64 *)&c->closed_at) {
			bpf_sk_storage_delete(&counts, sk);
			return 0;
		}
	}
	if (!counted)
		return 0;
	state = sk->__sk_common.skc_state;
	read_traffic(&traffic, tp, c, state);
	life = row_of(c);
	if (life) {
		__sync_fetch_and_add(&life->sent_bytes, claim(&counted->sent_bytes, traffic.sent_bytes));
		__sync_fetch_and_add(&life->received_bytes, claim(&counted->received_bytes, traffic.received_bytes));
	}
	age = now - counted->reported_at;
	if (!checkpoint_ns || age < checkpoint_ns)
		return 0;
	report = bpf_map_lookup_elem(&scratch, &zero);
	if (!report)
		return 0;
	counted->reported_at = now;
	report->wanted = plugin_bit;
	read_connection(report, SPAN_CONNECTION, c, tp, state);
	bpf_seq_write(ctx->meta->seq, report, sizeof(*report));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
