// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The one owner of connection state: attached before every plugin's programs, its emitter after them.
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "accept.h"
#include "accept_exit.h"
#include "conn.h"
#include "connect_exit.h"
#include "connection.h"
#include "task.h"
#include "wire.h"

/* What the agent may write at any time. */
struct {
	/* The agent's process as the kernel numbers it, and whether its sockets are left out. */
	u32 self_pid;
	u32 excludes_self;
	struct watched_cgroup cgroups[WATCHED_CGROUPS];
} live;

WIRE_RING(spans, struct connection, 256 * 1024);

/* A process that is seen for the first time, or as another program than before. */
WIRE_RING(processes, struct task, 64 * 1024);

struct counters {
	u64 seen_spans;
	u64 lost_spans;
	u64 seen_processes;
	u64 lost_processes;
	u64 excluded_self;
	u64 lost_connections;
	u64 lost_accepts;
};
WIRE_COUNTERS(struct counters);

/* How the ends of accept() are watched. */
const volatile bool has_on_graft = false;
const volatile bool has_on_accept4_exit = false;
const volatile bool has_on_accept_exit = false;

/* Attempts that fail without a change of state are watched. */
const volatile bool watch_connect_exits = false;

/* The socket's cookie of the connect() that a thread is in, once its socket left CLOSE. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u64);
} connecting SEC(".maps");

struct known_process {
	u64 started_at;
	u64 exec_id;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct known_process);
} known SEC(".maps");

/* Handshakes that an opener on this host has finished and whose acceptor has not been met yet. */
enum { OPENED_HERE = 1, OPENED_BY_SELF = 2 };
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u32);
} opened SEC(".maps");

static __always_inline void meet(const struct task *t)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct known_process now = { .started_at = t->started_at,
				     .exec_id = current->self_exec_id };
	struct known_process *before = bpf_map_lookup_elem(&known, &t->pid);
	struct task *record;

	if (before && before->started_at == now.started_at && before->exec_id == now.exec_id)
		return;
	bpf_map_update_elem(&known, &t->pid, &now, BPF_ANY);
	COUNT(seen_processes);
	record = bpf_ringbuf_reserve(&processes, sizeof(*record), 0);
	if (!record) {
		COUNT(lost_processes);
		return;
	}
	*record = *t;
	/* Once a process, so the wake-up is worth its price: /proc can be read while it lives. */
	bpf_ringbuf_submit(record, 0);
}

static __always_inline void read_current_owner(struct conn *c, enum owner_source source)
{
	read_current(&c->owner, live.cgroups);
	c->owner_source = source;
	read_actor(&c->user, &c->owner);
	meet(&c->owner);
}

/* At ESTABLISHED or any time later; bytes_acked holds the opener's own SYN. */
static __always_inline void read_isns(struct conn *c, const struct tcp_sock *tp)
{
	c->own_isn = tp->snd_una - (u32)tp->bytes_acked + (c->direction == DIRECTION_OUTBOUND);
	c->peer_isn = tp->rcv_nxt - (u32)tp->bytes_received;
}

static __always_inline bool has_loopback_peer(const struct endpoints *e)
{
	const u32 *local = (const u32 *)e->local, *peer = (const u32 *)e->peer;

	if (e->family == 4)
		return e->peer[0] == 127 || local[0] == peer[0];
	return local[0] == peer[0] && local[1] == peer[1] && local[2] == peer[2] &&
	       local[3] == peer[3];
}

static __always_inline bool is_own(const struct conn *c)
{
	return live.excludes_self && c->owner.pid == live.self_pid;
}

static __always_inline void exclude(struct conn *c)
{
	c->excluded = true;
	COUNT(excluded_self);
}

static __always_inline void on_syn_sent(struct sock *sk, u64 now)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn *c;

	c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c || !tp) {
		COUNT(lost_connections);
		return;
	}
	/* A socket may connect again after a failure. */
	__builtin_memset(c, 0, sizeof(*c));
	c->cookie = bpf_get_socket_cookie(sk);
	c->opened_at = now;
	c->direction = DIRECTION_OUTBOUND;
	read_netns(c, sk);
	read_ends(&c->ends, tp);
	read_current_owner(c, OWNER_CONNECT);
	if (watch_connect_exits)
		bpf_map_update_elem(&connecting, &c->owner.tid, &c->cookie, BPF_ANY);
	if (is_own(c))
		exclude(c);
}

