/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Trace and span ids of a connection: SipHash-2-4 with a 128-bit result (Aumasson, Bernstein 2012) over
 * both initial sequence numbers, so that both ends come to the same ids without talking.
 * docs/ids.md states the message byte by byte and gives test vectors.
 */
#include "kernel.h"

#define IDS_VERSION 1

enum id_domain {
	ID_TRACE,
	/* First half: the opener's `tcp connection` span; second half: the acceptor's. */
	ID_CONNECTION,
	/* First half: `tcp connect`; second half: `tcp accept`. */
	ID_HANDSHAKE,
};

struct id_key {
	u64 k0;
	u64 k1;
};

#define SIP_ROTATE(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))
#define SIP_ROUND()                           \
	do {                                  \
		v0 += v1;                     \
		v1 = SIP_ROTATE(v1, 13) ^ v0; \
		v0 = SIP_ROTATE(v0, 32);      \
		v2 += v3;                     \
		v3 = SIP_ROTATE(v3, 16) ^ v2; \
		v0 += v3;                     \
		v3 = SIP_ROTATE(v3, 21) ^ v0; \
		v2 += v1;                     \
		v1 = SIP_ROTATE(v1, 17) ^ v2; \
		v2 = SIP_ROTATE(v2, 32);      \
	} while (0)

/* `words` 64-bit little-endian words of message; words must be a constant. */
static __always_inline void siphash128(u64 out[2], const struct id_key *key, const u64 *message,
				       int words)
{
	u64 v0 = key->k0 ^ 0x736f6d6570736575ull;
	u64 v1 = key->k1 ^ 0x646f72616e646f6dull ^ 0xee;
	u64 v2 = key->k0 ^ 0x6c7967656e657261ull;
	u64 v3 = key->k1 ^ 0x7465646279746573ull;
	u64 last = (u64)words << 59;

#pragma unroll
	for (int i = 0; i < words; i++) {
		v3 ^= message[i];
		SIP_ROUND();
		SIP_ROUND();
		v0 ^= message[i];
	}
	v3 ^= last;
	SIP_ROUND();
	SIP_ROUND();
	v0 ^= last;
	v2 ^= 0xee;
	SIP_ROUND();
	SIP_ROUND();
	SIP_ROUND();
	SIP_ROUND();
	out[0] = v0 ^ v1 ^ v2 ^ v3;
	v1 ^= 0xdd;
	SIP_ROUND();
	SIP_ROUND();
	SIP_ROUND();
	SIP_ROUND();
	out[1] = v0 ^ v1 ^ v2 ^ v3;
}

/* The ids of an established connection, from the numbers of the first byte after each side's SYN. */
static __always_inline void connection_id(u64 out[2], const struct id_key *key,
					  enum id_domain domain, u32 opener, u32 acceptor)
{
	u64 message[2];

	message[0] = IDS_VERSION | (u64)domain << 8;
	message[1] = opener | (u64)acceptor << 32;
	siphash128(out, key, message, 2);
	/* The W3C forbids ids of zeros. */
	out[0] |= !out[0];
	out[1] |= !out[1];
}

/* A connection that never established shares no number with a peer: its ids are this host's own. */
static __always_inline void attempt_id(u64 out[2], const struct id_key *key, enum id_domain domain,
				       u64 boot, u64 cookie, u64 opened_at)
{
	u64 message[4];

	message[0] = IDS_VERSION | (u64)(domain | 0x80) << 8;
	message[1] = boot;
	message[2] = cookie;
	message[3] = opened_at;
	siphash128(out, key, message, 4);
	out[0] |= !out[0];
	out[1] |= !out[1];
}
