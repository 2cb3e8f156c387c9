/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

#include <wirespan/executable.h>
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* A task and its process. */
struct task {
	u32 pid;
	u32 tid;
	u32 uid;
	/* Bit i: inside the subtree of watched cgroup i. */
	u32 cgroups;
	u64 cgroup_id;
	/* Its mount namespace, as /proc/PID/ns/mnt numbers it. */
	u32 mntns;
	/* The key for its sums, see workload_of; 0: unknown. */
	u32 workload;
	/* The process's start on the boot clock; distinguishes reused pids. */
	u64 started_at;
	char comm[16];
	/* The executable's name: see executable.h. */
	u64 exe;
};

/* A task by pid, tid and comm only. */
struct actor {
	u32 pid;
	u32 tid;
	char comm[16];
};

/*
 * Marks the number of a process image (one program that a process runs). An image has its own sums until the agent has
 * found its workload; from then on they are the workload's.
 */
#define IMAGE 0x80000000u

/* Numbers of workloads by number of image. Written by the agent only. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, u32);
} workloads SEC(".maps");

/* The key of a task's sums. */
static __always_inline u32 workload_of(const struct task *t)
{
	u32 number = t->workload, *workload;

	if (!(number & IMAGE))
		return number;
	workload = bpf_map_lookup_elem(&workloads, &number);
	return workload ? *workload : number;
}

/* The cgroups that filters name: level below the root, and id. Written by the agent at any time. */
struct watched_cgroup {
	u64 id;
	u32 level;
	u32 used;
};
#define WATCHED_CGROUPS 16

struct cgroup_search {
	const volatile struct watched_cgroup *cgroups;
	u32 found;
};

static long match_cgroup(u32 i, struct cgroup_search *search)
{
	const volatile struct watched_cgroup *cgroup =
		search->cgroups + MASKED(i, WATCHED_CGROUPS - 1);

	if (!cgroup->used)
		return 1;
	if (bpf_get_current_ancestor_cgroup_id(cgroup->level) == cgroup->id)
		search->found |= 1u << MASKED(i, WATCHED_CGROUPS - 1);
	return 0;
}

static __always_inline u32 watched(const volatile struct watched_cgroup *cgroups)
{
	struct cgroup_search search = { .cgroups = cgroups };

	if (cgroups[0].used)
		bpf_loop(WATCHED_CGROUPS, match_cgroup, &search, 0);
	return search.found;
}

/* Without a helper; the kernel pads the name with zeros. */
static __always_inline void read_comm(char comm[16], const struct task_struct *task)
{
	const u64 *words = (const u64 *)task->comm;

	((u64 *)comm)[0] = words[0];
	((u64 *)comm)[1] = words[1];
}

/* The fields that need no pointer chasing: not the process's start, its executable and its mount namespace. */
static __always_inline void read_task_fast(struct task *t,
					   const volatile struct watched_cgroup *cgroups)
{
	const struct task_struct *current = bpf_get_current_task_btf();

	t->pid = current->tgid;
	t->tid = current->pid;
	t->uid = bpf_get_current_uid_gid();
	t->cgroups = watched(cgroups);
	t->cgroup_id = bpf_get_current_cgroup_id();
	t->workload = 0;
	read_comm(t->comm, current);
}

static __always_inline void read_task(struct task *t, const volatile struct watched_cgroup *cgroups)
{
	struct task_struct *current = bpf_get_current_task_btf();

	read_task_fast(t, cgroups);
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
