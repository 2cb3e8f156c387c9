/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The few kernel types that the programs read, by hand. Only names matter: the loader finds each
 * field's place in the running kernel's BTF.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

/* The names that libbpf's headers expect. */
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u16 __sum16;
typedef u32 __wsum;

typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* Bounds an index where the compiler would otherwise prove the bound away from the verifier's eyes. */
#define MASKED(index, mask)                                           \
	({                                                            \
		u64 masked_ = (index);                                \
		asm volatile("%0 &= %1" : "+r"(masked_) : "i"(mask)); \
		masked_;                                              \
	})

/* uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_STACK_TRACE = 7,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_RDONLY_PROG = 128, BPF_F_CLONE = 512 };
enum { BPF_SK_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0 };

/* net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

enum { IPPROTO_TCP = 6, IPPROTO_UDP = 17, IPPROTO_MPTCP = 262 };
enum { AF_UNSPEC = 0, AF_INET = 2, AF_INET6 = 10 };
enum { SOCK_STREAM = 1 };
/* uapi/linux/if_packet.h */
enum { PACKET_HOST = 0, PACKET_OUTGOING = 4 };
enum { IFF_LOOPBACK = 8 };
/* linux/netdevice.h */
enum { NETDEV_TX_OK = 0, NET_XMIT_DROP = 1, NET_XMIT_CN = 2, NETDEV_TX_BUSY = 16 };
enum { ETH_P_IP = 0x0800, ETH_P_IPV6 = 0x86dd };

/* net/tcp.h, net/inet_connection_sock.h, uapi/linux/tcp.h */
enum { TCPHDR_FIN = 1, TCPHDR_SYN = 2, TCPHDR_RST = 4, TCPHDR_ACK = 16 };
enum { ICSK_TIME_LOSS_PROBE = 5 };
enum { TCP_CA_Recovery = 3, TCP_CA_Loss = 4 };
enum { TCP_INIT_CWND = 10, TCP_INFINITE_SSTHRESH = 0x7fffffff };

/* uapi/linux/rtnetlink.h; net/dst.h: the lowest bits of a pointer to metrics say something else. */
enum { RTAX_INITCWND = 11, DST_METRICS_FLAGS = 3 };

/* asm-generic/errno.h, linux/errno.h */
enum {
	EINTR = 4,
	EBADF = 9,
	EAGAIN = 11,
	ENOMEM = 12,
	EBUSY = 16,
	EINVAL = 22,
	EPIPE = 32,
	ENOTSOCK = 88,
	EADDRINUSE = 98,
	EADDRNOTAVAIL = 99,
	ECONNABORTED = 103,
	ECONNRESET = 104,
	EISCONN = 106,
	ETIMEDOUT = 110,
	ECONNREFUSED = 111,
	EHOSTUNREACH = 113,
	EALREADY = 114,
	EINPROGRESS = 115,
	ECANCELED = 125,
	ERESTARTSYS = 512,
};

