/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* What the tracker's programs share: settings that the agent writes, rings, counters, and processes seen for the first time. */
#include "accept_syscall.h"
#include <wirespan/barrier.h>
#include <wirespan/conn.h>
#include <wirespan/conn_record.h>
#include "pid_number.h"
#include <wirespan/ring.h>
#include <wirespan/owner.h>
#include <wirespan/tuples.h>
#include <wirespan/skeleton.h>

/* What the agent may write at any time. */
struct {
	/* The agent's process as the kernel numbers it, and whether its sockets are excluded. */
	u32 self_pid;
	u32 excludes_self;
	/* Whether some plugin looks connections up by address. */
	u32 keeps_tuples;
	/* Bits of cgroups that `relabel_owners` clears for all owners: they are reused for others. */
	u32 freed_cgroups;
	/* The pid namespace of the agent's /proc. */
	struct pid_space space;
	/* The sockets that existed at the start are known: a new one without a row was not shown. */
	u32 seeded;
	/* The current search for rows without a socket (bpf/tracker/survey.h), and when it began. */
	u32 round;
	/* Whether sockets may carry trace contexts. */
	u32 correlates;
	u64 round_began_at;
	/* A trace is kept if the last 56 bits of its id are at least this. 0: all are kept. */
	u64 sampling_threshold;
	/* Connections and attempts that last longer are always kept; 0: off. */
	u64 slow_ns;
	/* Number of traces of a workload that are always kept per second. */
	u64 kept_rate;
	/* The page (viewer/): its port (0: none), and its network namespace, which is the agent's. */
	u32 page_port;
	u32 page_netns;
	struct watched_cgroup cgroups[WATCHED_CGROUPS];
} runtime_config;

/*
 * A connection at its end, with the contexts of requests that it carried: 16 bytes of trace id and 8 of span id each.
 */
struct linked_record {
	struct conn_record connection;
	u8 contexts[CONTEXTS * 24];
};

/* A record without contexts ends after its connection. */
EXPORT_RING(spans, struct linked_record, 256 * 1024);

/* A process that is seen for the first time, or runs another program than before. */
EXPORT_RING(processes, struct task, 64 * 1024);

struct counters {
	u64 seen_spans;
	u64 lost_spans;
	u64 seen_processes;
	u64 lost_processes;
	u64 excluded_self;
	u64 lost_connections;
	u64 lost_accepts;
	u64 lost_tuples;
	/* Programs whose names did not fit into the table of executables. */
	u64 lost_names;
	/*
	 * The balance of connections, one end each: those that were opened are open, have ended, or were not shown to
	 * end. Older ones count as opened when they are found.
	 */
	u64 opened_connections;
	u64 ended_connections;
	/* Changes of state that no program was shown, as the next change of the same socket proves. */
	u64 unseen_changes;
	/* Connections whose spans were wanted but not sampled (sampling.ratio). */
	u64 unsampled_connections;
	/* Connections that would always be kept, but whose workload has used up its share (sampling.rate). */
	u64 beyond_kept_rate;
};
EXPORT_COUNTERS(struct counters);

/* Cookies of sockets that have no storage because the kernel had no memory for it, so that each is counted once. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u8);
} refused_sockets SEC(".maps");

static __noinline int count_lost(struct sock *sk)
{
	u64 cookie = bpf_get_socket_cookie(sk);
	u8 one = 1;

	if (!bpf_map_update_elem(&refused_sockets, &cookie, &one, BPF_NOEXIST))
		COUNT(lost_connections);
	return 0;
}

static __noinline int is_counted_as_lost(struct sock *sk)
{
	u64 cookie = bpf_get_socket_cookie(sk);

	return bpf_map_lookup_elem(&refused_sockets, &cookie) != NULL;
}

/* Marked before it is counted: a concurrent sweep may find one too many, never one too few. */
static __always_inline void count_opened(struct conn *c)
{
	if (!c->counted && !__sync_val_compare_and_swap(&c->counted, 0, 1))
		COUNT(opened_connections);
}

