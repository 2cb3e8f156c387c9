/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Requests that an application hands to OpenSSL. A request's context is kept while SSL_write runs, and applies to the
 * message that the same thread sends during the call and that begins with the request's TLS record. What OpenSSL encrypts
 * into memory, and the application sends after the call, has no context: only timing could relate it to a request.
 */
#include "http1.h"
#include "table.h"

/* Whether the programs here are loaded. */
const volatile bool reads_tls = false;

enum tls_call_state {
	CALL_NONE,
	/* No record of the request was sent yet. */
	CALL_BEGUN,
	CALL_SENT,
};

/* A thread's running call, or its last one. */
struct tls_call {
	/* CONTEXT_NONE: the request has none. */
	struct entry context;
	/* OpenSSL's object. */
	u64 connection;
	/* Stack pointer at the call. */
	u64 stack;
	u32 bytes;
	/* enum tls_call_state */
	u8 state;
	/* The last one could not send all: OpenSSL expects the same call again, and then sends the rest. */
	bool is_unfinished;
};

/* Only of threads that have handed a request to OpenSSL. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tls_call);
} tls_calls SEC(".maps");

/* A function of an application, as it begins or ends. */
struct registers {
	u64 argument[3];
	u64 result;
	u64 stack;
};

static __always_inline void read_registers(struct registers *to, const void *regs)
{
	const struct pt_regs___x86 *x86 = regs;
	const struct pt_regs___arm64 *arm64 = regs;

	if (bpf_core_field_exists(x86->di)) {
		to->argument[0] = BPF_CORE_READ(x86, di);
		to->argument[1] = BPF_CORE_READ(x86, si);
		to->argument[2] = BPF_CORE_READ(x86, dx);
		to->result = BPF_CORE_READ(x86, ax);
		to->stack = BPF_CORE_READ(x86, sp);
	} else if (bpf_core_field_exists(arm64->regs)) {
		to->argument[0] = BPF_CORE_READ(arm64, regs[0]);
		to->argument[1] = BPF_CORE_READ(arm64, regs[1]);
		to->argument[2] = BPF_CORE_READ(arm64, regs[2]);
		to->result = to->argument[0];
		to->stack = BPF_CORE_READ(arm64, sp);
	}
}

/*
 * Calls on one CPU may preempt each other here: each counts its use of the scratch memory as it begins and as it ends, and
 * is not relied on if another did so meanwhile.
 */
static __always_inline void read_plaintext(struct tls_call *call, const void *text)
{
	struct scratch *s = scratch_of(SCRATCH_CALL);
	u32 limit = call->bytes < window ? call->bytes : window, uses;
	int head = HEAD_OTHER;

	if (!s)
		return;
	__sync_fetch_and_add(&s->uses, 1);
	uses = *(volatile u32 *)&s->uses;
	begin_scratch(s, NULL, false);
	if (limit > WINDOW ||
	    bpf_probe_read_user(s->bytes + TAIL, MASKED(limit, SCRATCH_MASK), text))
		COUNT_CORRELATED(unreadable, 1);
	else
		head = read_head(&call->context, s, TAIL, TAIL + limit);
	/* Where each of several requests is in what is encrypted is not known. */
	if (is_request_next(s, TAIL + limit))
		head = HEAD_AMBIGUOUS;
	if (*(volatile u32 *)&s->uses != uses) {
		COUNT_CORRELATED(no_memory, 1);
		head = HEAD_OTHER;
	}
	call->context.source = head ? CONTEXT_NONE : CONTEXT_UPROBE;
	goes_on(head, call->bytes > limit ? window : limit);
	/* Erased, so that nothing of the text stays in the kernel. */
	bpf_probe_read_kernel(s->bytes + TAIL, MASKED(limit, SCRATCH_MASK), NULL);
	s->next = 0;
	__sync_fetch_and_add(&s->uses, 1);
}

