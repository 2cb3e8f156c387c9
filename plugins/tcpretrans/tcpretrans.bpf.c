// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Retransmitted segments by cause, with the connection's owner instead of the task that the timer interrupted.
// Hooks: tp_btf/tcp_retransmit_skb, tp_btf/tcp_retransmit_synack.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/reentrancy.h>
#include <wirespan/conn.h>
#include <wirespan/conn_record.h>
#include <wirespan/filter.h>
#include <wirespan/in_trace.h>
#include <wirespan/ratelimit.h>
#include <wirespan/ring.h>
#include <wirespan/aggregate.h>
#include <wirespan/skeleton.h>

/* Whether each connection is also counted separately. */
const volatile bool count_flows = false;

struct counters {
	u64 seen_retransmits;
	u64 lost_retransmits;
	u64 suppressed_retransmits;
	u64 overflows;
	/* Segments that no program was shown, as the socket's own count proves at the next one. */
	u64 unseen_retransmits;
};
EXPORT_COUNTERS(struct counters);

#define RETRANSMIT_TYPES 6

enum retransmit_type {
	RETRANSMIT_RTO,
	/* Tail loss probe that sends old data: RFC 8985, 7. */
	RETRANSMIT_TLP,
	/* In recovery, after duplicate acknowledgements, SACK or RACK. */
	RETRANSMIT_FAST,
	/* After a timeout, when acknowledgements arrive again. */
	RETRANSMIT_SLOW_START,
	RETRANSMIT_SYN,
	RETRANSMIT_SYNACK,
};

/* An attempt to retransmit; `error`: the kernel's, 0 if the segment was sent. */
struct attempt {
	enum retransmit_type type;
	u32 state;
	s32 error;
	u32 segments;
	u32 bytes;
	u32 sequence;
	u32 flags;
	/* The interface of its route; 0 and empty: none. */
	u32 ifindex;
	char interface[16];
};

struct retransmit {
	struct conn_record connection;
	struct attempt attempt;
	u64 happened_at;
	/* Suppressed events of this type since the last one reported. */
	u64 suppressed;
};

EXPORT_RING(retransmits, struct retransmit, 256 * 1024);

struct total_key {
	u32 workload;
	enum direction direction;
	enum retransmit_type type;
	u32 family;
	u32 state;
	s32 error;
};

struct total {
	u64 attempts;
	u64 segments;
	u64 bytes;
};

SUMS_BY(totals, struct total_key, struct total, 2048, 1)

struct flow_key {
	u32 workload;
	u32 netns;
	u64 netns_cookie;
	struct endpoints ends;
};

SUMS_BY(flows, struct flow_key, struct total, 4096, 1)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RETRANSMIT_TYPES);
	__type(key, u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

/*
 * The connection at the event, too large for the stack, and the attempt: on the stack, the verifier would check what
 * follows for each of its types. One per program: they may interrupt each other.
 */
enum { SCRATCH_SKB, SCRATCH_SKB_NESTED, SCRATCH_SYNACK };
struct scratch {
	struct conn conn;
	struct attempt attempt;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

static __always_inline struct scratch *blank(u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratch, &which);

	if (s)
		__builtin_memset(s, 0, sizeof(*s));
	return s;
}

static __always_inline void add(struct total *row, const struct attempt *a)
{
	if (!row)
		return;
	__sync_fetch_and_add(&row->attempts, 1);
	__sync_fetch_and_add(&row->segments, a->segments);
	__sync_fetch_and_add(&row->bytes, a->bytes);
}

static __always_inline void sum(const struct conn *c, const struct attempt *a)
{
	struct total_key key = {
		.workload = workload_of(&c->owner),
		.direction = c->direction,
		.type = a->type,
		.family = c->ends.family,
		.state = a->state,
		.error = a->error,
	};
	struct flow_key flow = {
		.workload = key.workload,
		.netns = c->netns,
		.netns_cookie = c->netns_cookie,
		.ends = c->ends,
	};

	add(totals_row(&key, 0), a);
	if (count_flows && !a->error)
		add(flows_row(&flow, 0), a);
}

/* `tp`: NULL if there is no socket yet. */
static __always_inline void submit_retransmit(const struct conn *c, const struct attempt *a,
					      const struct tcp_sock *tp)
{
	u64 now = bpf_ktime_get_boot_ns();
	u32 type = a->type;
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &type);
	struct retransmit *r;

	COUNT(seen_retransmits);
	if (!bucket || !admits(bucket, now)) {
		COUNT(suppressed_retransmits);
		return;
	}
	r = RESERVE(retransmits);
	if (!r)
		return;
	r->attempt = *a;
	r->happened_at = now;
	r->suppressed = take_suppressed(bucket);
	r->connection.wanted = 0;
	if (tp)
		read_record(&r->connection, SPAN_CONNECTION, c, tp, a->state);
	else
		read_record_without_socket(&r->connection, SPAN_CONNECTION, c);
	SUBMIT(retransmits, r);
}

