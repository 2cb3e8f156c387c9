// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Acts as the two programs of bpf/include/wirespan/reentrancy.h, for its test.
#include <wirespan/kernel.h>
#include <wirespan/reentrancy.h>

struct context {
	u64 event;
};

SEC("syscall")
int first(struct context *ctx)
{
	push_event(ctx->event);
	return 0;
}

/* Whether the first has seen it. */
SEC("syscall")
int second(struct context *ctx)
{
	return pop_event(ctx->event);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
