/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * Packets that the kernel frees with a drop reason but that are not losses; explained in plugins/tcpdrop/README.md. All
 * of packet and sockets is read by helper, so that is_no_drop can be a function that the verifier checks once.
 */
#include <wirespan/hooks/drop_site.h>

/* Whether the tracepoint has the receiving socket (Linux 6.11 and later). */
enum drop_hook { DROP_WITH_SOCKET, DROP_WITHOUT_SOCKET };

/* Whether TCP has the packet: IP has removed its header. */
static __always_inline bool is_in_tcp(const struct sk_buff *skb)
{
	return BPF_CORE_READ(skb, data) - BPF_CORE_READ(skb, head) ==
	       BPF_CORE_READ(skb, transport_header);
}

static __always_inline bool is_unspecified(u32 reason)
{
	return reason == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_NOT_SPECIFIED);
}

static __always_inline u8 state_of(const struct sock *sk)
{
	return sk ? BPF_CORE_READ(sk, __sk_common.skc_state) : TCP_CLOSE;
}

/* A copy for a sniffer, or of a frame for another host. */
static __always_inline bool is_copy(u32 reason, const struct sk_buff *skb, enum drop_hook hook)
{
	if (BPF_CORE_READ_BITFIELD_PROBED(skb, pkt_type) == PACKET_OUTGOING)
		return true;
	if (IS_REASON(reason, SKB_DROP_REASON_OTHERHOST) ||
	    IS_REASON(reason, SKB_DROP_REASON_SOCKET_RCVBUFF) ||
	    IS_REASON(reason, SKB_DROP_REASON_PACKET_SOCK_ERROR))
		return true;
	return hook == DROP_WITHOUT_SOCKET && IS_REASON(reason, SKB_DROP_REASON_SOCKET_FILTER) &&
	       !is_in_tcp(skb);
}

/*
 * A part of a packet that was reassembled or merged by GRO, freed with the whole. It has no headers any more; if TCP
 * drops such a packet, the tracepoint has a socket or, before Linux 6.11, a reason.
 */
static __always_inline bool is_part(u32 reason, const struct sk_buff *skb, bool has_receiver,
				    const struct packet *p, enum drop_hook hook)
{
	u64 at = BPF_CORE_READ(skb, data) - BPF_CORE_READ(skb, head);

	if (p->continues)
		return at > BPF_CORE_READ(skb, network_header) &&
		       !IS_REASON(reason, SKB_DROP_REASON_DUP_FRAG) &&
		       !IS_REASON(reason, SKB_DROP_REASON_FRAG_REASM_TIMEOUT) &&
		       !IS_REASON(reason, SKB_DROP_REASON_FRAG_TOO_FAR);
	return !has_receiver && is_pulled(skb) &&
	       (hook == DROP_WITH_SOCKET || is_unspecified(reason));
}

/* Purged with its socket: packets in its queues, and copies that nobody has read. */
static __always_inline bool is_cleared(u32 reason, const struct sk_buff *skb)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);
	bool purged = IS_REASON(reason, SKB_DROP_REASON_QUEUE_PURGE);
	u64 dead;

	if (!sk ||
	    !(purged || (!HAS_REASON(SKB_DROP_REASON_QUEUE_PURGE) && is_unspecified(reason))))
		return false;
	if (purged && BPF_CORE_READ(skb, skb_iif))
		return true;
	dead = BPF_CORE_READ(sk, __sk_common.skc_flags) >>
		       bpf_core_enum_value(enum sock_flags, SOCK_DEAD) &
	       1;
	return dead && state_of(sk) == TCP_CLOSE;
}

static __always_inline u32 end_of(const struct packet *p)
{
	return p->sequence + p->payload + !!(p->flags & TCPHDR_SYN) + !!(p->flags & TCPHDR_FIN);
}

/* It holds nothing new to the receiver. */
static __always_inline bool is_old(const struct sock *sk, const struct packet *p)
{
	u8 state = state_of(sk);
	u32 next;

	if (state == TCP_TIME_WAIT)
		next = BPF_CORE_READ(sk, __sk_common.skc_tw_rcv_nxt);
	else if (state != TCP_NEW_SYN_RECV)
		next = BPF_CORE_READ((const struct tcp_sock *)sk, rcv_nxt);
	else
		return false;
	return (s32)(end_of(p) - next) <= 0;
}

/* The receiver has it already, and acknowledges it again if needed. */
static __always_inline bool is_duplicate(u32 reason, const struct sock *sk, const struct packet *p)
{
	if (IS_REASON(reason, SKB_DROP_REASON_TCP_OLD_DATA) ||
	    IS_REASON(reason, SKB_DROP_REASON_TCP_OLD_SEQUENCE) ||
	    IS_REASON(reason, SKB_DROP_REASON_TCP_OFOMERGE) ||
	    IS_REASON(reason, SKB_DROP_REASON_TCP_OFO_DROP) ||
	    IS_REASON(reason, SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK))
		return true;
	return sk &&
	       (IS_REASON(reason, SKB_DROP_REASON_TCP_RFC7323_PAWS) ||
		IS_REASON(reason, SKB_DROP_REASON_TCP_RFC7323_TW_PAWS) ||
		IS_REASON(reason, SKB_DROP_REASON_TCP_INVALID_SYN)) &&
	       is_old(sk, p);
}