/* How the ends of accept() are traced. */
const volatile bool has_on_graft = false;
const volatile bool has_on_accept_exit = false;

/* Attempts that fail without a change of state are traced. */
const volatile bool watch_connect_exits = false;

/* The cookie of the socket that a thread is connecting, once it left CLOSE. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u64);
} connect_by_tid SEC(".maps");

struct known_process {
	u64 started_at;
	u64 exec_id;
	/* The namespaces' address, and what it stands for. */
	u64 nsproxy;
	u32 mntns;
	u32 workload;
	u64 exe;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct known_process);
} known_processes SEC(".maps");

/* Images that did not fit into the ring, for the agent to look up. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct task);
} missed_births SEC(".maps");

/* Images seen so far. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} image_count SEC(".maps");

static __always_inline u32 next_image(void)
{
	u32 zero = 0;
	u64 *count = bpf_map_lookup_elem(&image_count, &zero);

	return count ? IMAGE | (u32)(__sync_fetch_and_add(count, 1) + 1) : 0;
}

/* By number of an image that was forked from another and has not called exec() since: that one's key for sums. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u32);
} origins SEC(".maps");

static __always_inline void note_origin(u32 image, u64 exec_id)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct task_struct *parent = BPF_CORE_READ(current, group_leader, real_parent);
	struct known_process *origin;
	u32 pid;

	if (!(BPF_CORE_READ(current, group_leader, flags) & PF_FORKNOEXEC))
		return;
	pid = BPF_CORE_READ(parent, tgid);
	origin = bpf_map_lookup_elem(&known_processes, &pid);
	/* exec() counts it up. */
	if (origin && origin->exec_id == exec_id &&
	    origin->started_at == BPF_CORE_READ(parent, group_leader, start_boottime))
		bpf_map_update_elem(&origins, &image, &origin->workload, BPF_ANY);
}

/* Reports an image that was not seen before. */
static __always_inline void meet(struct task *t, u32 pid, struct known_process *now)
{
	u32 image = next_image();
	struct task *record;
	bool is_full = false;

	t->exe = now->exe = read_exe(bpf_get_current_task_btf(), &is_full);
	if (is_full)
		COUNT(lost_names);
	t->workload = now->workload = image;
	bpf_map_update_elem(&known_processes, &pid, now, BPF_ANY);
	note_origin(image, now->exec_id);
	keep_number(bpf_get_current_task_btf(), &runtime_config.space);
	COUNT(seen_processes);
	record = RESERVE(processes);
	if (!record) {
		/* Linux 6.1 does not accept an argument as a map value. */
		struct task copy = *t;

		bpf_map_update_elem(&missed_births, &image, &copy, BPF_ANY);
		return;
	}
	*record = *t;
	/* Wakes the agent, once per process, so that it can read /proc while the process lives. */
	bpf_ringbuf_submit(record, 0);
}

/* Reads the current task; what needs many pointers is cached. Global: the verifier checks it once. */
__noinline int read_and_meet(struct task *t)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct known_process now = { .exec_id = current->self_exec_id }, *before;
	struct nsproxy *nsproxy = NULL;
	/* Linux 6.1 does not accept an argument as a map key. */
	u32 pid = current->tgid;

	if (!t)
		return 0;
	read_task_fast(t, runtime_config.cgroups);
	now.started_at = current->start_boottime;
	if (t->tid != t->pid)
		now.started_at = BPF_CORE_READ(current, group_leader, start_boottime);
	t->started_at = now.started_at;
	bpf_core_read(&nsproxy, sizeof(nsproxy), &current->nsproxy);
	now.nsproxy = (u64)nsproxy;
	before = bpf_map_lookup_elem(&known_processes, &pid);
	if (before && (before->started_at != now.started_at || before->exec_id != now.exec_id))
		before = NULL;
	if (before && before->nsproxy == now.nsproxy)
		now.mntns = before->mntns;
	else
		now.mntns = BPF_CORE_READ(nsproxy, mnt_ns, ns.inum);
	t->mntns = now.mntns;
	if (!before) {
		meet(t, pid, &now);
		return 0;
	}
	t->exe = before->exe;
	t->workload = before->workload;
	t->workload = before->workload = workload_of(t);
	return 0;
}

