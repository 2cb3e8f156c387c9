/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * How a table is found: its process sends the table's header, from the table itself, over a connection to itself. The
 * sender's address is then the one in the memory that is read later. A process that forwards other data must not be
 * tricked into announcing what it has received, so the other end of the connection must be its own.
 */
#include "shared.h"

/* "WSNCTXT1" */
#define TABLE_MAGIC  0x31545854434e5357ull
#define TABLE_HEADER 64
#define TABLE_SLOTS  4096
#define SLOT_BYTES   256
#define SLOT_KEY     40
#define SLOT_RECORDS 7
/* Read only for sends of the thread that announced it. */
#define TABLE_OF_THREAD 1

/* OpenTelemetry's thread context record (OTEP 4947), without attributes. */
struct context_record {
	u8 trace_id[16];
	u8 span_id[8];
	u8 valid;
	u8 flags;
	u16 attrs_data_size;
};

struct table_header {
	u64 magic;
	u32 size;
	u32 slots;
	u32 slot_size;
	u32 flags;
	u8 reserved[12];
	struct context_record connecting;
};

struct table {
	u64 address;
	/* The image that announced it: another program has other memory. */
	u64 exec_id;
	u32 slots;
	/* The last announcement that was refused; 0: none. */
	u64 tried_at;
};

/* A thread's own table; the first thread of a process may also have the table of the process. */
struct tables {
	struct table own;
	struct table process;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tables);
} tables SEC(".maps");

/*
 * Number of tables so far, and of programs whose threads' contexts can be read. For each new one, sockets that seemed to
 * have no contexts are checked again.
 */
u32 announcements;

static __always_inline bool is_of(const struct table *t, const struct task_struct *task)
{
	return t->address && t->exec_id == task->self_exec_id;
}

/* The running thread's own table, or else its process's. */
static __always_inline const struct table *current_table(void)
{
	struct task_struct *current, *leader;
	struct tables *t;

	if (!announcements)
		return NULL;
	current = bpf_get_current_task_btf();
	leader = current->group_leader;
	t = bpf_task_storage_get(&tables, current, NULL, 0);
	if (t && is_of(&t->own, current))
		return &t->own;
	t = leader ? bpf_task_storage_get(&tables, leader, NULL, 0) : NULL;
	return t && is_of(&t->process, leader) ? &t->process : NULL;
}

/* Descriptors that are searched, some 20 ns each, and the pause after a refusal, in nanoseconds. */
#define DESCRIPTORS 65536
#define RETRY_NS    1000000000ull

struct search {
	struct file **files;
	u32 descriptors;
	u16 local_port;
	u16 peer_port;
	bool found;
};

/* NULL if the descriptor is not a TCP socket. To be read as plain memory. */
static __always_inline const struct sock *tcp_socket_of(struct file **files, u32 fd)
{
	struct file *file = NULL;
	const struct sock *sk;
	struct socket *socket;

	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	return sk && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP ? sk : NULL;
}

/* A listener on the port of the connection, or the socket that it has accepted. */
static long is_other_end(u32 fd, struct search *search)
{
	const struct sock *sk;
	u16 port, peer;
	u8 state;

	if (fd >= search->descriptors)
		return 1;
	sk = tcp_socket_of(search->files, fd);
	if (!sk)
		return 0;
	port = BPF_CORE_READ(sk, __sk_common.skc_num);
	peer = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (port != search->peer_port)
		return 0;
	search->found = state == TCP_LISTEN || peer == search->local_port;
	return search->found;
}

static __always_inline bool is_loopback(const struct endpoints *e)
{
	const u32 *local = (const u32 *)e->local, *peer = (const u32 *)e->peer;

	if (e->family == 4)
		return e->peer[0] == 127 || local[0] == peer[0];
	return local[0] == peer[0] && local[1] == peer[1] && local[2] == peer[2] &&
	       local[3] == peer[3];
}

static __noinline bool is_to_itself(const struct conn *c)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct search search = {
		.files = BPF_CORE_READ(task, files, fdt, fd),
		.descriptors = BPF_CORE_READ(task, files, fdt, max_fds),
		.local_port = c->ends.local_port,
		.peer_port = c->ends.peer_port,
	};

	if (c->direction != DIRECTION_OUTBOUND || !is_loopback(&c->ends))
		return false;
	bpf_loop(DESCRIPTORS, is_other_end, &search, 0);
	return search.found;
}

static __always_inline bool is_well_formed(const struct table_header *h)
{
	return h->magic == TABLE_MAGIC && h->size == TABLE_HEADER && h->slot_size == SLOT_BYTES &&
	       h->slots && h->slots <= TABLE_SLOTS && !(h->slots & (h->slots - 1));
}

/* The data begins with the magic number; false if the announcement is invalid. */
static __noinline bool take_announcement(struct conn *c, u64 address, u64 bytes)
{
	struct task_struct *current = bpf_get_current_task_btf(), *owner = current;
	struct table_header h;
	struct tables *both;
	struct table *t;
	u64 now = bpf_ktime_get_boot_ns();

	if (bytes != sizeof(h) || bpf_probe_read_user(&h, sizeof(h), (void *)address) ||
	    !is_well_formed(&h)) {
		COUNT_CORRELATED(refused_announcements, 1);
		return false;
	}
	if (!(h.flags & TABLE_OF_THREAD))
		owner = current->group_leader;
	if (!owner)
		return false;
	both = bpf_task_storage_get(&tables, owner, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!both) {
		COUNT_CORRELATED(no_memory, 1);
		return false;
	}
	t = h.flags & TABLE_OF_THREAD ? &both->own : &both->process;
	/* It is repeated for agents that start later. */
	if (t->address == address && t->slots == h.slots && t->exec_id == current->self_exec_id)
		return true;
	if (t->tried_at && now - t->tried_at < RETRY_NS) {
		COUNT_CORRELATED(refused_announcements, 1);
		return false;
	}
	if (!is_to_itself(c)) {
		t->tried_at = now;
		COUNT_CORRELATED(refused_announcements, 1);
		return false;
	}
	t->address = 0;
	t->exec_id = current->self_exec_id;
	t->slots = h.slots;
	t->tried_at = 0;
	t->address = address;
	__sync_fetch_and_add(&announcements, 1);
	COUNT_CORRELATED(announced, 1);
	return true;
}
