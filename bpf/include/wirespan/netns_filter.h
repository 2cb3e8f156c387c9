/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The part of the filters that applies to network namespaces rather than connections. */
#include <wirespan/kernel.h>

#define NETNS_NAMES 16

struct netns_filter {
	u32 includes;
	u32 excludes;
	u32 include[NETNS_NAMES];
	u32 exclude[NETNS_NAMES];
};

const volatile struct netns_filter agent_netns = {};
const volatile struct netns_filter plugin_netns = {};

static __always_inline bool lets_netns_pass(const volatile struct netns_filter *f, u32 inode)
{
	bool found = !f->includes;

	for (u32 i = 0; i < NETNS_NAMES && i < f->includes; i++)
		found |= f->include[i] == inode;
	for (u32 i = 0; i < NETNS_NAMES && i < f->excludes; i++)
		found &= f->exclude[i] != inode;
	return found;
}

static __always_inline bool passes_netns(u32 inode)
{
	return lets_netns_pass(&agent_netns, inode) && lets_netns_pass(&plugin_netns, inode);
}
