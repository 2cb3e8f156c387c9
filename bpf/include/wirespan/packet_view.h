/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* A packet's bytes, linear or paged. For tracing programs only on Linux 6.12 and later: check for bpf_dynptr_from_skb. */
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>

struct bpf_dynptr {
	u64 opaque[2];
} __attribute__((aligned(8)));

/* The addon puts the kernel's function in place of this number (native/src/tracing.cc). */
static int (*const bpf_dynptr_from_skb)(struct sk_buff *skb, u64 flags,
					struct bpf_dynptr *packet) = (void *)0x7b7f0001;
