// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Reports each stored context, so that a test can compare all of them with what was sent. Attached after the programs
// that store them, whose map it shares.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/streams.h>
#include <wirespan/ring.h>

struct kept {
	u8 trace_id[16];
	u8 span_id[8];
	u32 flags;
	enum context_source source;
	u32 local_port;
	u32 peer_port;
	/* The sequence number of this end's first byte, and the offset of the context's bytes from there. */
	u32 first;
	u32 offset;
	bool received;
	bool answers;
};
EXPORT_RING(kept, struct kept, 4 * 1024 * 1024);

struct reported {
	u32 n;
	u64 last[3];
	/* HTTP/2: by place. */
	u32 streams[STREAMS];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct reported);
} reported SEC(".maps");

static __always_inline void tell(struct sock *sk, const struct entry *e, bool received)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	struct kept *r = bpf_ringbuf_reserve(&kept, sizeof(*r), 0);

	if (!r)
		return;
	__builtin_memset(r, 0, sizeof(*r));
	__builtin_memcpy(r->trace_id, e->trace_id, 24);
	r->flags = e->flags;
	r->source = e->source;
	r->local_port = sk->__sk_common.skc_num;
	r->peer_port = bpf_ntohs(sk->__sk_common.skc_dport);
	r->first = c ? c->own_isn : 0;
	r->offset = e->seq - r->first;
	r->received = received;
	r->answers = e->answers;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

static __always_inline int see_sent(struct sock *sk)
{
	struct carrier *c = bpf_sk_storage_get(&contexts, sk, NULL, 0);
	struct reported *t;

	t = c ? bpf_sk_storage_get(&reported, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE) : NULL;
	if (t && c->n - t->n > CONTEXTS)
		t->n = c->n - CONTEXTS;
	for (u32 i = 0; t && i < CONTEXTS && t->n != c->n; i++)
		tell(sk, &c->ring[MASKED(t->n++, CONTEXTS - 1)], false);
	return 0;
}

SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(sent, struct sock *sk)
{
	return see_sent(sk);
}

static __always_inline void see_streams(struct sock *sk)
{
	struct conn *conn = bpf_sk_storage_get(&conns, sk, NULL, 0);
	struct streams *s = bpf_sk_storage_get(&streams, sk, NULL, 0);
	struct reported *t;

	if (!s || !conn || conn->direction != DIRECTION_INBOUND)
		return;
	t = bpf_sk_storage_get(&reported, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	for (u32 i = 0; t && i < STREAMS; i++) {
		const struct entry *e = &s->requests[i];

		if (!e->source || t->streams[i] == e->stream)
			continue;
		t->streams[i] = e->stream;
		tell(sk, e, true);
	}
}

SEC("tp_btf/tcp_probe")
int BPF_PROG(received, struct sock *sk)
{
	struct carrier *c = bpf_sk_storage_get(&contexts, sk, NULL, 0);
	u64 id[3];
	struct reported *t;

	see_streams(sk);
	if (!c || !c->in.source)
		return 0;
	t = bpf_sk_storage_get(&reported, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	__builtin_memcpy(id, c->in.trace_id, 24);
	if (!t || (t->last[0] == id[0] && t->last[1] == id[1] && t->last[2] == id[2]))
		return 0;
	__builtin_memcpy(t->last, id, 24);
	tell(sk, &c->in, true);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
