/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The connections that a plugin observes: those that pass the agent's filter and the plugin's own. Evaluated when a
 * span or a sum is due, so that the tuple is final and the owner is the right one.
 * core/engine/filter.ts fills the constants; the verifier removes what is not configured.
 */
#include <wirespan/conn.h>

#define FILTER_NAMES 16
#define FILTER_PORTS 32
#define FILTER_CIDRS 16

enum { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2, FAMILY_MAPPED = 4 };

struct name_pattern {
	u8 value[16];
	u8 mask[16];
};

struct port_range {
	u16 first;
	u16 last;
};

struct cidr {
	u8 address[16];
	u8 mask[16];
	u32 family;
};

/* Counts first; 0: any. */
struct match {
	u32 pids;
	u32 comms;
	u32 uids;
	u32 netns;
	u32 local_ports;
	u32 remote_ports;
	u32 local_cidrs;
	u32 remote_cidrs;
	/* Bit sets; 0: any. `cgroups` is of watched_cgroups, `directions` of enum direction. */
	u32 cgroups;
	u32 families;
	u32 directions;
	u32 either_cidrs;
	u32 pid[FILTER_NAMES];
	u32 uid[FILTER_NAMES];
	u32 netns_inode[FILTER_NAMES];
	struct name_pattern comm[FILTER_NAMES];
	struct port_range local_port[FILTER_PORTS];
	struct port_range remote_port[FILTER_PORTS];
	struct cidr local_cidr[FILTER_CIDRS];
	struct cidr remote_cidr[FILTER_CIDRS];
	struct cidr either_cidr[FILTER_CIDRS];
};

struct filter {
	struct match include;
	struct match exclude;
	u64 min_duration_ns;
	u32 failures_only;
	/* Whether the owner's cgroup and mount namespace must be keys of the maps below. */
	u32 by_cgroup_map;
	u32 by_mntns_map;
	/* Whether any of this is configured: the verifier removes branches on constants, but not the loads before them. */
	u32 is_used;
};

const volatile struct filter agent_filter = {};
const volatile struct filter plugin_filter = {};

/*
 * Maps that another program has pinned and fills, keyed by ids; their values are ignored. Maps that are not configured
 * are not created: the verifier removes the lookups.
 */
#define PINNED_MAP(name)                         \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__uint(max_entries, 1);          \
		__type(key, u64);                \
		__type(value, u32);              \
	} name SEC(".maps")
PINNED_MAP(agent_cgroup_map);
PINNED_MAP(agent_mntns_map);
PINNED_MAP(plugin_cgroup_map);
PINNED_MAP(plugin_mntns_map);

static __always_inline bool in_numbers(const volatile u32 *list, u32 count, u32 number)
{
	for (u32 i = 0; i < FILTER_NAMES && i < count; i++)
		if (list[i] == number)
			return true;
	return false;
}

static __always_inline bool in_ports(const volatile struct port_range *list, u32 count, u16 port)
{
	for (u32 i = 0; i < FILTER_PORTS && i < count; i++)
		if (port >= list[i].first && port <= list[i].last)
			return true;
	return false;
}

static __always_inline bool same_bits(const u8 *is, const volatile u8 *value,
				      const volatile u8 *mask)
{
	const u64 *words = (const u64 *)is;
	const volatile u64 *values = (const volatile u64 *)value,
			   *masks = (const volatile u64 *)mask;

	return !((words[0] ^ values[0]) & masks[0]) && !((words[1] ^ values[1]) & masks[1]);
}

static __always_inline bool in_names(const volatile struct name_pattern *list, u32 count,
				     const char *name)
{
	for (u32 i = 0; i < FILTER_NAMES && i < count; i++)
		if (same_bits((const u8 *)name, list[i].value, list[i].mask))
			return true;
	return false;
}

static __always_inline bool in_cidrs(const volatile struct cidr *list, u32 count, const u8 *address,
				     u8 family)
{
	for (u32 i = 0; i < FILTER_CIDRS && i < count; i++)
		if (list[i].family == family && same_bits(address, list[i].address, list[i].mask))
			return true;
	return false;
}

