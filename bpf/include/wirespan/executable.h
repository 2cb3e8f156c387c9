/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Executables by a number: a keyed hash of the whole base name, which may have 255 bytes. The number is what
 * tasks and keys of sums carry; the names are in a table of the tracker's, where the agent finds them even if
 * the process has ended.
 */
#include <wirespan/kernel.h>
#include <wirespan/siphash.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* A secret that the agent creates at start, so that no one can choose names with equal hashes. */
const volatile struct siphash_key name_key = {};

struct executable {
	/* Ends with a NUL. */
	char name[256];
};

/* A name that does not fit is counted; its number is used all the same. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct executable);
} executables SEC(".maps");

/* A new row: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct executable);
} blank_name SEC(".maps");

/* Exact in a double. */
#define EXECUTABLE_BITS 53

/* False: the table is full. */
static __always_inline bool keep_name(u64 number, const unsigned char *name)
{
	struct executable *row = bpf_map_lookup_elem(&executables, &number), *blank;
	u32 zero = 0;

	if (!row) {
		blank = bpf_map_lookup_elem(&blank_name, &zero);
		if (!blank)
			return false;
		bpf_map_update_elem(&executables, &number, blank, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&executables, &number);
	}
	if (!row)
		return false;
	if (!row->name[0])
		bpf_probe_read_kernel_str(row->name, sizeof(row->name), name);
	return true;
}

#define NAME_PART ((u32)sizeof(struct siphash_part))

struct name_hash {
	struct siphash hash;
	/* The name's address, and its length without the NUL. */
	u64 name;
	u32 length;
	bool is_unreadable;
};

static long hash_part(u32 i, struct name_hash *h)
{
	struct siphash_part part = {};
	u32 at = i * NAME_PART, size = h->length - at;

	if (at >= h->length)
		return 1;
	/* Else the compiler compares `length`, and the verifier of Linux 6.1 does not know how large `size` is. */
	barrier_var(size);
	if (size > NAME_PART)
		size = NAME_PART;
	if (bpf_probe_read_kernel(&part, size, (void *)h->name + at)) {
		h->is_unreadable = true;
		return 1;
	}
	siphash_add_part(&h->hash, &part);
	return 0;
}

/*
 * 0: a kernel thread has none. Pointers are read by helper here and in conn.h: for each step from one that it
 * trusts, the verifier of Linux 6.4 to 6.19 searches the kernel's types by name, up to four times from end to
 * end, which is 2 ms.
 */
static __always_inline u64 read_exe(struct task_struct *task, bool *is_full)
{
	struct dentry *dentry = BPF_CORE_READ(task, mm, exe_file, f_path.dentry);
	struct name_hash h = {};
	u64 number;

	if (!dentry)
		return 0;
	h.name = (u64)BPF_CORE_READ(dentry, d_name.name);
	h.length = BPF_CORE_READ(dentry, d_name.len) & 0xff;
	siphash_begin(&h.hash, name_key.k0, name_key.k1);
	bpf_loop(256 / NAME_PART, hash_part, &h, 0);
	if (h.is_unreadable)
		return 0;
	number = siphash_end(&h.hash, h.length) >> (64 - EXECUTABLE_BITS);
	number |= !number;
	if (!keep_name(number, (const void *)h.name) && is_full)
		*is_full = true;
	return number;
}