static __always_inline void on_listen(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!c) {
		COUNT(lost_connections);
		return;
	}
	__builtin_memset(c, 0, sizeof(*c));
	/* 0 in a listener that is older than the agent. */
	c->opened_at = bpf_ktime_get_boot_ns();
	c->cookie = bpf_get_socket_cookie(sk);
	read_netns(c, sk);
	read_current_owner(c, OWNER_LISTENER);
	/* Its children are excluded with it, and counted then. */
	c->excluded = is_own(c);
}

/*
 * The acceptor, where the end of accept() could only be noted beside the connection. Its say holds against
 * that of another thread which used the connection before the call had ended.
 */
static __always_inline void take_acceptor(struct conn *c)
{
	struct conn *accepted = bpf_map_lookup_elem(&queue, &c->cookie);

	if (!accepted || !accepted->accepted_at)
		return;
	if (!c->user.pid || c->owner_source == OWNER_LISTENER)
		read_actor(&c->user, &accepted->owner);
	c->owner = accepted->owner;
	c->owner_source = OWNER_ACCEPT;
	c->accepted_at = accepted->accepted_at;
	c->accept_fd = accepted->accept_fd;
	c->excluded = accepted->excluded;
	bpf_map_delete_elem(&queue, &c->cookie);
}

/* accept() is seen where the storage of some sockets, or of none, can be reached. */
static __always_inline bool queues_some(void)
{
	return has_on_accept4_exit || has_on_accept_exit || has_on_graft;
}

static __always_inline bool queues(const struct tcp_sock *tp)
{
	if (has_on_accept4_exit || has_on_accept_exit)
		return true;
	return has_on_graft && bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp;
}

/* accept() is not over, or was not seen to be. */
static __always_inline bool awaits_acceptor(const struct conn *c)
{
	return queues_some() && c->direction == DIRECTION_INBOUND && !c->accepted_at;
}

/* A listener's child: it begins as a copy of the listener's storage, where there was one. */
static __always_inline void on_syn_recv(struct sock *sk, u64 now)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!c) {
		COUNT(lost_connections);
		return;
	}
	c->opened_at = now;
	c->direction = DIRECTION_INBOUND;
	c->owner_source = c->owner.pid ? OWNER_LISTENER : OWNER_UNKNOWN;
	read_netns(c, sk);
	if (c->excluded)
		COUNT(excluded_self);
}

static __always_inline void meet_opener(struct conn *c)
{
	u64 key = (u64)c->peer_isn << 32 | c->own_isn;
	u32 *here = bpf_map_lookup_elem(&opened, &key);

	if (!here)
		return;
	c->peer_is_here = true;
	if (*here == OPENED_BY_SELF && !c->excluded)
		exclude(c);
	bpf_map_delete_elem(&opened, &key);
}

static __always_inline void on_established(struct sock *sk, struct conn *c, u64 now)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	u32 value;
	u64 key;

	if (!tp)
		return;
	c->established_at = now;
	c->handshake_retransmits = tp->total_retrans;
	read_ends(&c->ends, tp);
	read_isns(c, tp);
	if (c->direction == DIRECTION_OUTBOUND) {
		/* syn_data_acked is set only after this; of what the SYN-ACK acknowledged, one is the SYN. */
		c->fastopen = tp->bytes_acked > 1;
		key = (u64)c->own_isn << 32 | c->peer_isn;
		value = c->excluded ? OPENED_BY_SELF : OPENED_HERE;
		bpf_map_update_elem(&opened, &key, &value, BPF_ANY);
		return;
	}
	/* Generated here so that whoever meets the socket later finds the same cookie. */
	c->cookie = bpf_get_socket_cookie(sk);
	/* Since Linux 6.6. */
	if (bpf_core_field_exists(tp->syn_fastopen_child))
		c->fastopen = BPF_CORE_READ_BITFIELD(tp, syn_fastopen_child);
	/* The first round trip runs from the SYN-ACK to the ACK: it began right after the SYN came. */
	if (tp->srtt_us)
		c->opened_at = now - (u64)(tp->srtt_us >> 3) * 1000;
	meet_opener(c);
	/* With Fast Open it may have been accepted before. */
	if (queues(tp) && !c->excluded && !BPF_CORE_READ(sk, sk_socket) &&
	    bpf_map_update_elem(&queue, &c->cookie, c, BPF_ANY))
		COUNT(lost_accepts);
}

