/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Trace and span ids of a connection: SipHash-2-4 with a 128-bit result (Aumasson, Bernstein 2012) over both initial
 * sequence numbers, so that both ends compute the same ids independently. docs/ids.md specifies the message byte by
 * byte and has test vectors.
 */
#include <wirespan/kernel.h>
#include <wirespan/siphash.h>

#define IDS_VERSION 1

enum id_domain {
	ID_TRACE,
	/* First half: the opener's `tcp connection` span; second half: the acceptor's. */
	ID_CONNECTION,
	/* First half: `tcp connect`; second half: `tcp accept`. */
	ID_HANDSHAKE,
	/* First half: a span in the application's own trace. */
	ID_IN_TRACE,
};

/* The kind of event that such a span reports. */
enum in_trace_kind {
	IN_TRACE_NONE,
	IN_TRACE_CONNECT,
	IN_TRACE_ACCEPT,
	IN_TRACE_RETRANSMIT,
	IN_TRACE_DROP,
	IN_TRACE_RESET,
};

/* W3C Trace Context forbids all-zero ids. */
static __always_inline void make_ids(u64 out[2], struct siphash128 *m,
				     const struct siphash_key *key)
{
	siphash128(m, key);
	out[0] = m->out[0] | !m->out[0];
	out[1] = m->out[1] | !m->out[1];
}

/* The ids of an established connection, from the numbers of the first byte after each side's SYN. */
static __always_inline void connection_id(u64 out[2], const struct siphash_key *key,
					  enum id_domain domain, u32 opener, u32 acceptor)
{
	struct siphash128 m = { .count = 2 };

	m.words[0] = IDS_VERSION | (u64)domain << 8;
	m.words[1] = opener | (u64)acceptor << 32;
	make_ids(out, &m, key);
}

/*
 * An attempt that was never established shares no sequence number with a peer: its ids are valid on this host only.
 * `attempt` distinguishes those of one socket.
 */
static __always_inline void attempt_id(u64 out[2], const struct siphash_key *key,
				       enum id_domain domain, u64 boot, u64 cookie, u64 attempt)
{
	struct siphash128 m = { .count = 4 };

	m.words[0] = IDS_VERSION | (u64)(domain | 0x80) << 8;
	m.words[1] = boot;
	m.words[2] = cookie;
	m.words[3] = attempt;
	make_ids(out, &m, key);
}

/* `numbers`: both ends' initial ones, the opener's in the lower half; the socket's cookie if it never established. */
static __always_inline u64 in_trace_id(const struct siphash_key *key, enum in_trace_kind kind,
				       bool acceptor, u64 numbers, u64 event, u64 parent)
{
	struct siphash128 m = { .count = 4 };
	u64 out[2];

	m.words[0] = IDS_VERSION | (u64)ID_IN_TRACE << 8 | (u64)kind << 16 | (u64)acceptor << 24;
	m.words[1] = numbers;
	m.words[2] = event;
	m.words[3] = parent;
	make_ids(out, &m, key);
	return out[0];
}
