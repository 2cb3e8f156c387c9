/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The kernel enters no program that runs on this CPU already, so of a hook that is reached in a system call and,
 * meanwhile, in a packet's interrupt, the second event would be lost. A second program of a kind, attached next,
 * sees what the first was not entered for. (Changes of state have theirs in the core: chain.h.)
 */
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Far more than can interrupt each other. */
#define MARKS 8

/* The events that the first program was entered for and that the second has not met yet: a stack. */
struct marks {
	u32 depth;
	u64 events[MARKS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct marks);
} marks SEC(".maps");

static __always_inline void mark(u64 event)
{
	u32 zero = 0, top;
	struct marks *m = bpf_map_lookup_elem(&marks, &zero);

	if (!m)
		return;
	top = m->depth < MARKS ? m->depth : 0;
	m->events[MASKED(top, MARKS - 1)] = event;
	m->depth = top + 1;
}

/* What lies above it interrupted this event, and is over. */
static __always_inline bool is_marked(u64 event)
{
	u32 zero = 0;
	struct marks *m = bpf_map_lookup_elem(&marks, &zero);

	if (!m)
		return true;
#pragma unroll
	for (u32 i = 0; i < MARKS; i++) {
		u32 at = m->depth - 1 - i;

		if (at < MARKS && m->events[MASKED(at, MARKS - 1)] == event) {
			m->depth = at;
			return true;
		}
	}
	return false;
}

/*
 * Both programs: `name` and `name`_again. `event` is the address that tells the event from those that interrupt
 * it, or NULL where it is nobody's. `see` is a call in terms of the arguments and of `interrupts`: then what is
 * kept for each CPU must be apart.
 */
#define TWO_PROGRAMS(hook, name, event, see, ...)         \
	SEC(hook) int BPF_PROG(name, __VA_ARGS__)         \
	{                                                 \
		const bool interrupts = false;            \
		u64 event_ = (u64)(event);                \
                                                          \
		if (!event_)                              \
			return 0;                         \
		mark(event_);                             \
		see;                                      \
		return 0;                                 \
	}                                                 \
	SEC(hook) int BPF_PROG(name##_again, __VA_ARGS__) \
	{                                                 \
		const bool interrupts = true;             \
		u64 event_ = (u64)(event);                \
                                                          \
		if (event_ && !is_marked(event_))         \
			see;                              \
		return 0;                                 \
	}