/* linux/sched.h */
enum { PF_EXITING = 0x4, PF_KTHREAD = 0x200000 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* net/sock.h; its numbers are the running kernel's (bpf_core_enum_value). */
enum sock_flags { SOCK_DEAD, SOCK_DONE };

/* net/dropreason-core.h; likewise. */
enum skb_drop_reason {
	SKB_CONSUMED,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_NO_SOCKET,
	SKB_DROP_REASON_SOCKET_FILTER,
	SKB_DROP_REASON_SOCKET_RCVBUFF,
	SKB_DROP_REASON_OTHERHOST,
	SKB_DROP_REASON_TCP_CSUM,
	SKB_DROP_REASON_TCP_FLAGS,
	SKB_DROP_REASON_TCP_OLD_DATA,
	SKB_DROP_REASON_TCP_OFOMERGE,
	SKB_DROP_REASON_TCP_RFC7323_PAWS,
	SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK,
	SKB_DROP_REASON_TCP_RFC7323_TW_PAWS,
	SKB_DROP_REASON_TCP_LISTEN_OVERFLOW,
	SKB_DROP_REASON_TCP_OLD_SEQUENCE,
	SKB_DROP_REASON_TCP_RESET,
	SKB_DROP_REASON_TCP_INVALID_SYN,
	SKB_DROP_REASON_TCP_CLOSE,
	SKB_DROP_REASON_TCP_FASTOPEN,
	SKB_DROP_REASON_TCP_OFO_DROP,
	SKB_DROP_REASON_QDISC_DROP,
	SKB_DROP_REASON_CPU_BACKLOG,
	SKB_DROP_REASON_XDP,
	SKB_DROP_REASON_FULL_RING,
	SKB_DROP_REASON_DUP_FRAG,
	SKB_DROP_REASON_FRAG_REASM_TIMEOUT,
	SKB_DROP_REASON_FRAG_TOO_FAR,
	SKB_DROP_REASON_QUEUE_PURGE,
	SKB_DROP_REASON_PACKET_SOCK_ERROR,
};

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

struct qstr {
	u32 len;
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct mm_struct {
	struct file *exe_file;
};

struct signal_struct {
	int group_exit_code;
};

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup *ancestors[];
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

typedef struct {
	u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct pid_namespace {
	struct ns_common ns;
};

/* linux/pid.h: a process's number in one of the namespaces that it is in, the initial one first. */
struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	u32 level;
	struct upid numbers[1];
};

/* fs/mount.h */
struct mnt_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct task_struct {
	u32 flags;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct mm_struct *mm;
	struct files_struct *files;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct nsproxy *nsproxy;
	const struct cred *cred;
	u64 start_boottime;
	u64 self_exec_id;
	char comm[16];
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

struct list_head {
	struct list_head *next;
};

struct rtnl_link_ops {
	const char *kind;
};

struct net_device {
	char name[16];
	int ifindex;
	u32 flags;
	/* Part of a bit field since Linux 6.12. */
	unsigned long priv_flags;
	void *rx_handler;
	/* Of kernels that know VLANs. */
	void *vlan_info;
	possible_net_t nd_net;
	const struct rtnl_link_ops *rtnl_link_ops;
	struct {
		struct list_head upper;
	} adj_list;
};

/* net/core/dev.c */
struct netdev_adjacent {
	struct net_device *dev;
	bool master;
	struct list_head list;
};

enum netdev_priv_flags {
	IFF_BRIDGE_PORT,
	IFF_OVS_DATAPATH,
	IFF_L3MDEV_SLAVE,
};

struct napi_struct {
	struct net_device *dev;
};

struct netdev_queue {
	struct net_device *dev;
};

struct Qdisc;

struct skb_shared_info {
	u16 gso_segs;
};

struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	char cb[48];
	u8 pkt_type : 3;
	u32 len;
	u32 data_len;
	u16 queue_mapping;
	/* Of kernels with traffic control. */
	u8 tc_skip_classify : 1;
	int skb_iif;
	u16 protocol;
	u16 transport_header;
	u16 network_header;
	u16 mac_header;
	u32 tail;
	u32 end;
	unsigned char *head;
	unsigned char *data;
};

struct tcp_skb_cb {
	u32 seq;
	u16 tcp_gso_segs;
	u16 tcp_flags;
};

/* include/trace/events/syscalls.h */
struct trace_event_raw_sys_exit {
	long id;
	long ret;
};

/* Each architecture's own; a system call's arguments are there as they were until it returns. */
struct pt_regs___x86 {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long orig_ax;
};

struct pt_regs___arm64 {
	u64 regs[31];
	u64 orig_x0;
	s32 syscallno;
};

/* include/linux/io_uring_types.h, io_uring/rsrc.h, io_uring/net.c */
struct io_rsrc_node {
	unsigned long file_ptr;
};

struct io_rsrc_data {
	u32 nr;
	struct io_rsrc_node **nodes;
};

struct io_file_table {
	struct io_rsrc_data data;
};

struct io_ring_ctx {
	struct io_file_table file_table;
};

struct io_fixed_file {
	unsigned long file_ptr;
};

struct io_file_table___files {
	struct io_fixed_file *files;
};

struct io_ring_ctx___files {
	struct io_file_table___files file_table;
	u32 nr_user_files;
};

struct io_kiocb {
	struct file *file;
	u8 opcode;
};

struct io_accept {
	u32 file_slot;
};

struct io_uring_cqe {
	s32 res;
	u32 flags;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

#pragma clang attribute pop