/* The task that runs now acts on this socket, rather than having been interrupted by a packet. */
static __always_inline bool in_callers_context(const struct sock *sk)
{
	struct task_struct *current = bpf_get_current_task_btf();

	return sk->sk_lock.owned && current->tgid && !(current->flags & PF_KTHREAD);
}

static __always_inline bool dies_of_a_signal(void)
{
	struct task_struct *current = bpf_get_current_task_btf();

	return current->flags & PF_EXITING &&
	       BPF_CORE_READ(current, signal, group_exit_code) & 0x7f;
}

static __always_inline void read_closer(struct sock *sk, struct conn *c)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;

	/* The agent closes others' files where it was the last to look at them (iter/task_file). */
	if (c->closer.pid || !in_callers_context(sk) ||
	    (pid == live.self_pid && pid != c->owner.pid))
		return;
	c->closer.pid = pid;
	c->closer.tid = bpf_get_current_pid_tgid();
	bpf_get_current_comm(c->closer.comm, sizeof(c->closer.comm));
	if (dies_of_a_signal())
		c->close_reason = CLOSE_KILLED;
}

static __always_inline enum close_reason reason_of(const struct conn *c, u32 left)
{
	bool established = c->established_at;

	switch (c->error) {
	case ECONNREFUSED:
		return established ? CLOSE_RST_RECEIVED : CLOSE_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return CLOSE_RST_RECEIVED;
	case ETIMEDOUT:
		return CLOSE_TIMEOUT;
	case ECONNABORTED:
		return CLOSE_ABORTED;
	case 0:
		break;
	default:
		return CLOSE_UNREACHABLE;
	}
	if (c->close_reason == CLOSE_KILLED)
		return CLOSE_KILLED;
	switch (left) {
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
		return CLOSE_FIN_LOCAL;
	case TCP_LAST_ACK:
		return CLOSE_FIN_REMOTE;
	default:
		/* No FIN was exchanged to the end and nobody complained: this side cut it off. */
		return established ? CLOSE_RST_SENT : CLOSE_ABORTED;
	}
}

/* An accepted connection has a socket until its owner closes, and is an orphan from then on. */
static __always_inline bool is_in_queue(const struct sock *sk, const struct conn *c)
{
	u64 dead = sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_DEAD) & 1;

	return c->direction == DIRECTION_INBOUND && c->established_at &&
	       !BPF_CORE_READ(sk, sk_socket) && !dead;
}

/* Nobody will ask for it again, unless accept() is returning it at this moment: then that takes the row away. */
static __always_inline void leave_queue(const struct sock *sk, const struct conn *c)
{
	struct conn *row = bpf_map_lookup_elem(&queue, &c->cookie);

	if (row && BPF_CORE_READ(sk, sk_socket) && c->owner_source == OWNER_LISTENER &&
	    !c->closer.pid)
		row->closed_at = c->closed_at;
	else if (row)
		bpf_map_delete_elem(&queue, &c->cookie);
}

static __always_inline void on_close(struct sock *sk, struct conn *c, u32 left, u64 now)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	c->closed_at = now;
	c->queued = !c->accepted_at && is_in_queue(sk, c);
	c->error = sk->sk_err;
	/* What the network ended was closed by nobody here, whoever handles the packet. */
	if (!c->error)
		read_closer(sk, c);
	/* connect() itself gives up before a SYN leaves: no port was free, or this pair of ends is taken. */
	if (tp && left == TCP_SYN_SENT && !c->error && !sk->sk_shutdown && !tp->segs_out)
		c->error = EADDRNOTAVAIL;
	c->close_reason = reason_of(c, left);
	if (awaits_acceptor(c))
		leave_queue(sk, c);
	if (!tp)
		return;
	read_ends(&c->ends, tp);
	if (!c->established_at)
		c->handshake_retransmits = tp->total_retrans;
}

static __always_inline int see_state(struct sock *sk, int old, int new)
{
	struct conn *c;
	u64 now;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	now = bpf_ktime_get_boot_ns();
	if (new == TCP_SYN_SENT)
		on_syn_sent(sk, now);
	else if (new == TCP_LISTEN)
		on_listen(sk);
	else if (new == TCP_SYN_RECV && old == TCP_LISTEN)
		on_syn_recv(sk, now);
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (!c)
		return 0;
	c->old_state = old;
	c->state = new;
	switch (new) {
	case TCP_ESTABLISHED:
		on_established(sk, c, now);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		if (awaits_acceptor(c))
			take_acceptor(c);
		read_closer(sk, c);
		break;
	case TCP_CLOSE:
		if (awaits_acceptor(c))
			take_acceptor(c);
		if (old != TCP_LISTEN)
			on_close(sk, c, old, now);
		break;
	}
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old, int new)
{
	return see_state(sk, old, new);
}

