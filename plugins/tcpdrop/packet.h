/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* What a packet's own headers say, read only where they can be. */
#include "kernel.h"
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
	u16 padding;
	/* Bytes. */
	u32 payload;
};

/* Whether the packet may be one; skb->protocol is 0 until IP has written its header. */
static __always_inline bool is_tcp(const struct sk_buff *skb)
{
	u16 protocol = bpf_ntohs(skb->protocol);

	return (protocol == ETH_P_IP || protocol == ETH_P_IPV6) && skb->network_header;
}

/* Where a packet's bytes lie; offsets are from `head`. */
struct bytes {
	const u8 *head;
	u32 tail;
};

static __always_inline bool read_at(void *into, u32 size, struct bytes b, u32 offset)
{
	/* What lies behind the tail is in pages of its own. */
	return offset + size <= b.tail && !bpf_probe_read_kernel(into, size, b.head + offset);
}

enum { NEXT_HOP_BY_HOP = 0, NEXT_ROUTING = 43, NEXT_FRAGMENT = 44, NEXT_DESTINATION = 60 };

/* Offset of the TCP header; 0 where this fragment has none, negative where it is another protocol's packet. */
static __always_inline int after_ipv6(struct bytes b, u32 offset, u8 next)
{
	u8 header[8];

#pragma unroll
	for (int i = 0; i < 4; i++) {
		if (next == IPPROTO_TCP)
			return offset;
		if (next != NEXT_HOP_BY_HOP && next != NEXT_ROUTING && next != NEXT_FRAGMENT &&
		    next != NEXT_DESTINATION)
			return -1;
		if (!read_at(header, sizeof(header), b, offset))
			return -1;
		if (next == NEXT_FRAGMENT && (header[2] | (header[3] & 0xf8)))
			return header[0] == IPPROTO_TCP ? 0 : -1;
		offset += next == NEXT_FRAGMENT ? 8 : (header[1] + 1) * 8;
		next = header[0];
	}
	return -1;
}

static __always_inline int read_ipv4(struct packet *p, struct bytes b, u32 offset)
{
	u8 header[20];

	if (!read_at(header, sizeof(header), b, offset) || header[0] >> 4 != 4 ||
	    (header[0] & 15) < 5 || header[9] != IPPROTO_TCP)
		return -1;
	p->family = 4;
	__builtin_memcpy(p->source, header + 12, 4);
	__builtin_memcpy(p->destination, header + 16, 4);
	p->payload = (header[2] << 8 | header[3]) + offset;
	return (header[6] & 0x1f) | header[7] ? 0 : offset + (header[0] & 15) * 4;
}

static __always_inline int read_ipv6(struct packet *p, struct bytes b, u32 offset)
{
	u8 header[40];

	if (!read_at(header, sizeof(header), b, offset) || header[0] >> 4 != 6)
		return -1;
	p->family = 6;
	__builtin_memcpy(p->source, header + 8, 16);
	__builtin_memcpy(p->destination, header + 24, 16);
	p->payload = (header[4] << 8 | header[5]) + offset + sizeof(header);
	return after_ipv6(b, offset + sizeof(header), header[6]);
}

/*
 * Global, so that the verifier walks its many ways once and not once for each way through the caller, which
 * would be too many for Linux 6.1.
 */
__noinline int read_headers(struct packet *p, u64 head, u32 tail, u32 network_header, u32 protocol)
{
	struct bytes b = {(const u8 *)head, tail};
	u8 header[14];
	int offset;

	if (!p)
		return 0;
	offset = protocol == ETH_P_IP ? read_ipv4(p, b, network_header) : read_ipv6(p, b, network_header);
	if (offset < 0)
		return 0;
	if (offset && read_at(header, sizeof(header), b, offset)) {
		p->source_port = header[0] << 8 | header[1];
		p->destination_port = header[2] << 8 | header[3];
		p->flags = header[13];
		/* So far the packet's end: what lies behind the TCP header is payload. */
		p->payload -= offset + (header[12] >> 4) * 4;
	} else {
		p->payload = 0;
	}
	return 1;
}

/* False where it is no TCP packet. */
static __always_inline bool read_packet(struct packet *p, const struct sk_buff *skb)
{
	/* Read as a number: newer kernels know that skb->head is a pointer. */
	u64 head = (u64)BPF_CORE_READ(skb, head);

	return read_headers(p, head, skb->tail, skb->network_header, bpf_ntohs(skb->protocol));
}
