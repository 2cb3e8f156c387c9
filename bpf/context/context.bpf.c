// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Reads the trace contexts that applications send and receive, and stores them with the sockets' bytes (context.h).
#include <wirespan/kernel.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
/*
 * In load order: programs that a kernel may refuse come before those that take the verifier long, because after a
 * refusal everything is loaded again, with the next program.
 */
#include "received.h"
#include "segment.h"
#include "send.h"
#include "opening.h"

EXPORT_TABLE(correlated, u32, struct correlated);

char LICENSE[] SEC("license") = "Dual BSD/GPL";
