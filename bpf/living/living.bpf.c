// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Currently open connections: loaded on the first request (core/engine/living.ts).
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/conn_record.h>
#include <wirespan/filter.h>
#include <wirespan/skeleton.h>
#include <wirespan/sweep.h>

/* Maximum number of rows; at most half of them are for connections with empty queues. */
const volatile u32 most_rows = 0;

struct living {
	/* As the connection's span would be if it ended now. */
	struct conn_record record;
	/* As in ss: data that the peer has not acknowledged, and data that the application has not read. */
	u32 send_queue;
	u32 receive_queue;
	/* The socket's own state. */
	u32 tcp_state;
	u32 padding;
};
EXPORT_ROWS(living, struct living);

struct found {
	/* Connections that pass the filter. */
	u32 total;
	/* How many of them have a row. */
	u32 written;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct found);
} found SEC(".maps");

/* Too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct living);
} row SEC(".maps");

/* The kernel drops the row of a socket for which the buffer is too small, and runs the program for it again. */
static __always_inline bool has_room(const struct seq_file *seq)
{
	return seq->size - seq->count > sizeof(struct row_header) + sizeof(struct living);
}

static __always_inline bool is_open(const struct sock *sk, const struct conn *c)
{
	u32 state;

	if (!sk || !c || c->excluded)
		return false;
	state = sk->__sk_common.skc_state;
	if (state == TCP_LISTEN || state == TCP_CLOSE)
		return false;
	return passes(c, bpf_ktime_get_boot_ns() - c->opened_at);
}

/*
 * Runs first and writes nothing, so the kernel visits all sockets in one go. When the kernel continues after a full
 * buffer, it visits some twice, or not at all, if others have begun or ended in the meantime.
 */
SEC("iter/bpf_sk_storage_map")
int count_open(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct found *f;
	u32 zero = 0;

	f = bpf_map_lookup_elem(&found, &zero);
	if (!f)
		return 0;
	if (!ctx->meta->seq_num)
		__builtin_memset(f, 0, sizeof(*f));
	if (is_open(ctx->sk, ctx->value))
		f->total++;
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int living(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	u32 zero = 0, state, most = most_rows;
	struct conn *c = ctx->value;
	struct sock *sk = ctx->sk;
	struct tcp_sock *tp;
	struct living *l;
	struct found *f;

	f = bpf_map_lookup_elem(&found, &zero);
	l = bpf_map_lookup_elem(&row, &zero);
	if (!f || !l || !sk || !c || !is_open(sk, c))
		return 0;
	state = sk->__sk_common.skc_state;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	read_record(&l->record, SPAN_CONNECTION, c, tp, state);
	/* Set after the state change by which the tracker recognises an attempt. */
	if (!c->ends.local_port)
		l->record.conn.ends.local_port = sk->__sk_common.skc_num;
	l->tcp_state = state;
	l->send_queue = tp->write_seq - tp->snd_una;
	l->receive_queue = c->established_at ? tp->rcv_nxt - tp->copied_seq : 0;
	if (state == TCP_ESTABLISHED && !(l->send_queue | l->receive_queue))
		most /= 2;
	if (f->written >= most)
		return 0;
	if (has_room(ctx->meta->seq))
		f->written++;
	write_row(ctx, l, sizeof(*l));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