/* A retransmission that is reported in requests' traces. */
struct report {
	struct places places;
	struct sock *sk;
	const struct conn *conn;
	const struct attempt *attempt;
	const struct tcp_sock *tp;
};

static long report_in_trace(u32 place, struct report *report)
{
	struct retransmit *r;

	if (!has_place(&report->places, place))
		return 0;
	r = RESERVE_IN_TRACE(&retransmits, sizeof(*r));
	if (!r)
		return 0;
	r->attempt = *report->attempt;
	r->happened_at = bpf_ktime_get_boot_ns();
	r->suppressed = 0;
	read_record(&r->connection, SPAN_CONNECTION, report->conn, report->tp,
		    report->attempt->state);
	SUBMIT_IN_TRACE(&retransmits, r, report->sk, place, IN_TRACE_RETRANSMIT,
			IN_TRACE_EVENT(report->attempt->sequence, report->tp->total_retrans));
	return 0;
}

/* In the trace of each request whose bytes the segment contains. */
static __always_inline void submit_in_trace(struct sock *sk, const struct conn *c,
					    const struct attempt *a, const struct tcp_sock *tp)
{
	struct report report = { .sk = sk, .conn = c, .attempt = a, .tp = tp };

	if (contexts_at(&report.places, sk, a->sequence, a->bytes, false))
		IN_EACH(report_in_trace, &report);
}

/*
 * The cause of a retransmission is visible in the socket: the timer's handler clears the pending timer before a
 * timeout's retransmission and leaves it set for a probe; a timeout enters the Loss state, where acknowledgements then
 * trigger the rest; a probe is sent outside that state (net/ipv4/tcp_timer.c, tcp_output.c).
 */
static __always_inline enum retransmit_type type_of(const struct inet_connection_sock *icsk,
						    u32 state)
{
	u32 ca = BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state);

	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		return RETRANSMIT_SYN;
	if (icsk->icsk_pending == ICSK_TIME_LOSS_PROBE && ca < TCP_CA_Recovery)
		return RETRANSMIT_TLP;
	if (ca != TCP_CA_Loss)
		return RETRANSMIT_FAST;
	return icsk->icsk_pending ? RETRANSMIT_SLOW_START : RETRANSMIT_RTO;
}

/* These errors end an attempt before a segment exists, so RetransSegs does not count it. */
static __always_inline bool made_no_segment(s32 error)
{
	return error == -EBUSY || error == -EAGAIN || error == -ENOMEM || error == -EINVAL ||
	       error == -EHOSTUNREACH;
}

/* TCP looks the route up again before it sends. */
static __always_inline void read_interface(struct attempt *a, const struct sock *sk)
{
	struct net_device *dev = BPF_CORE_READ(sk, sk_dst_cache, dev);

	if (!dev)
		return;
	a->ifindex = BPF_CORE_READ(dev, ifindex);
	BPF_CORE_READ_INTO(&a->interface, dev, name);
}

