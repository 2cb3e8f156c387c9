/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The current task's system call, and the sockets of its arguments. */
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct call {
	/* Differs by architecture; -1: none. */
	s64 number;
	u64 argument[3];
};

enum { CALL_LISTEN_X86 = 50, CALL_LISTEN_ARM64 = 201 };

static __always_inline void read_call(struct call *call)
{
	const void *regs = (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	const struct pt_regs___x86 *x86 = regs;
	const struct pt_regs___arm64 *arm64 = regs;

	call->number = -1;
	if (bpf_core_field_exists(x86->di)) {
		call->number = BPF_CORE_READ(x86, orig_ax);
		call->argument[0] = BPF_CORE_READ(x86, di);
		call->argument[1] = BPF_CORE_READ(x86, si);
		call->argument[2] = BPF_CORE_READ(x86, dx);
	} else if (bpf_core_field_exists(arm64->orig_x0)) {
		call->number = BPF_CORE_READ(arm64, syscallno);
		call->argument[0] = BPF_CORE_READ(arm64, orig_x0);
		call->argument[1] = BPF_CORE_READ(arm64, regs[1]);
		call->argument[2] = BPF_CORE_READ(arm64, regs[2]);
	}
}

static __always_inline bool is_listen(const struct call *call)
{
	const struct pt_regs___x86 *x86 = NULL;

	return call->number ==
	       (bpf_core_field_exists(x86->di) ? CALL_LISTEN_X86 : CALL_LISTEN_ARM64);
}

/*
 * The verifier does not trust the result: read it as plain memory. Do not call it if the system call itself failed with
 * EBADF or ENOTSOCK.
 */
static __always_inline const struct sock *socket_of(u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files, *file = NULL;
	struct socket *socket;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	files = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}