/*
 * The kernel runs no program that runs on this CPU already. A packet can interrupt one in a system call, and a
 * softirq then handles hundreds: this second of a kind, attached next, sees what the first has not.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state_again, struct sock *sk, int old, int new)
{
	struct conn *c;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (c && c->state == new)
		return 0;
	if (!c && new != TCP_SYN_SENT &&new != TCP_LISTEN &&new != TCP_SYN_RECV)
		return 0;
	return see_state(sk, old, new);
}

/*
 * Which side opened, for a connection that is older than the agent: what was sent once is
 * snd_nxt - ISN - 1 (a FIN apart), and bytes_acked holds the SYN on the opener's side only.
 */
static __always_inline enum direction direction_of(const struct tcp_sock *tp, u32 state)
{
	bool closing = state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING ||
		       state == TCP_LAST_ACK;
	u32 fin = closing && tp->snd_nxt == tp->write_seq;
	u32 first = tp->snd_nxt - fin - (u32)(tp->bytes_sent - tp->bytes_retrans);
	u32 base = tp->snd_una - (u32)tp->bytes_acked;

	return first - base == 1 ? DIRECTION_OUTBOUND
	       : first == base   ? DIRECTION_INBOUND
				 : DIRECTION_UNKNOWN;
}

/* What there is to know of a connection that is older than the agent, its owner apart. */
static __always_inline void read_older(struct conn *c, struct sock *sk, const struct tcp_sock *tp)
{
	u32 state = sk->__sk_common.skc_state;
	struct traffic before;

	c->before_start = true;
	c->opened_at = bpf_ktime_get_boot_ns();
	c->cookie = bpf_get_socket_cookie(sk);
	read_netns(c, sk);
	read_ends(&c->ends, tp);
	c->direction = direction_of(tp, state);
	c->peer_is_here = has_loopback_peer(&c->ends);
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		return;
	c->established_at = c->opened_at;
	read_isns(c, tp);
	read_traffic(&before, tp, c, state);
	c->sent_before = before.sent_bytes;
	c->received_before = before.received_bytes;
}

/* Nobody held it when the agent started: it waited to be accepted, or was on its way between processes. */
static __always_inline void on_use_of_unmet(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	u32 state = sk->__sk_common.skc_state;
	struct conn *c;

	if (!tp || state == TCP_CLOSE || state == TCP_LISTEN)
		return;
	c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		COUNT(lost_connections);
		return;
	}
	read_older(c, sk, tp);
	read_current_owner(c, OWNER_IO);
	if (is_own(c))
		exclude(c);
}

/* The first to send or receive owns what was accepted; who does it later is the last user. */
static __always_inline int on_use(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, NULL, 0);

	if (c && awaits_acceptor(c) && c->owner_source != OWNER_IO)
		take_acceptor(c);
	if (!c) {
		on_use_of_unmet(sk);
	} else if (c->owner_source == OWNER_UNKNOWN || c->owner_source == OWNER_LISTENER) {
		/* Even of the same process: since it listened it may have changed its user, name and thread. */
		read_current_owner(c, OWNER_IO);
	} else if (c->user.pid != bpf_get_current_pid_tgid() >> 32) {
		struct task user = {};

		read_current(&user, live.cgroups);
		read_actor(&c->user, &user);
		meet(&user);
	}
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(on_receive, struct sock *sk)
{
	return in_callers_context(sk) ? on_use(sk) : 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send, struct sock *sk)
{
	struct task_struct *current = bpf_get_current_task_btf();

	if (sk->sk_protocol != IPPROTO_TCP || current->flags & PF_KTHREAD)
		return 0;
	return on_use(sk);
}

/* Called from several places: inlined into each, the ids alone would make the programs three times as long. */
static __noinline int emit(struct sock *sk, struct conn *c, enum span span, u32 wanted)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct connection *r;

	COUNT(seen_spans);
	r = tp ? bpf_ringbuf_reserve(&spans, sizeof(*r), 0) : NULL;
	if (!r) {
		COUNT(lost_spans);
		return 0;
	}
	r->wanted = wanted;
	read_connection(r, span, c, tp, c->old_state);
	bpf_ringbuf_submit(r, wake_at_quarter(&spans));
	return 0;
}

