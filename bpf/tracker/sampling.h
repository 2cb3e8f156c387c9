/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Which traces are kept, decided before a span's record is reserved and after metrics were counted. Both ends decide
 * alike by the trace id; docs/traces.md says what is kept besides.
 */
#include <wirespan/conn_record.h>
#include "shared.h"

#define ID_BITS ((1ull << 56) - 1)

/* What is true before the end of a connection is true at its end. */
static __always_inline bool is_always_kept(const struct conn *c, u32 retransmits, u64 until)
{
	return retransmits ||
	       (runtime_config.slow_ns && until - c->opened_at > runtime_config.slow_ns) ||
	       (c->closed_at && (c->queued || failed(c)));
}

/* Global: the verifier goes through the hash once, whoever calls it. */
__noinline int has_sampled_id(const struct conn *c)
{
	u64 id[2];

	if (!c)
		return 0;
	read_id(id, ID_TRACE, c);
	return (bpf_be64_to_cpu(id[1]) & ID_BITS) >= runtime_config.sampling_threshold;
}

/*
 * Whether a span that lasted until then leaves. If it does, all later ones of the connection do. `in_trace`: it carried
 * a request whose trace its application keeps.
 */
static __always_inline bool samples(struct conn *c, bool in_trace, u32 retransmits, u64 until)
{
	if (!runtime_config.sampling_threshold)
		return true;
	c->kept_always = in_trace || is_always_kept(c, retransmits, until);
	return c->kept_always || has_sampled_id(c);
}
