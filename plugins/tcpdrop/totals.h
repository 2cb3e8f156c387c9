/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* What the tables of dropped packets have in common. */
#include <wirespan/ring.h>
#include <wirespan/aggregate.h>
#include <wirespan/skeleton.h>

struct counters {
	u64 seen_drops;
	u64 lost_drops;
	u64 suppressed_drops;
	u64 overflows;
};
EXPORT_COUNTERS(struct counters);

struct total {
	u64 packets;
};
