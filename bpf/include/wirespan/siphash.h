/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* SipHash-2-4 (Aumasson, Bernstein 2012), word by word. */
#include <wirespan/kernel.h>

#define SIPHASH_WORDS 4

struct siphash_key {
	u64 k0;
	u64 k1;
};

struct siphash {
	u64 v0;
	u64 v1;
	u64 v2;
	u64 v3;
};

#define SIP_ROTATE(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))

static __always_inline void siphash_round(struct siphash *h)
{
	h->v0 += h->v1;
	h->v1 = SIP_ROTATE(h->v1, 13) ^ h->v0;
	h->v0 = SIP_ROTATE(h->v0, 32);
	h->v2 += h->v3;
	h->v3 = SIP_ROTATE(h->v3, 16) ^ h->v2;
	h->v0 += h->v3;
	h->v3 = SIP_ROTATE(h->v3, 21) ^ h->v0;
	h->v2 += h->v1;
	h->v1 = SIP_ROTATE(h->v1, 17) ^ h->v2;
	h->v2 = SIP_ROTATE(h->v2, 32);
}

static __always_inline void siphash_begin(struct siphash *h, u64 k0, u64 k1)
{
	h->v0 = k0 ^ 0x736f6d6570736575ull;
	h->v1 = k1 ^ 0x646f72616e646f6dull;
	h->v2 = k0 ^ 0x6c7967656e657261ull;
	h->v3 = k1 ^ 0x7465646279746573ull;
}

static __always_inline void siphash_add(struct siphash *h, u64 word)
{
	h->v3 ^= word;
	siphash_round(h);
	siphash_round(h);
	h->v0 ^= word;
}

/* Adds several words of a message. Global, as siphash128 is. */
struct siphash_part {
	u64 words[SIPHASH_WORDS];
};

__noinline int siphash_add_part(struct siphash *h, const struct siphash_part *part)
{
	if (!h || !part)
		return 0;
#pragma unroll
	for (int i = 0; i < SIPHASH_WORDS; i++)
		siphash_add(h, part->words[i]);
	return 0;
}

/* Finishes a message of this length that was added word by word, the last word padded with zeros. */
static __always_inline u64 siphash_end(struct siphash *h, u64 bytes)
{
	siphash_add(h, bytes << 56);
	h->v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		siphash_round(h);
	return h->v0 ^ h->v1 ^ h->v2 ^ h->v3;
}

/* A message of 64-bit little-endian words, and the 128 bits that it hashes to. */
struct siphash128 {
	u64 words[SIPHASH_WORDS];
	u64 count;
	u64 out[2];
};

/* Global, so that the verifier checks it once and not at each call. */
__noinline int siphash128(struct siphash128 *m, const struct siphash_key *key)
{
	struct siphash h;

	if (!m || !key)
		return 0;
	siphash_begin(&h, key->k0, key->k1);
	h.v1 ^= 0xee;
	for (u32 i = 0; i < SIPHASH_WORDS && i < m->count; i++)
		siphash_add(&h, m->words[i]);
	siphash_add(&h, m->count << 59);
	h.v2 ^= 0xee;
#pragma unroll
	for (int i = 0; i < 4; i++)
		siphash_round(&h);
	m->out[0] = h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
	h.v1 ^= 0xdd;
#pragma unroll
	for (int i = 0; i < 4; i++)
		siphash_round(&h);
	m->out[1] = h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
	return 0;
}
