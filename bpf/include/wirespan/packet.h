/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* What a packet's headers contain. */
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct packet {
	/* Network order; IPv4 in the first four bytes. */
	u8 source[16];
	u8 destination[16];
	/* 0: the TCP header could not be read. */
	u16 source_port;
	u16 destination_port;
	/* 4 or 6. */
	u8 family;
	u8 flags;
	/* A fragment other than the first: it has no TCP header. */
	bool continues;
	u8 padding;
	/* Bytes. */
	u32 payload;
	u32 sequence;
};

/* Bytes copied from the network header on; a power of two, so that a mask bounds indexes. */
#define HEADER_BYTES 128
struct headers {
	u8 bytes[HEADER_BYTES];
	/* Of them. */
	u32 size;
};

#define BYTE(h, offset) ((h)->bytes[MASKED(offset, HEADER_BYTES - 1)])

/* Whether the packet may be TCP; skb->protocol is 0 until IP has written its header. */
static __always_inline bool is_tcp(const struct sk_buff *skb)
{
	u16 protocol = bpf_ntohs(skb->protocol);

	return (protocol == ETH_P_IP || protocol == ETH_P_IPV6) && skb->network_header;
}

/* Reads the linear part only, not the paged data. */
static __always_inline bool read_headers(struct headers *h, const struct sk_buff *skb)
{
	u32 size = skb->tail - skb->network_header;

	if (skb->tail < skb->network_header)
		return false;
	if (size > HEADER_BYTES)
		size = HEADER_BYTES;
	h->size = size;
	return !bpf_probe_read_kernel(h->bytes, size, skb->head + skb->network_header);
}

enum { NEXT_HOP_BY_HOP = 0, NEXT_ROUTING = 43, NEXT_FRAGMENT = 44, NEXT_DESTINATION = 60 };

/* Offset of the TCP header; 0 if this fragment has none, negative if the packet is of another protocol. */
static __always_inline int after_ipv6(const struct headers *h)
{
	u32 offset = 40, length;
	u8 next = BYTE(h, 6);

	for (int i = 0; i < 4; i++) {
		if (next == IPPROTO_TCP)
			return offset;
		if (next != NEXT_HOP_BY_HOP && next != NEXT_ROUTING && next != NEXT_FRAGMENT &&
		    next != NEXT_DESTINATION)
			return -1;
		if (offset + 8 > h->size)
			return -1;
		if (next == NEXT_FRAGMENT && (BYTE(h, offset + 2) | (BYTE(h, offset + 3) & 0xf8)))
			return BYTE(h, offset) == IPPROTO_TCP ? 0 : -1;
		length = next == NEXT_FRAGMENT ? 8 : (BYTE(h, offset + 1) + 1) * 8;
		next = BYTE(h, offset);
		offset += length;
	}
	return -1;
}

static __always_inline int read_ipv4(struct packet *p, const struct headers *h)
{
	if (h->size < 20 || (h->bytes[0] & 15) < 5 || h->bytes[9] != IPPROTO_TCP)
		return -1;
	p->family = 4;
	__builtin_memcpy(p->source, h->bytes + 12, 4);
	__builtin_memcpy(p->destination, h->bytes + 16, 4);
	p->payload = h->bytes[2] << 8 | h->bytes[3];
	return (h->bytes[6] & 0x1f) | h->bytes[7] ? 0 : (h->bytes[0] & 15) * 4;
}

static __always_inline int read_ipv6(struct packet *p, const struct headers *h)
{
	if (h->size < 40)
		return -1;
	p->family = 6;
	__builtin_memcpy(p->source, h->bytes + 8, 16);
	__builtin_memcpy(p->destination, h->bytes + 24, 16);
	p->payload = (h->bytes[4] << 8 | h->bytes[5]) + 40;
	return after_ipv6(h);
}

/*
 * 0 if it is not a TCP packet. A global function, which the verifier checks separately: inlined, it would exceed older
 * kernels' limits.
 */
__noinline int read_packet(struct packet *p, const struct headers *h)
{
	int offset;

	if (!p || !h)
		return 0;
	if (h->bytes[0] >> 4 == 4)
		offset = read_ipv4(p, h);
	else
		offset = h->bytes[0] >> 4 == 6 ? read_ipv6(p, h) : -1;
	if (offset < 0)
		return 0;
	p->continues = !offset;
	if (!offset || offset + 14 > (int)h->size) {
		p->payload = 0;
		return 1;
	}
	p->source_port = BYTE(h, offset) << 8 | BYTE(h, offset + 1);
	p->destination_port = BYTE(h, offset + 2) << 8 | BYTE(h, offset + 3);
	for (int i = 4; i < 8; i++)
		p->sequence = p->sequence << 8 | BYTE(h, offset + i);
	p->flags = BYTE(h, offset + 13);
	/* Until here the end of the packet: subtract the headers. */
	p->payload -= offset + (BYTE(h, offset + 12) >> 4) * 4;
	return 1;
}
