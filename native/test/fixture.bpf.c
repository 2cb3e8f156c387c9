// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Loaded by the addon's tests: one small program or map for each test subject.
#include <linux/bpf.h>
/* The next ones use its types. */
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef __u32 u32;
typedef __u64 u64;

const volatile u32 answer = 7;
const volatile u64 wide = 1;

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 64 * 1024);
} ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __type(key, u32);
  __type(value, u64);
} table SEC(".maps");

/* With a seed of zero a test can choose keys that all fall into one bucket. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_ZERO_SEED);
  __uint(max_entries, 64);
  __type(key, u32);
  __uint(value_size, 32000);
} crowded SEC(".maps");

struct sock;

struct share {
  u64 count;
  u64 largest;
  u64 sum;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 4);
  __type(key, u32);
  __type(value, struct share);
} shares SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 2);
  __type(key, u32);
  __uint(value_size, 12);
} odd_shares SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 64);
  __uint(key_size, sizeof(u32));
  __uint(value_size, 8 * sizeof(u64));
} stacks SEC(".maps");

/* Counts what on_connect_end saw; shared between objects by the test of reuse. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, u64);
} seen SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, u64);
} of_socket SEC(".maps");

/* What the syscall programs read and write back. */
struct order {
  u32 first; /* number of the first record */
  u32 records;
  u32 size;    /* bytes of a record, 8 at least */
  u32 discard; /* every n-th record is discarded; 0: none */
  u32 wake;    /* whether the last one forces a wake-up */
  u32 refused; /* out: records that did not fit */
};

/* A reservation's size must be a constant to the verifier: hence a few sizes to choose from. */
static u32 *reserve(u32 size) {
  switch (size) {
    case 20:
      return bpf_ringbuf_reserve(&ring, 20, 0);
    case 4000:
      return bpf_ringbuf_reserve(&ring, 4000, 0);
    default:
      return bpf_ringbuf_reserve(&ring, 24, 0);
  }
}

static long write_record(u32 i, struct order *o) {
  u32 number = o->first + i;
  u64 flags = o->wake && i + 1 == o->records ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
  u32 *r = reserve(o->size);

  if (!r) {
    o->refused++;
    return 0;
  }
  r[0] = number;
  r[1] = ~number;
  if (o->discard && number % o->discard == 0)
    bpf_ringbuf_discard(r, flags);
  else
    bpf_ringbuf_submit(r, flags);
  return 0;
}

SEC("syscall")
int produce(struct order *o) {
  struct order copy = *o;

  bpf_loop(copy.records, write_record, &copy, 0);
  o->refused = copy.refused;
  return copy.records;
}

SEC("syscall")
int constants(struct order *o) {
  o->first = answer;
  o->records = wide;
  o->size = wide >> 32;
  return answer;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(fixture_state) {
  u32 key = 0;
  u64 *count = bpf_map_lookup_elem(&seen, &key);

  if (count) __sync_fetch_and_add(count, 1);
  return 0;
}

/* Remembers the state that a socket is entering. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_socket, struct sock *sk, int from, int to) {
  u64 *state = bpf_sk_storage_get(&of_socket, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

  if (state) *state = to;
  return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(fixture_state_stack) {
  bpf_get_stackid(ctx, &stacks, 0);
  return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int on_accept(void *ctx) {
  u32 key = 0;
  u64 *count = bpf_map_lookup_elem(&seen, &key);

  if (count) __sync_fetch_and_add(count, 1);
  return 0;
}

struct bpf_iter_meta {
  struct seq_file *seq;
} __attribute__((preserve_access_index));

struct task_struct {
  int pid;
  int tgid;
} __attribute__((preserve_access_index));

struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
} __attribute__((preserve_access_index));

/* What flood has offered and what did not fit. */
u32 offered;
u32 refused;

/* Fills the ring from whatever thread reads the iterator: many records for each task. */
SEC("iter/task")
int flood(struct bpf_iter__task *ctx) {
  struct order o = {.first = offered, .records = 5000, .size = 24};

  if (!ctx->task) return 0;
  bpf_loop(o.records, write_record, &o, 0);
  offered += o.records;
  refused += o.refused;
  return 0;
}

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx) {
  struct task_struct *task = ctx->task;
  u32 row[2];

  if (!task) return 0;
  row[0] = task->pid;
  row[1] = task->tgid;
  bpf_seq_write(ctx->meta->seq, row, sizeof(row));
  return 0;
}

struct bpf_iter__bpf_map_elem {
  struct bpf_iter_meta *meta;
  void *map;
  u32 *key;
  u64 *value;
} __attribute__((preserve_access_index));

SEC("iter/bpf_map_elem")
int elements(struct bpf_iter__bpf_map_elem *ctx) {
  u32 *key = ctx->key;
  u64 *value = ctx->value;
  u64 row[2];

  if (!key || !value) return 0;
  row[0] = *key;
  row[1] = *value;
  bpf_seq_write(ctx->meta->seq, row, sizeof(row));
  return 0;
}

struct bpf_iter__bpf_sk_storage_map {
  struct bpf_iter_meta *meta;
  void *map;
  struct sock *sk;
  u64 *value;
} __attribute__((preserve_access_index));

SEC("iter/bpf_sk_storage_map")
int sockets(struct bpf_iter__bpf_sk_storage_map *ctx) {
  u64 *value = ctx->value;

  if (value) bpf_seq_write(ctx->meta->seq, value, sizeof(*value));
  return 0;
}

/* Rejected by the verifier: it reads through a pointer that may be null. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(broken) {
  u32 key = 0;
  u64 *count = bpf_map_lookup_elem(&table, &key);

  return *count;
}

/* No kernel has it. */
SEC("tp_btf/no_such_tracepoint")
int BPF_PROG(hookless) { return 0; }

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, u32);
} next SEC(".maps");

/* Returns the result of the next one, or 1 if there is none. */
SEC("raw_tp")
int call_next(void *ctx) {
  bpf_tail_call_static(ctx, &next, 0);
  return 1;
}

SEC("raw_tp")
int called(void *ctx) { return 2; }

char LICENSE[] SEC("license") = "GPL";