static __always_inline void read_current_owner(struct conn *c, enum owner_source source)
{
	read_and_meet(&c->owner);
	c->owner_source = source;
	read_actor(&c->user, &c->owner);
}

/*
 * Handshakes that an opener on this host has finished and whose acceptor was not seen yet, in the slot that the sequence
 * numbers hash to. A new one overwrites the old: the acceptor follows within microseconds, so few are lost.
 */
#define OPENED_BITS 13
enum {
	OPENED_HERE = 1,
	OPENED_BY_SELF,
	/* Here, and the opener's span is promised. */
	OPENED_AND_PROMISED,
	OPENED_MARKS = OPENED_AND_PROMISED,
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << OPENED_BITS);
	__type(key, u32);
	__type(value, u64);
} open_handshakes SEC(".maps");

/* Its slot, and the rest of the sequence numbers, exactly, with room for a mark. */
static __always_inline u64 *opener_slot(u32 opener, u32 acceptor, u64 *rest)
{
	/* An odd factor keeps the product unique. */
	u64 mixed = ((u64)opener << 32 | acceptor) * 0x9e3779b97f4a7c15ull;
	u32 slot = mixed >> (64 - OPENED_BITS);

	*rest = mixed << OPENED_BITS;
	return bpf_map_lookup_elem(&open_handshakes, &slot);
}

static __always_inline void mark_opened(const struct conn *c, u64 mark)
{
	u64 rest, *slot = opener_slot(c->own_isn, c->peer_isn, &rest);

	if (slot)
		*slot = rest | mark;
}

/* At ESTABLISHED or later; on the opener's side bytes_acked includes the SYN. */
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

/*
 * Whether it is a connection to the page, at this end or from this host; the endpoints must be known. This and others
 * here are global: they have many callers, and the verifier checks them once.
 */
__noinline int is_of_page(const struct conn *c)
{
	u32 port = runtime_config.page_port;

	if (!c || !port || c->netns != runtime_config.page_netns)
		return false;
	if (c->direction == DIRECTION_INBOUND)
		return c->ends.local_port == port;
	return c->ends.peer_port == port && has_loopback_peer(&c->ends);
}

static __always_inline bool is_own(const struct conn *c)
{
	return runtime_config.excludes_self &&
	       (c->owner.pid == runtime_config.self_pid || is_of_page(c));
}

__noinline int add_tuple(struct conn *c)
{
	struct conn_ref ref = { .address = (u64)c };
	struct tuple tuple;

	if (!c)
		return 0;
	ref.cookie = c->cookie;
	read_tuple(&tuple, c);
	if (bpf_map_update_elem(&tuples, &tuple, &ref, BPF_ANY)) {
		COUNT(lost_tuples);
		return 0;
	}
	c->has_tuple = true;
	full_barrier();
	/* It has just been closed on another CPU, which may not have seen the row. */
	if (*(const volatile u64 *)&c->closed_at)
		bpf_map_delete_elem(&tuples, &tuple);
	return 0;
}

__noinline int remove_tuple(struct conn *c)
{
	struct tuple tuple;

	if (!c)
		return 0;
	read_tuple(&tuple, c);
	c->has_tuple = false;
	bpf_map_delete_elem(&tuples, &tuple);
	return 0;
}

/* Called once it is known to be established. */
static __always_inline void keep_tuple(struct conn *c)
{
	if (runtime_config.keeps_tuples && c->established_at && !c->closed_at && !c->has_tuple)
		add_tuple(c);
}

static __always_inline void exclude(struct conn *c)
{
	c->excluded = true;
	COUNT(excluded_self);
}

/* Makes the current task the owner of an accepted connection. */
static __always_inline void take_over(struct conn *c, enum owner_source source)
{
	/* Also for the same process: its user, name or thread may have changed since it listened. */
	read_current_owner(c, source);
	if (is_own(c) && !c->excluded)
		exclude(c);
}
