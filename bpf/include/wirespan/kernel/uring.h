/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* io_uring. */
#include <wirespan/kernel/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/io_uring_types.h, io_uring/rsrc.h, io_uring/net.c */
struct io_rsrc_node {
	unsigned long file_ptr;
};

struct io_rsrc_data {
	u32 nr;
	struct io_rsrc_node **nodes;
};

struct io_file_table {
	struct io_rsrc_data data;
};

struct io_ring_ctx {
	struct io_file_table file_table;
};

struct io_fixed_file {
	unsigned long file_ptr;
};

struct io_file_table___files {
	struct io_fixed_file *files;
};

struct io_ring_ctx___files {
	struct io_file_table___files file_table;
	u32 nr_user_files;
};

struct io_kiocb {
	struct file *file;
	u8 opcode;
};

struct io_accept {
	u32 file_slot;
};

struct io_uring_cqe {
	s32 res;
	u32 flags;
};

#pragma clang attribute pop