/* SSL_write and SSL_write_ex. */
SEC("uprobe")
int on_tls_write(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct registers at = {};
	struct tls_call *call;
	bool is_request;
	u64 word = 0;
	u32 bytes;

	read_registers(&at, ctx);
	bytes = at.argument[2];
	bpf_probe_read_user(&word, sizeof(word), (void *)at.argument[1]);
	is_request = bytes >= sizeof(word) && is_method(word);
	call = bpf_task_storage_get(&tls_calls, current, NULL,
				    is_request ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	if (!call) {
		if (is_request)
			COUNT_CORRELATED(no_memory, 1);
		return 0;
	}
	call->state = CALL_NONE;
	if (!is_request)
		return 0;
	if (call->connection != at.argument[0] || call->bytes != bytes)
		call->is_unfinished = false;
	call->connection = at.argument[0];
	call->stack = at.stack;
	call->bytes = bytes;
	__builtin_memset(&call->context, 0, sizeof(call->context));
	read_plaintext(call, (void *)at.argument[1]);
	call->state = call->is_unfinished ? CALL_SENT : CALL_BEGUN;
	return 0;
}

/* Its return value is positive if OpenSSL has taken the request. */
SEC("uretprobe")
int on_tls_written(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct tls_call *call = bpf_task_storage_get(&tls_calls, current, NULL, 0);
	struct registers at = {};
	s32 taken;

	if (!call || call->state == CALL_NONE)
		return 0;
	read_registers(&at, ctx);
	taken = at.result;
	if (taken > 0 && call->state == CALL_BEGUN && call->context.source)
		COUNT_CORRELATED(sent_later, 1);
	call->is_unfinished = taken <= 0 && call->state == CALL_SENT;
	call->state = CALL_NONE;
	return 0;
}

/* Maximum content of a record, and how much longer a record may be than its content. */
#define TLS_RECORD_BYTES 16384
#define TLS_OVERHEAD     256

/* Whether the message begins with the record of what was handed to the call. `word`: its first bytes. */
static __always_inline bool begins_record_of(const struct tls_call *call, u64 word)
{
	u32 bytes = call->bytes < TLS_RECORD_BYTES ? call->bytes : TLS_RECORD_BYTES;
	u32 record = (word >> 24 & 0xff) << 8 | (word >> 32 & 0xff);

	/* Application data of TLS 1.0 to 1.3. */
	return (word & 0xffff) == 0x0317 && record > bytes && record <= bytes + TLS_OVERHEAD;
}

/* How far down the stack OpenSSL calls send(): a thread may switch stacks within a call. */
#define CALL_STACK 65536

static __always_inline struct tls_call *current_tls_call(void)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct tls_call *call = bpf_task_storage_get(&tls_calls, current, NULL, 0);
	struct registers at = {};

	if (!call || call->state != CALL_BEGUN)
		return NULL;
	read_registers(&at, (void *)bpf_task_pt_regs(current));
	return call->stack - at.stack < CALL_STACK ? call : NULL;
}

/* Uses the context of the request with whose record the message begins; returns whether it begins with one. */
static __noinline bool read_tls_call(struct sock *sk, const struct message *m, u64 word,
				     struct carrier **carrier)
{
	struct entry e = { .seq = m->seq, .received = m->tp->rcv_nxt };
	struct tls_call *call = current_tls_call();
	struct carrier *c = *carrier;

	if (!call || !begins_record_of(call, word))
		return false;
	call->state = CALL_SENT;
	if (call->context.source) {
		__builtin_memcpy(e.trace_id, call->context.trace_id, 16);
		__builtin_memcpy(e.span_id, call->context.span_id, 8);
		e.flags = call->context.flags;
		e.source = CONTEXT_UPROBE;
		if (!c)
			c = *carrier = create_carrier(sk);
		COUNT_CORRELATED(calls_sent, 1);
	}
	if (!c)
		return false;
	c->protocol = CARRIED_TLS;
	c->asked = true;
	c->asked_at = e.received;
	m->conn->unread_sends = 0;
	/* The same message once more, if nothing of it was accepted. */
	if (!is_named(c, &e))
		keep(c, m->earlier, &e);
	return true;
}
