/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* A reference to a connection, for tables. */
#include <wirespan/conn.h>

/*
 * A connection by its address in the socket's storage, not by a copy: 16 bytes, and its owner is always the current
 * one.
 */
struct conn_ref {
	u64 address;
	/* Whether it still exists: a row outlives its socket if no program saw the end. */
	u64 cookie;
};

/* Where the connection can be read by helper; NULL: it has ended. */
static __always_inline const struct conn *conn_at(const struct conn_ref *ref)
{
	const struct conn *c = (const void *)ref->address;

	return BPF_PROBE_READ(c, cookie) == ref->cookie ? c : NULL;
}

/* Copies the connection; false: it has ended. */
static __always_inline bool read_conn(struct conn *copy, const struct conn_ref *ref)
{
	return !bpf_probe_read_kernel(copy, sizeof(*copy), (const void *)ref->address) &&
	       copy->cookie == ref->cookie;
}