/* The socket has counted the segments of this attempt already. */
static __always_inline void count_unseen(struct conn *c, const struct tcp_sock *tp, u32 segments)
{
	u32 unseen = tp->total_retrans - segments - c->retransmits;

	/* After connect(AF_UNSPEC) the socket counts from 0. */
	if ((s32)unseen > 0)
		COUNT_MANY(unseen_retransmits, unseen);
	c->retransmits = tp->total_retrans;
}

static __always_inline void on_segment(struct sock *sk, const struct sk_buff *skb, s32 error,
				       bool is_nested)
{
	struct tcp_skb_cb *cb = (void *)skb->cb;
	struct conn *known, *c;
	struct tcp_sock *tp;
	struct attempt *a;
	struct scratch *s;

	known = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (known && known->excluded)
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	s = blank(is_nested ? SCRATCH_SKB_NESTED : SCRATCH_SKB);
	if (!tp || !s)
		return;
	c = &s->conn;
	a = &s->attempt;
	a->error = error;
	if (!made_no_segment(error)) {
		a->segments = BPF_CORE_READ(cb, tcp_gso_segs);
		a->bytes = skb->len;
	}
	if (known)
		count_unseen(known, tp, a->segments);
	if (known)
		*c = *known;
	else
		read_netns(c, sk);
	/* In SYN_SENT the port may be newer than the row. */
	read_ends(&c->ends, tp);
	if (!passes(c, 0))
		return;
	a->state = sk->__sk_common.skc_state;
	a->type = type_of(&tp->inet_conn, a->state);
	a->sequence = BPF_CORE_READ(cb, seq);
	a->flags = BPF_CORE_READ_BITFIELD_PROBED(cb, tcp_flags);
	read_interface(a, sk);
	barrier();
	sum(c, a);
	submit_retransmit(c, a, tp);
	/* A FIN without data belongs to no request. */
	if (a->segments && a->bytes)
		submit_in_trace(sk, c, a, tp);
}

REENTRANT_PROGRAM("tp_btf/tcp_retransmit_skb", on_retransmit, skb,
		  on_segment(sk, skb, 0, is_nested), struct sock *sk, struct sk_buff *skb)

REENTRANT_PROGRAM("tp_btf/tcp_retransmit_skb", on_attempt, skb,
		  on_segment(sk, skb, error, is_nested), struct sock *sk, struct sk_buff *skb,
		  int error)

/* Runs in softirqs only, which don't interrupt each other: no second program is needed. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(on_synack, struct sock *sk, struct request_sock *request)
{
	const struct tcp_request_sock *numbers = (const void *)request;
	const struct sock_common *common = &request->__req_common;
	struct conn *listener, *c;
	struct attempt *a;
	struct scratch *s;
	struct tcp_sock *tp;

	listener = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (listener && listener->excluded)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	s = blank(SCRATCH_SYNACK);
	if (!tp || !s)
		return 0;
	c = &s->conn;
	a = &s->attempt;
	a->type = RETRANSMIT_SYNACK;
	a->state = TCP_SYN_RECV;
	a->segments = 1;
	a->flags = TCPHDR_SYN | TCPHDR_ACK;
	/* With Fast Open it is the connection's own socket, which counts its SYN-ACKs. */
	if (listener)
		listener->retransmits = tp->total_retrans;
	if (listener) {
		c->owner = listener->owner;
		c->owner_source = OWNER_LISTENER;
	}
	c->direction = DIRECTION_INBOUND;
	read_netns(c, sk);
	read_common_ends(&c->ends, common, common->skc_num);
	a->sequence = BPF_CORE_READ(numbers, snt_isn);
	c->own_isn = a->sequence + 1;
	c->peer_isn = BPF_CORE_READ(numbers, rcv_isn) + 1;
	if (!passes(c, 0))
		return 0;
	sum(c, a);
	submit_retransmit(c, a, NULL);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
