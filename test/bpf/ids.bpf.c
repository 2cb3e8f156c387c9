// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Returns the ids that bpf/include/wirespan/ids.h computes from a test's input.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/ids.h>

struct question {
	struct siphash_key key;
	u64 boot;
	u64 cookie;
	u64 attempt;
	u32 opener;
	u32 acceptor;
	u32 domain;
	/* Otherwise those of an attempt. */
	u32 established;
	u64 answer[2];
};

SEC("syscall")
int ids(struct question *q)
{
	struct siphash_key key = { q->key.k0, q->key.k1 };
	enum id_domain domain = q->domain;
	u64 id[2];

	if (q->established)
		connection_id(id, &key, domain, q->opener, q->acceptor);
	else
		attempt_id(id, &key, domain, q->boot, q->cookie, q->attempt);
	q->answer[0] = id[0];
	q->answer[1] = id[1];
	return 0;
}

struct event {
	struct siphash_key key;
	u64 numbers;
	u32 seq;
	u32 n;
	u64 parent;
	u32 kind;
	u32 acceptor;
	u64 answer;
};

SEC("syscall")
int event_id(struct event *e)
{
	struct siphash_key key = { e->key.k0, e->key.k1 };
	u64 event = (u64)e->n << 32 | e->seq;

	e->answer = in_trace_id(&key, e->kind, e->acceptor, e->numbers, event, e->parent);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
