/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include "executable.h"
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Who did something: a task, and the process it is of. */
struct task {
	u32 pid;
	u32 tid;
	u32 uid;
	/* Bit i: inside the subtree of watched cgroup i. */
	u32 cgroups;
	u64 cgroup_id;
	/* Its mount namespace, as /proc/PID/ns/mnt numbers it. */
	u32 mntns;
	u32 padding;
	/* The process's start on the boot clock; tells reused pids apart. */
	u64 started_at;
	char comm[16];
	/* The executable's name: see executable.h. */
	u64 exe;
};

/* A task whose name will do. */
struct actor {
	u32 pid;
	u32 tid;
	char comm[16];
};

/* Cgroups that some filter names: level below the root, and id. Filled by the agent at any time. */
struct watched_cgroup {
	u64 id;
	u32 level;
	u32 used;
};
#define WATCHED_CGROUPS 16

static __always_inline u32 watched(const volatile struct watched_cgroup *cgroups)
{
	u32 found = 0;

	for (int i = 0; i < WATCHED_CGROUPS; i++) {
		if (!cgroups[i].used)
			break;
		if (bpf_get_current_ancestor_cgroup_id(cgroups[i].level) == cgroups[i].id)
			found |= 1u << i;
	}
	return found;
}

/* All that is near: not the process's start, its executable and its mount namespace. */
static __always_inline void read_task(struct task *t, const volatile struct watched_cgroup *cgroups)
{
	u64 id = bpf_get_current_pid_tgid();

	t->pid = id >> 32;
	t->tid = id;
	t->uid = bpf_get_current_uid_gid();
	t->cgroups = watched(cgroups);
	t->cgroup_id = bpf_get_current_cgroup_id();
	t->padding = 0;
	bpf_get_current_comm(t->comm, sizeof(t->comm));
}

static __always_inline void read_current(struct task *t,
					 const volatile struct watched_cgroup *cgroups)
{
	struct task_struct *current = bpf_get_current_task_btf();

	read_task(t, cgroups);
	t->mntns = BPF_CORE_READ(current, nsproxy, mnt_ns, ns.inum);
	t->started_at = BPF_CORE_READ(current, group_leader, start_boottime);
	t->exe = read_exe(current, NULL);
}

static __always_inline void read_actor(struct actor *a, const struct task *t)
{
	a->pid = t->pid;
	a->tid = t->tid;
	__builtin_memcpy(a->comm, t->comm, sizeof(a->comm));
}
