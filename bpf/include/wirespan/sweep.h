/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * At each collection one iterator visits all sockets with a struct conn, in every network namespace. The tracker's
 * program runs first and tail-calls the `sweep` program of each plugin in turn (core/bridge/tail-chain.ts), so that
 * the sockets are walked once. After the last socket all of them run once more without one. A plugin's `sweep` is also
 * run on its own after the plugin has been stopped.
 */
#include <wirespan/conn.h>
#include <wirespan/kernel.h>
#include <wirespan/skeleton.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} next_sweep SEC(".maps");

/* Defines a plugin's program; `see` takes the iterator's context. */
#define SWEEP_PROGRAM(see)                                  \
	CHAIN_LINK(sweep, 1);                               \
	SEC("iter/bpf_sk_storage_map")                      \
	int sweep(struct bpf_iter__bpf_sk_storage_map *ctx) \
	{                                                   \
		see(ctx);                                   \
		bpf_tail_call_static(ctx, &next_sweep, 0);  \
		return 0;                                   \
	}

/* Precedes each row. The owner is the `plugin_bit` of the plugin that wrote the row, or 0. */
struct row_header {
	u32 owner;
	u32 bytes;
};

/* Maximum size of the rows of all programs for one socket. */
#define ROOM_FOR_ROWS 2048

static __always_inline void write_row(struct bpf_iter__bpf_sk_storage_map *ctx, const void *row,
				      u32 bytes)
{
	struct row_header header = { plugin_bit, bytes };
	struct seq_file *seq = ctx->meta->seq;

	bpf_seq_write(seq, &header, sizeof(header));
	bpf_seq_write(seq, row, bytes);
}
