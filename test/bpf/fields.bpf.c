// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Every kind of record and field. Built for its BTF, never loaded.
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/ring.h>
#include <wirespan/skeleton.h>

enum shape { SHAPE_ROUND, SHAPE_SQUARE = 3, SHAPE_VERY_LONG };

struct inner {
	s32 low;
	u16 padding;
	u16 high;
};

struct record {
	u64 wide;
	s64 signed_wide;
	u32 word;
	s32 signed_word;
	u16 half;
	s16 signed_half;
	u8 byte;
	s8 signed_byte;
	bool flag;
	u8 padding;
	enum shape shape;
	char comm[16];
	char name[8];
	char path[40];
	u8 raw[4];
	u32 words[3];
	u64 wides[2];
	struct inner inner;
	struct inner other_inner;
};
EXPORT_RING(records, struct record, 4096);

struct largest {
	u64 max_bytes;
};

struct sums {
	u64 count;
	u64 max_ns;
	struct largest largest;
};

struct pair {
	u32 left;
	u32 right;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 8);
	__type(key, struct pair);
	__type(value, struct sums);
} pairs SEC(".maps");
EXPORT_TABLE(pairs, struct pair, struct sums);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, enum shape);
	__type(value, u64);
} shapes SEC(".maps");
EXPORT_TABLE(shapes, enum shape, u64);

EXPORT_ROWS(walk, struct inner);

struct counters {
	u64 seen_records;
	u64 lost_records;
};
EXPORT_COUNTERS(struct counters);

const volatile u32 limit = 7;
const volatile struct pair ends = {};

struct runtime_config {
	u32 level;
};
struct runtime_config runtime_config;

SEC("syscall")
int produce(void *ctx)
{
	struct record *r;

	if (runtime_config.level > limit || ends.left)
		return 0;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		COUNT(lost_records);
		return 1;
	}
	bpf_ringbuf_submit(r, wakeup(&records));
	return 0;
}

SEC("iter/bpf_map_elem")
int walk(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
