/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Established connections by their addresses and ports, for packets that have no socket (yet, or any more). The
 * tracker maintains it while some plugin requires it (`tuples` in its literal).
 */
#include <wirespan/conn_ref.h>

struct tuple {
	u64 netns_cookie;
	/* With the interface that the socket is bound to: link-local addresses are unique per interface only. */
	struct endpoints ends;
	u32 padding;
};

/* Sized by the agent: `connections.limit`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tuple);
	__type(value, struct conn_ref);
} tuples SEC(".maps");

static __always_inline void read_tuple(struct tuple *t, const struct conn *c)
{
	t->netns_cookie = c->netns_cookie;
	t->ends = c->ends;
	/* On the wire it is IPv4. */
	t->ends.mapped = false;
	t->padding = 0;
}
