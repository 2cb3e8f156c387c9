/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* The kernel's own name for one of its addresses, on the agent's request. */
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>

struct named_address {
	u64 address;
	/* `tcp_v4_rcv+0x1a2/0x5b0`, cut off if it is longer; the address if it has no name. */
	char name[128];
};

SEC("syscall")
int name_address(struct named_address *asked)
{
	u64 address = asked->address;
	char name[sizeof(asked->name)] = {};

	bpf_snprintf(name, sizeof(name), "%pS", &address, sizeof(address));
	__builtin_memcpy(asked->name, name, sizeof(name));
	return 0;
}
