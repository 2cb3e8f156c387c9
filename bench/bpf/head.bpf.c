// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The search for a traceparent in a head of 1 KiB, and an empty loop for comparison.
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
/* Of the shared maps it only needs scratch memory. */
#pragma clang diagnostic ignored "-Wunused-function"
#include "../../bpf/context/http1.h"

struct taken {
	u64 times;
	/* Nanoseconds for that many searches, and for the same number of empty calls. */
	u64 searched;
	u64 nothing;
	u64 found;
};

#define HEAD 1024
/* Offset of the line: at the end, which is the worst case. */
#define AT (TAIL + HEAD - 72)

const char line[] =
	"\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";

static long search(u32 i, u64 *found)
{
	struct scratch *s = scratch_of(SCRATCH_SEND);
	struct entry e = {};

	if (s && !read_head(&e, s, TAIL, TAIL + HEAD))
		(*found)++;
	return 0;
}

static long do_nothing(u32 i, u64 *found)
{
	return scratch_of(SCRATCH_SEND) ? 0 : 1;
}

SEC("syscall")
int measure(struct taken *t)
{
	struct scratch *s = scratch_of(SCRATCH_SEND);
	u64 found = 0, begun;

	if (!s)
		return 1;
	for (u32 i = 0; i < TAIL + HEAD; i++)
		s->bytes[MASKED(i, SCRATCH_MASK)] = i % 64 == 63 ? '\n' : 'a';
	for (u32 i = 0; i < sizeof(line) - 1; i++)
		s->bytes[AT - 5 + i] = line[i];
	begun = bpf_ktime_get_ns();
	bpf_loop(t->times, do_nothing, &found, 0);
	t->nothing = bpf_ktime_get_ns() - begun;
	begun = bpf_ktime_get_ns();
	bpf_loop(t->times, search, &found, 0);
	t->searched = bpf_ktime_get_ns() - begun;
	t->found = found;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