static __always_inline int emit_wanted(struct sock *sk, int old, int new)
{
	struct conn *c;

	if (new != TCP_CLOSE && !ends_handshake(old, new))
		return 0;
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	c = conn_of(sk);
	if (!c)
		return 0;
	if (c->wanted_connect && !c->told_connect) {
		c->told_connect = true;
		emit(sk, c, SPAN_CONNECT, c->wanted_connect);
	}
	if (new == TCP_CLOSE && c->queued && c->wanted_accept) {
		emit(sk, c, SPAN_ACCEPT, c->wanted_accept);
		c->wanted_accept = 0;
	}
	if (new == TCP_CLOSE && c->wanted_connection && !c->told_connection) {
		c->told_connection = true;
		/* What was there before the agent has ids too, as long as its numbers can be told. */
		emit(sk, c, SPAN_CONNECTION, c->wanted_connection);
	}
	return 0;
}

/*
 * Attached after every plugin's programs: by then they have said what they want. Two of a kind, as of on_state,
 * and because there must be one at every moment while they are put behind a plugin that starts later.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_emit, struct sock *sk, int old, int new)
{
	return emit_wanted(sk, old, new);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_emit_again, struct sock *sk, int old, int new)
{
	return emit_wanted(sk, old, new);
}

SEC("tp/syscalls/sys_exit_connect")
int on_connect_exit(struct trace_event_raw_sys_exit *ctx)
{
	u32 zero = 0, tid = bpf_get_current_pid_tgid();
	struct conn *c = bpf_map_lookup_elem(&attempt, &zero);
	u64 *mark = bpf_map_lookup_elem(&connecting, &tid);
	u64 cookie = mark ? *mark : 0;

	if (!c)
		return 0;
	/* Nobody's, until it is known to be one. */
	c->opened_at = 0;
	if (mark)
		bpf_map_delete_elem(&connecting, &tid);
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

static __always_inline int emit_uncounted(const struct conn *c, enum span span, u32 wanted)
{
	struct connection *r;

	if (!wanted)
		return 0;
	COUNT(seen_spans);
	r = bpf_ringbuf_reserve(&spans, sizeof(*r), 0);
	if (!r) {
		COUNT(lost_spans);
		return 0;
	}
	r->wanted = wanted;
	read_uncounted(r, span, c);
	bpf_ringbuf_submit(r, wake_at_quarter(&spans));
	return 0;
}

/* Attached after every plugin's programs. */
SEC("tp/syscalls/sys_exit_connect")
int on_connect_emit(void *ctx)
{
	struct conn *c = attempt_of();

	return c ? emit_uncounted(c, SPAN_CONNECT, c->wanted_connect) : 0;
}

static __always_inline void read_acceptor(struct conn *c, s32 fd, u64 now)
{
	read_current_owner(c, OWNER_ACCEPT);
	if (is_own(c) && !c->excluded)
		exclude(c);
	c->accept_fd = fd;
	c->accepted_at = now;
}

/* The connection stays queued until it is used: a system call's tracepoint can't reach its storage. */
static __always_inline void on_accept_return(struct conn *accepting, const struct sock *sk, s32 fd,
					     u64 now)
{
	struct conn *c = queued_conn(sk);

	if (!c)
		return;
	read_acceptor(c, fd, now);
	*accepting = *c;
	accepting->closed_at = 0;
	if (c->closed_at)
		bpf_map_delete_elem(&queue, &accepting->cookie);
}

static __always_inline int on_accept_end(long result)
{
	u64 now = bpf_ktime_get_boot_ns();
	u32 zero = 0;
	struct conn *c = bpf_map_lookup_elem(&accepting, &zero);

	if (!c)
		return 0;
	/* Nobody's, until it is known to be one. */
	c->accepted_at = 0;
	c->error = 0;
	if (result >= 0) {
		on_accept_return(c, socket_of(result), result, now);
	} else if (is_accept_failure(result) && read_failed_accept(c, -result, now)) {
		read_current_owner(c, OWNER_ACCEPT);
		c->excluded = is_own(c);
	}
	return 0;
}

static __always_inline int emit_accepting(void)
{
	struct conn *c = accepting_of();

	return c && c->accepted_at ? emit_uncounted(c, SPAN_ACCEPT, c->wanted_accept) : 0;
}

SEC("tp/syscalls/sys_exit_accept4")
int on_accept4_exit(struct trace_event_raw_sys_exit *ctx)
{
	return on_accept_end(ctx->ret);
}

