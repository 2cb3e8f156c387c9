// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Threads that end, individually and as a count. Hook: tp_btf/sched_process_exit.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <wirespan/ring.h>
#include <wirespan/skeleton.h>

struct counters {
	u64 seen_exits;
	u64 lost_exits;
};
EXPORT_COUNTERS(struct counters);

struct exit {
	u64 ended_at;
	u32 pid;
	u32 status;
	u32 signal;
	char comm[16];
};
EXPORT_RING(exits, struct exit, 65536);

enum how { HOW_RETURNED, HOW_FAILED, HOW_KILLED };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4);
	__type(key, enum how);
	__type(value, u64);
} totals SEC(".maps");
EXPORT_TABLE(totals, enum how, u64);

/* False: only processes. */
const volatile bool threads = false;

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	u64 first = 1, *total;
	struct exit *e;
	enum how how;

	if (!threads && task->pid != task->tgid)
		return 0;
	COUNT(seen_exits);
	how = task->exit_code & 0x7f ? HOW_KILLED : task->exit_code ? HOW_FAILED : HOW_RETURNED;
	total = bpf_map_lookup_elem(&totals, &how);
	if (total)
		(*total)++;
	else
		bpf_map_update_elem(&totals, &how, &first, BPF_NOEXIST);
	e = RESERVE(exits);
	if (!e)
		return 0;
	e->ended_at = bpf_ktime_get_boot_ns();
	e->pid = task->tgid;
	e->status = task->exit_code >> 8 & 0xff;
	e->signal = task->exit_code & 0x7f;
	bpf_probe_read_kernel_str(e->comm, sizeof(e->comm), task->comm);
	SUBMIT(exits, e);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
