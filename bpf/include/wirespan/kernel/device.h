/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Network devices, their queues, and packets. */
#include <wirespan/kernel/types.h>
#include <wirespan/kernel/socket.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

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

#pragma clang attribute pop