SEC("tp/syscalls/sys_exit_accept")
int on_accept_exit(struct trace_event_raw_sys_exit *ctx)
{
	return on_accept_end(ctx->ret);
}

/* Attached after every plugin's programs. */
SEC("tp/syscalls/sys_exit_accept4")
int on_accept4_emit(void *ctx)
{
	return emit_accepting();
}

SEC("tp/syscalls/sys_exit_accept")
int on_accept_emit(void *ctx)
{
	return emit_accepting();
}

/* Where the kernel lets functions be watched, the socket itself is at hand, but not its descriptor. */
static __always_inline int on_accepted(struct sock *child)
{
	struct tcp_sock *tp;
	struct conn *c;

	c = bpf_sk_storage_get(&conns, child, NULL, 0);
	tp = bpf_skc_to_tcp_sock(child);
	if (!c || !tp || c->direction != DIRECTION_INBOUND || c->accepted_at || c->closed_at)
		return 0;
	if (!c->established_at) {
		/* With Fast Open it is accepted while its handshake goes on. */
		read_ends(&c->ends, tp);
		read_isns(c, tp);
	}
	read_acceptor(c, -1, bpf_ktime_get_boot_ns());
	return 0;
}

static __always_inline int emit_accepted(struct sock *child)
{
	struct conn *c = conn_of(child);

	if (!c || !c->accepted_at || !c->wanted_accept)
		return 0;
	emit(child, c, SPAN_ACCEPT, c->wanted_accept);
	c->wanted_accept = 0;
	return 0;
}

/*
 * Where accept() gives the connection its socket: the function is called by calls, too, that were blocked before
 * it was watched, which a fexit of the whole call would miss. Of programs on one function the last to be
 * attached runs first: so the emitter is attached before the plugins' programs, and the other after them.
 */
SEC("fentry/security_sock_graft")
int BPF_PROG(on_graft, struct sock *sk)
{
	u32 zero = 0;
	struct conn *accepting_here = bpf_map_lookup_elem(&accepting, &zero);

	if (sk->sk_protocol == IPPROTO_TCP)
		return on_accepted(sk);
	if (!accepting_here)
		return 0;
	accepting_here->accepted_at = 0;
	accepting_here->error = 0;
	if (sk->sk_protocol == IPPROTO_MPTCP)
		on_accept_return(accepting_here, sk, -1, bpf_ktime_get_boot_ns());
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

/* The holder's facts, read from outside. */
static __always_inline void read_holder(struct task *t, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct cgroup *group = task->cgroups->dfl_cgrp;

	t->pid = task->tgid;
	t->tid = task->pid;
	t->uid = task->cred->uid.val;
	t->cgroup_id = group->kn->id;
	t->started_at = leader->start_boottime;
	bpf_probe_read_kernel_str(t->comm, sizeof(t->comm), task->comm);
	read_exe(&t->exe, task);
	t->cgroups = 0;
	for (int i = 0; i < WATCHED_CGROUPS; i++) {
		struct cgroup *ancestor = NULL;
		u32 level = live.cgroups[i].level;

		if (!live.cgroups[i].used)
			break;
		bpf_core_read(&ancestor, sizeof(ancestor), &group->ancestors[level]);
		if (ancestor && BPF_CORE_READ(ancestor, kn, id) == live.cgroups[i].id)
			t->cgroups |= 1u << i;
	}
}

/* Run once at start: the sockets that processes hold already, in every network namespace. */
SEC("iter/task_file")
int seed(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct tcp_sock *tp;
	struct sock *sk;
	struct conn *c;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	sk = socket ? socket->sk : NULL;
	if (!sk || sk->sk_protocol != IPPROTO_TCP || sk->__sk_common.skc_state == TCP_CLOSE)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!tp || !c || c->owner.pid)
		return 0;
	read_holder(&c->owner, task);
	read_actor(&c->user, &c->owner);
	c->owner_source = OWNER_HOLDER;
	if (sk->__sk_common.skc_state == TCP_LISTEN) {
		c->owner_source = OWNER_LISTENER;
		c->cookie = bpf_get_socket_cookie(sk);
		read_netns(c, sk);
		c->excluded = is_own(c);
		return 0;
	}
	read_older(c, sk, tp);
	if (is_own(c))
		exclude(c);
	return 0;
}

/* The agent's own process number as the kernel has it, whatever namespace the agent lives in. */
SEC("syscall")
int whoami(void *ctx)
{
	return bpf_get_current_pid_tgid() >> 32;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
