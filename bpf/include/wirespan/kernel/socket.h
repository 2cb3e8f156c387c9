/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Sockets, requests for them, and network namespaces. */
#include <wirespan/kernel/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		u8 u6_addr8[16];
		u32 u6_addr32[4];
	} in6_u;
};

struct ns_common {
	u32 inum;
};

struct net_device;

struct net {
	struct ns_common ns;
	u64 net_cookie;
	struct net_device *loopback_dev;
};

typedef struct {
	struct net *net;
} possible_net_t;

typedef struct {
	s64 counter;
} atomic64_t;

struct sock_common {
	union {
		struct {
			u32 skc_daddr;
			u32 skc_rcv_saddr;
		};
	};
	union {
		struct {
			u16 skc_dport;
			u16 skc_num;
		};
	};
	u16 skc_family;
	volatile u8 skc_state;
	u8 skc_ipv6only : 1;
	int skc_bound_dev_if;
	u32 skc_tw_rcv_nxt;
	unsigned long skc_flags;
	possible_net_t skc_net;
	atomic64_t skc_cookie;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

typedef struct {
	int counter;
} atomic_t;

struct socket;

struct sk_buff_head {
	u32 qlen;
};

struct dst_entry {
	struct net_device *dev;
	unsigned long _metrics;
};

struct sock {
	struct sock_common __sk_common;
	struct dst_entry *sk_dst_cache;
	struct sk_buff_head sk_receive_queue;
	struct {
		struct {
			struct {
				struct {
					u8 locked;
				} raw_lock;
			} rlock;
		} slock;
		int owned;
	} sk_lock;
	u16 sk_type;
	u16 sk_protocol;
	int sk_err;
	u32 sk_ack_backlog;
	u32 sk_max_ack_backlog;
	atomic_t sk_drops;
	struct socket *sk_socket;
	u8 sk_shutdown;
};

struct inet_sock {
	struct sock sk;
	u16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	u8 icsk_pending;
	u8 icsk_ca_state : 5;
};

struct minmax_sample {
	u32 t;
	u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 snd_cwnd;
	u32 snd_ssthresh;
	u32 reordering;
	u32 reord_seen;
	u32 delivered;
	u32 lost;
	struct minmax rtt_min;
	u32 segs_out;
	u32 segs_in;
	u64 bytes_sent;
	u64 bytes_acked;
	u64 bytes_received;
	u64 bytes_retrans;
	u32 total_retrans;
	u32 dsack_dups;
	u32 retrans_stamp;
	u32 total_rto_time;
	u32 write_seq;
	u32 snd_nxt;
	u32 snd_una;
	u32 rcv_nxt;
	u32 copied_seq;
	u32 srtt_us;
	u32 mdev_us;
	u8 tcp_usec_ts : 1;
	u8 fastopen_connect : 1;
	u8 syn_data_acked : 1;
	u8 syn_fastopen_child : 1;
	bool is_mptcp;
};

/* net/mptcp/protocol.h */
struct mptcp_sock {
	struct sock *first;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct request_sock {
	struct sock_common __req_common;
};

struct tcp_request_sock {
	u32 rcv_isn;
	u32 snt_isn;
};

/* uapi/linux/uio.h, linux/uio.h; the numbers are the running kernel's. */
struct iovec {
	void *iov_base;
	unsigned long iov_len;
};

enum iter_type { ITER_UBUF, ITER_IOVEC };

struct iov_iter {
	u8 iter_type;
	unsigned long iov_offset;
	const struct iovec *__iov;
	void *ubuf;
	unsigned long count;
};

/* Before Linux 6.4. */
struct iov_iter___named {
	const struct iovec *iov;
};

struct msghdr {
	struct iov_iter msg_iter;
};

#pragma clang attribute pop
