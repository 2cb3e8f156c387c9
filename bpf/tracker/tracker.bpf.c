// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The only writer of connection state: attached before every plugin's programs, its emitter after them.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "shared.h"
#include "older.h"
#include "states.h"
#include "changes.h"
#include "first_use.h"
#include "emit.h"
#include "accept.h"
#include "survey.h"
#include "symbol.h"

/* Reads the holder, which is not the current task. */
static __always_inline void read_holder(struct task *t, struct task_struct *task)
{
	struct cgroup *group = BPF_CORE_READ(task, cgroups, dfl_cgrp);

	t->pid = task->tgid;
	t->tid = task->pid;
	t->uid = BPF_CORE_READ(task, cred, uid.val);
	t->cgroup_id = BPF_CORE_READ(group, kn, id);
	t->mntns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	t->started_at = BPF_CORE_READ(task, group_leader, start_boottime);
	bpf_probe_read_kernel_str(t->comm, sizeof(t->comm), task->comm);
	t->exe = read_exe(task, NULL);
	keep_number(task, &runtime_config.space);
	t->cgroups = 0;
	for (int i = 0; i < WATCHED_CGROUPS; i++) {
		struct cgroup *ancestor = NULL;
		u32 level = runtime_config.cgroups[i].level;

		if (!runtime_config.cgroups[i].used)
			break;
		bpf_core_read(&ancestor, sizeof(ancestor), &group->ancestors[level]);
		if (ancestor && BPF_CORE_READ(ancestor, kn, id) == runtime_config.cgroups[i].id)
			t->cgroups |= 1u << i;
	}
}

/* Reports a holder that was not seen before, as `processes` does for the current task. */
static __always_inline void meet_holder(struct task *t, struct task_struct *task,
					struct seq_file *seq)
{
	struct known_process now = { .exec_id = task->self_exec_id }, *before;
	struct nsproxy *nsproxy = NULL;
	u32 pid = t->pid;

	before = bpf_map_lookup_elem(&known_processes, &pid);
	if (before && before->started_at == t->started_at && before->exec_id == now.exec_id) {
		t->workload = before->workload;
		return;
	}
	bpf_core_read(&nsproxy, sizeof(nsproxy), &task->nsproxy);
	now.started_at = t->started_at;
	now.nsproxy = (u64)nsproxy;
	now.mntns = t->mntns;
	t->workload = now.workload = next_image();
	now.exe = t->exe;
	bpf_map_update_elem(&known_processes, &pid, &now, BPF_ANY);
	COUNT(seen_processes);
	bpf_seq_write(seq, t, sizeof(*t));
}

/* Runs once at start: the sockets that processes hold, in every network namespace. */
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
	meet_holder(&c->owner, task, ctx->meta->seq);
	read_actor(&c->user, &c->owner);
	c->owner_source = OWNER_HOLDER;
	if (sk->__sk_common.skc_state == TCP_LISTEN) {
		c->owner_source = OWNER_LISTENER;
		c->state = TCP_LISTEN;
		c->cookie = bpf_get_socket_cookie(sk);
		read_netns(c, sk);
		c->excluded = is_own(c);
		return 0;
	}
	read_older(c, sk, tp);
	if (is_own(c))
		exclude(c);
	keep_tuple(c);
	return 0;
}

/* Runs when a plugin first requires `tuples`: adds all known connections. */
SEC("iter/bpf_sk_storage_map")
int keep_living(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct conn *c = known_at(ctx->sk);

	if (c)
		keep_tuple(c);
	return 0;
}

/* Cgroups below those newly named by a filter, and their bits; filled for a run of `relabel_owners`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u32);
} cgroup_bits SEC(".maps");

/* Updates owners that were seen before their cgroups were watched. */
SEC("iter/bpf_sk_storage_map")
int relabel_owners(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct conn *c = known_at(ctx->sk);
	u32 *bits, cgroups;
	u64 cgroup;

	if (!c)
		return 0;
	cgroup = c->owner.cgroup_id;
	bits = bpf_map_lookup_elem(&cgroup_bits, &cgroup);
	cgroups = (c->owner.cgroups & ~runtime_config.freed_cgroups) | (bits ? *bits : 0);
	if (cgroups != c->owner.cgroups)
		c->owner.cgroups = cgroups;
	return 0;
}

struct whoami {
	/* The agent's pid in the initial pid namespace. */
	u32 pid;
	/* The level of its own pid namespace, and the inode of the one at the requested level. */
	u32 level;
	u32 asked;
	u32 inode;
};

SEC("syscall")
int whoami(struct whoami *w)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct pid *pid = BPF_CORE_READ(current, group_leader, thread_pid);
	struct upid upid = upid_at(pid, w->asked);

	w->pid = bpf_get_current_pid_tgid() >> 32;
	w->level = BPF_CORE_READ(pid, level);
	w->inode = BPF_CORE_READ(upid.ns, ns.inum);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
