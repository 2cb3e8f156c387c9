/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The kernel does not enter a program that is already running on this CPU: if a packet's interrupt reaches the same hook
 * during a system call, the second event is lost. Therefore a second program is attached after the first one, for the
 * events that the first was not entered for: it calls the first (second_program.h). (For state changes, the tracker has
 * one: chain.h.)
 */
#include <wirespan/kernel.h>
#include <wirespan/second_program.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Far more events than can interrupt each other. */
#define NESTED_EVENTS 8

/* A stack of events that the first program has seen and the second has not. */
struct event_stack {
	u32 depth;
	u64 events[NESTED_EVENTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct event_stack);
} entered_events SEC(".maps");

static __always_inline void push_event(u64 event)
{
	u32 zero = 0, top;
	struct event_stack *s = bpf_map_lookup_elem(&entered_events, &zero);

	if (!s)
		return;
	top = s->depth < NESTED_EVENTS ? s->depth : 0;
	s->events[MASKED(top, NESTED_EVENTS - 1)] = event;
	s->depth = top + 1;
}

/* False: the first program was not entered for it. Events above it in the stack interrupted it and have ended. */
static __always_inline bool pop_event(u64 event)
{
	u32 zero = 0;
	struct event_stack *s = bpf_map_lookup_elem(&entered_events, &zero);

	if (!s)
		return true;
#pragma unroll
	for (u32 i = 0; i < NESTED_EVENTS; i++) {
		u32 at = s->depth - 1 - i;

		if (at < NESTED_EVENTS && s->events[MASKED(at, NESTED_EVENTS - 1)] == event) {
			s->depth = at;
			return true;
		}
	}
	return false;
}

/*
 * Defines both programs, `name` and `name`_nested. `event` is an address that identifies the event among those that
 * interrupt it, or NULL if it is to be ignored. `see` is a call in terms of the arguments and of `is_nested`, by which
 * per-CPU scratch memory must be kept apart.
 */
#define REENTRANT_PROGRAM(hook, name, event, see, ...)        \
	SEC(hook) int BPF_PROG(name, __VA_ARGS__)             \
	{                                                     \
		const bool is_nested = is_called_by_second(); \
		u64 event_ = (u64)(event);                    \
                                                              \
		if (!event_)                                  \
			return 0;                             \
		if (!is_nested)                               \
			push_event(event_);                   \
		see;                                          \
		return 0;                                     \
	}                                                     \
	SEC(hook) int BPF_PROG(name##_nested, __VA_ARGS__)    \
	{                                                     \
		u64 event_ = (u64)(event);                    \
                                                              \
		if (event_ && !pop_event(event_))             \
			call_first(ctx);                      \
		return 0;                                     \
	}
