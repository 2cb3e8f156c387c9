/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The agent's /proc numbers of processes by the kernel's numbers. They differ if the agent is not in the initial pid
 * namespace, as in a container without hostPID.
 */
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* A pid namespace: its level, and its inode. Level 0 is the initial one. */
struct pid_space {
	u32 level;
	u32 inode;
};

/* Sized by the agent. Processes outside the agent's namespace have no row. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} pid_numbers SEC(".maps");

static __always_inline struct upid upid_at(const struct pid *pid, u32 level)
{
	struct upid upid = {};

	if (level <= BPF_CORE_READ(pid, level))
		bpf_core_read(&upid, sizeof(upid), &pid->numbers[level]);
	return upid;
}

static __always_inline void keep_number(struct task_struct *task, const struct pid_space *space)
{
	struct upid upid;
	u32 pid;

	if (!space->level)
		return;
	upid = upid_at(BPF_CORE_READ(task, group_leader, thread_pid), space->level);
	if (!upid.nr || BPF_CORE_READ(upid.ns, ns.inum) != space->inode)
		return;
	pid = BPF_CORE_READ(task, tgid);
	bpf_map_update_elem(&pid_numbers, &pid, &upid.nr, BPF_ANY);
}