static __always_inline u32 families_of(const struct endpoints *e)
{
	return (e->family == 4 ? FAMILY_IPV4 : FAMILY_IPV6) | (e->mapped ? FAMILY_MAPPED : 0);
}

/* An inclusion requires all criteria, an exclusion any: a criterion whose result is `decisive` settles the outcome. */
#define CRITERION(asked, holds)                       \
	do {                                          \
		if ((asked) && !!(holds) == decisive) \
			return decisive;              \
	} while (0)

static __always_inline bool matches(const volatile struct match *m, const struct conn *c,
				    bool decisive)
{
	const struct endpoints *e = &c->ends;

	CRITERION(m->directions, m->directions >> c->direction & 1);
	CRITERION(m->families, m->families & families_of(e));
	CRITERION(m->local_ports, in_ports(m->local_port, m->local_ports, e->local_port));
	CRITERION(m->remote_ports, in_ports(m->remote_port, m->remote_ports, e->peer_port));
	CRITERION(m->pids, in_numbers(m->pid, m->pids, c->owner.pid));
	CRITERION(m->uids, in_numbers(m->uid, m->uids, c->owner.uid));
	CRITERION(m->netns, in_numbers(m->netns_inode, m->netns, c->netns));
	CRITERION(m->cgroups, (m->cgroups & c->owner.cgroups) != 0);
	CRITERION(m->comms, in_names(m->comm, m->comms, c->owner.comm));
	CRITERION(m->local_cidrs, in_cidrs(m->local_cidr, m->local_cidrs, e->local, e->family));
	CRITERION(m->remote_cidrs, in_cidrs(m->remote_cidr, m->remote_cidrs, e->peer, e->family));
	CRITERION(m->either_cidrs,
		  in_cidrs(m->either_cidr, m->either_cidrs, e->local, e->family) ||
			  in_cidrs(m->either_cidr, m->either_cidrs, e->peer, e->family));
	return !decisive;
}

static __always_inline bool is_key(void *map, u64 id)
{
	return bpf_map_lookup_elem(map, &id) != NULL;
}

static __always_inline bool lets_pass(const volatile struct filter *f, const struct conn *c,
				      u64 duration_ns, void *cgroup_map, void *mntns_map)
{
	if (!f->is_used)
		return true;
	if (f->by_cgroup_map && !is_key(cgroup_map, c->owner.cgroup_id))
		return false;
	if (f->by_mntns_map && !is_key(mntns_map, c->owner.mntns))
		return false;
	if (f->min_duration_ns && duration_ns < f->min_duration_ns)
		return false;
	if (f->failures_only && !failed(c))
		return false;
	return matches(&f->include, c, false) && !matches(&f->exclude, c, true);
}

static __noinline bool passes_both(const struct conn *c, u64 duration_ns)
{
	return lets_pass(&agent_filter, c, duration_ns, &agent_cgroup_map, &agent_mntns_map) &&
	       lets_pass(&plugin_filter, c, duration_ns, &plugin_cgroup_map, &plugin_mntns_map);
}

/* `duration_ns`: of whatever the plugin measures (a life, a handshake). Without filters there is no call. */
static __always_inline bool passes(const struct conn *c, u64 duration_ns)
{
	return (!agent_filter.is_used && !plugin_filter.is_used) || passes_both(c, duration_ns);
}

static __always_inline bool asks_owner(const volatile struct match *m)
{
	return m->pids || m->comms || m->uids || m->cgroups;
}

/*
 * Whether the result of the filter is final once a connection is established: it does not depend on how the connection
 * ends, on what other programs may still write into their maps, or on the owner of an accepted connection, which may
 * still change.
 */
static __always_inline bool is_settled(const volatile struct filter *f, const struct conn *c)
{
	if (f->failures_only || f->by_cgroup_map || f->by_mntns_map)
		return false;
	return c->direction == DIRECTION_OUTBOUND ||
	       !(asks_owner(&f->include) || asks_owner(&f->exclude));
}

/* Whether a connection of age `age_ns` is certain to pass the filter at its end. */
static __always_inline bool will_pass(const struct conn *c, u64 age_ns)
{
	return is_settled(&agent_filter, c) && is_settled(&plugin_filter, c) && passes(c, age_ns);
}