/* For unknown sockets: without a socket, TCP leaves the reason out only in TIME_WAIT and for request sockets. */
static __always_inline bool is_in_time_wait(const struct sk_buff *skb, const struct sock *sk,
					    enum drop_hook hook)
{
	if (sk)
		return state_of(sk) == TCP_TIME_WAIT;
	return hook == DROP_WITHOUT_SOCKET && is_in_tcp(skb) &&
	       BPF_CORE_READ_BITFIELD_PROBED(skb, pkt_type) == PACKET_HOST;
}

/* TIME_WAIT answers old packets and frees them without a reason. A SYN that it does not accept is lost. */
static __always_inline bool is_answered_in_time_wait(u32 reason, const struct sk_buff *skb,
						     const struct sock *sk, const struct packet *p,
						     enum drop_hook hook)
{
	if (!is_unspecified(reason) || !is_in_time_wait(skb, sk, hook))
		return false;
	if (!p->payload && !(p->flags & TCPHDR_SYN))
		return true;
	return sk && is_old(sk, p);
}

/*
 * A packet for a listener or one of its requests. Without a reason it is a retransmitted SYN (answered), an ACK ignored
 * by TCP_DEFER_ACCEPT, or an ACK that finds the accept queue full. For the last, newer kernels give a reason; it counts
 * as a ListenDrop, as does the ACK of a SYN cookie that finds the queue full.
 */
static __always_inline bool is_listeners_affair(u32 reason, const struct sock *sk,
						const struct packet *p)
{
	if (IS_REASON(reason, SKB_DROP_REASON_TCP_LISTEN_OVERFLOW))
		return true;
	if (state_of(sk) != TCP_LISTEN)
		return false;
	return IS_REASON(reason, SKB_DROP_REASON_NO_SOCKET) ||
	       (is_unspecified(reason) && p->flags & (TCPHDR_SYN | TCPHDR_RST | TCPHDR_ACK));
}

/* An RST for a connection that does not exist any more, or that this RST has just ended. */
static __always_inline bool is_reset_done(u32 reason, const struct sock *sk, const struct packet *p)
{
	u8 state = state_of(sk);

	if (!(p->flags & TCPHDR_RST))
		return false;
	if (state != TCP_CLOSE && state != TCP_LISTEN && state != TCP_TIME_WAIT)
		return false;
	return IS_REASON(reason, SKB_DROP_REASON_NO_SOCKET) ||
	       IS_REASON(reason, SKB_DROP_REASON_TCP_RESET) ||
	       IS_REASON(reason, SKB_DROP_REASON_TCP_FLAGS) ||
	       IS_REASON(reason, SKB_DROP_REASON_TCP_CLOSE) ||
	       IS_REASON(reason, SKB_DROP_REASON_TCP_FASTOPEN);
}

/* A retransmitted SYN for a socket that Fast Open already created: the SYN-ACK is retransmitted. */
static __always_inline bool is_answered_by_fastopen(u32 reason, const struct sock *sk,
						    const struct packet *p)
{
	return sk && IS_REASON(reason, SKB_DROP_REASON_TCP_FASTOPEN) && p->flags & TCPHDR_SYN &&
	       is_old(sk, p);
}

/*
 * An acknowledgement after the peer's FIN, which ends what the peer sends: TCP has processed it, and frees what it does
 * not queue as if it were a drop, without a reason.
 */
static __always_inline bool is_processed(u32 reason, const struct sock *sk, const struct packet *p)
{
	u8 state = state_of(sk);

	if (state != TCP_CLOSE_WAIT && state != TCP_LAST_ACK && state != TCP_CLOSING)
		return false;
	return is_unspecified(reason) && !p->payload &&
	       !(p->flags & (TCPHDR_SYN | TCPHDR_FIN | TCPHDR_RST));
}

struct freed {
	/* Addresses of the packet and of its socket as of read_drop_site. */
	u64 skb;
	u64 sk;
	u32 reason;
	enum way way;
	/* The tracepoint has named the socket. */
	u32 has_receiver;
	enum drop_hook hook;
};

__noinline int is_no_drop(const struct freed *f, const struct packet *p)
{
	const struct sk_buff *skb;
	const struct sock *sk;
	u32 reason;

	if (!f || !p)
		return 0;
	skb = (const void *)f->skb;
	sk = (const void *)f->sk;
	reason = f->reason;
	if (IS_REASON(reason, SKB_CONSUMED) || is_copy(reason, skb, f->hook) ||
	    is_part(reason, skb, f->has_receiver, p, f->hook) || is_cleared(reason, skb))
		return 1;
	if (f->way == WAY_TRANSMIT)
		return 0;
	return is_duplicate(reason, sk, p) ||
	       is_answered_in_time_wait(reason, skb, sk, p, f->hook) ||
	       is_listeners_affair(reason, sk, p) || is_reset_done(reason, sk, p) ||
	       is_processed(reason, sk, p) || is_answered_by_fastopen(reason, sk, p);
}
