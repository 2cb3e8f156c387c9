/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The context that OpenTelemetry's SDKs keep for each thread (OTEP 4947): a thread-local pointer to a record. On
 * request the agent finds out where a program has that pointer; the thread itself then reads it here when it sends.
 */
#include "table.h"

/* Whether to ask the agent where processes keep such a pointer. */
const volatile bool reads_threads = false;

enum thread_place {
	/* At an offset from the thread pointer. */
	THREAD_STATIC = 1,
	/* In a block that glibc has allocated for the thread; its dynamic thread vector contains the address. */
	THREAD_DYNAMIC,
};

/* Where the threads of an image have their pointer. */
struct thread_variable {
	s64 offset;
	/* In the vector: the module's index, and since which generation it belongs to the module (0: not known). */
	u64 generation;
	u32 module;
	/* enum thread_place */
	u32 place;
};

/* By the number of the question. Only the agent writes it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct thread_variable);
} thread_variables SEC(".maps");

AGENT_INPUT(thread_variables, u32, struct thread_variable);

/* An image whose threads were seen to send. */
struct question {
	/* Start of its process on the boot clock. */
	u64 started_at;
	u32 number;
	u32 pid;
};
EXPORT_RING(questions, struct question, 16 * 1024);

struct asked {
	/* Another program has other variables. */
	u64 exec_id;
	/* 0: the question did not fit. */
	u64 number;
};

/* By process, added at its first thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct asked);
} asked SEC(".maps");

/* Number of questions so far. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} question_count SEC(".maps");

static __noinline void ask_where(struct task_struct *leader)
{
	struct question *question;
	struct asked *a;
	u32 zero = 0;
	u64 *count;

	count = bpf_map_lookup_elem(&question_count, &zero);
	a = bpf_task_storage_get(&asked, leader, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!a || !count) {
		COUNT_CORRELATED(no_memory, 1);
		return;
	}
	a->exec_id = leader->self_exec_id;
	a->number = 0;
	question = bpf_ringbuf_reserve(&questions, sizeof(*question), 0);
	if (!question)
		return;
	question->started_at = leader->start_boottime;
	question->pid = leader->tgid;
	question->number = __sync_fetch_and_add(count, 1) + 1;
	a->number = question->number;
	SUBMIT(questions, question);
}

/* NULL: this thread's image has none, or it is not known yet. */
static __always_inline const struct thread_variable *current_variable(void)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct task_struct *leader = current->group_leader;
	struct asked *a;
	u32 number;

	/* Kernel threads that work for a process have a copy of some thread's registers. */
	if (!leader || current->flags & (PF_KTHREAD | PF_IO_WORKER))
		return NULL;
	a = bpf_task_storage_get(&asked, leader, NULL, 0);
	if (!a || a->exec_id != current->self_exec_id || !a->number) {
		ask_where(leader);
		return NULL;
	}
	/* The agent counts there what it finds. */
	if (!announcements)
		return NULL;
	number = a->number;
	return bpf_map_lookup_elem(&thread_variables, &number);
}

/* glibc's dtv_t: the entry before the first has the vector's length, the first its generation. */
struct vector_head {
	u64 length;
	u64 reserved;
	u64 generation;
	u64 reserved_too;
};
#define VECTOR_ENTRY 16

/* Address of the thread's pointer; 0: none yet. */
static __always_inline u64 address_of(const struct thread_variable *v, u64 thread)
{
	struct vector_head head;
	u64 vector, block;

	if (v->place == THREAD_STATIC)
		return thread + v->offset;
	if (bpf_probe_read_user(&vector, sizeof(vector), (void *)(thread + 8)) ||
	    bpf_probe_read_user(&head, sizeof(head), (void *)(vector - VECTOR_ENTRY)))
		return 0;
	/* The thread has not used the module since it was loaded. */
	if (v->module > head.length || head.generation < v->generation)
		return 0;
	if (bpf_probe_read_user(&block, sizeof(block),
				(void *)(vector + (u64)v->module * VECTOR_ENTRY)) ||
	    !block || block == ~0ull)
		return 0;
	return block + v->offset;
}

enum thread_says {
	/* It is unknown whether and where threads of this program have contexts. */
	THREAD_UNKNOWN,
	THREAD_HAS_NONE,
	THREAD_HAS_CONTEXT,
};

/* The running thread's context; enum thread_says. Global: verified once. */
__noinline int read_thread_record(struct context_record *r)
{
	struct task_struct *current = bpf_get_current_task_btf();
	const struct thread_variable *v;
	u64 at, pointer = 0;

	if (!r || !bpf_core_field_exists(current->thread.fsbase))
		return THREAD_UNKNOWN;
	v = current_variable();
	if (!v)
		return THREAD_UNKNOWN;
	at = address_of(v, BPF_CORE_READ(current, thread.fsbase));
	if (!at)
		return THREAD_HAS_NONE;
	if (bpf_probe_read_user(&pointer, sizeof(pointer), (void *)at) ||
	    (pointer && bpf_probe_read_user(r, sizeof(*r), (void *)pointer))) {
		COUNT_CORRELATED(unreadable, 1);
		return THREAD_HAS_NONE;
	}
	return pointer && is_valid(r) ? THREAD_HAS_CONTEXT : THREAD_HAS_NONE;
}

/*
 * The context in which the running thread sends a message. A thread's context ends with the first message that is sent
 * without one.
 */
static __noinline int read_thread(struct sock *sk, const struct message *m,
				  struct carrier **carrier)
{
	struct entry e = { .seq = m->seq, .received = m->tp->rcv_nxt };
	struct context_record r = {};
	struct carrier *c = *carrier;
	const struct entry *newest;
	int says = read_thread_record(&r);

	if (says == THREAD_HAS_CONTEXT) {
		take_record(&e, &r);
		e.source = CONTEXT_THREAD;
		e.answers = m->conn->direction == DIRECTION_INBOUND;
		if (!c)
			c = *carrier = create_carrier(sk);
	}
	if (!c)
		return says;
	newest = &c->ring[MASKED(c->n - 1, CONTEXTS - 1)];
	if (says == THREAD_HAS_CONTEXT) {
		/* More of the same request or response. */
		if (c->n && newest->source == CONTEXT_THREAD && newest->received == e.received &&
		    is_same_context(newest, &e))
			return says;
		COUNT_CORRELATED(threads_sent, 1);
		keep(c, m->earlier, &e);
	} else if (c->n && newest->source == CONTEXT_THREAD)
		keep(c, m->earlier, &e);
	return says;
}
