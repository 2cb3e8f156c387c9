/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Records that are reported in an application's own trace, below the span whose bytes they concern. */
#include <wirespan/conn_record.h>

static __always_inline void take_context(struct conn_record *r, const struct entry *e)
{
	__builtin_memcpy(r->context.trace_id, e->trace_id, 16);
	__builtin_memcpy(r->context.parent_span_id, e->span_id, 8);
	r->context.source = e->source;
}

/* The id of the span that a record becomes. `event` distinguishes the events of one request. Global: verified once. */
__noinline int read_in_trace_id(struct conn_record *r, enum in_trace_kind kind, u64 event)
{
	struct siphash_key key = { id_key.k0, id_key.k1 };
	u64 id;

	if (!r)
		return 0;
	id = in_trace_id(&key, kind, !is_opener(&r->conn), numbers_of(&r->conn), event,
			 *(u64 *)r->context.parent_span_id);
	__builtin_memcpy(r->context.span_id, &id, 8);
	return 0;
}
