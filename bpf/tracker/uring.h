/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The end of an accept() by io_uring: no system call returns; the result is put into the ring. */
#include "accept_syscall.h"

/* uapi/linux/io_uring.h */
enum { IORING_OP_ACCEPT = 13 };
enum { IORING_CQE_F_BUFFER = 1, IORING_CQE_F_MORE = 2 };
#define IORING_FILE_INDEX_ALLOC (~0u)
/* The low bits of a pointer to a registered file are flags. */
#define REGISTERED_FLAGS 7ul

struct completion {
	const struct io_ring_ctx *ring;
	/* NULL: one of several results of a multishot request. */
	const struct io_kiocb *request;
	s32 result;
	u32 flags;
};

/*
 * For a multishot request only the result is known. Requests that select buffers are not accepts, and results of others
 * (poll, timeouts) are not descriptors of connections that wait to be accepted.
 */
static __always_inline bool may_be_accept(const struct completion *e)
{
	const struct io_kiocb *request = e->request;

	if (request)
		return BPF_CORE_READ(request, opcode) == IORING_OP_ACCEPT;
	return e->result >= 0 && e->flags & IORING_CQE_F_MORE && !(e->flags & IORING_CQE_F_BUFFER);
}

static __always_inline const struct sock *socket_of_file(const struct file *file)
{
	const struct socket *socket = BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(socket, sk);
}

/* The socket of a file that is registered with the ring and has no descriptor. */
static __always_inline const struct sock *registered_socket(const struct io_ring_ctx *ring,
							    u32 slot)
{
	const struct io_ring_ctx___files *older = (const void *)ring;
	struct io_rsrc_node **nodes, *node = NULL;
	struct io_fixed_file *files;
	unsigned long file = 0;

	/* Since Linux 6.13. */
	if (bpf_core_field_exists(ring->file_table.data)) {
		if (slot >= BPF_CORE_READ(ring, file_table.data.nr))
			return NULL;
		nodes = BPF_CORE_READ(ring, file_table.data.nodes);
		bpf_probe_read_kernel(&node, sizeof(node), nodes + slot);
		file = BPF_CORE_READ(node, file_ptr);
	} else if (bpf_core_field_exists(older->file_table.files)) {
		if (slot >= BPF_CORE_READ(older, nr_user_files))
			return NULL;
		files = BPF_CORE_READ(older, file_table.files);
		bpf_probe_read_kernel(&file, sizeof(file), files + slot);
	}
	return file ? socket_of_file((const void *)(file & ~REGISTERED_FLAGS)) : NULL;
}

/* The accepted connection, and its descriptor; -1: none. */
static __always_inline const struct sock *accepted_socket(const struct completion *e, s32 *fd)
{
	const struct io_accept *accept = (const void *)e->request;
	u32 slot = accept ? BPF_CORE_READ(accept, file_slot) : 0;
	const struct sock *sk;

	*fd = -1;
	if (slot)
		return registered_socket(e->ring,
					 slot == IORING_FILE_INDEX_ALLOC ? e->result : slot - 1);
	sk = socket_of(e->result);
	if (e->request || queued_conn(sk)) {
		*fd = e->result;
		return sk;
	}
	return registered_socket(e->ring, e->result);
}
