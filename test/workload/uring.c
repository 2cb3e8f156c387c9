// SPDX-License-Identifier: Apache-2.0
// A worker that accepts and serves through io_uring, without the usual system calls.
#include "cases.h"

#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "process.h"
#include "say.h"

enum { ENTRIES = 8 };

static struct {
	int fd;
	unsigned *submitted, *submit_mask, *submit_array, *taken, *completed, *complete_mask;
	struct io_uring_sqe *requests;
	struct io_uring_cqe *results;
} ring;

static void *shared(unsigned long size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, offset);

	if (at == MAP_FAILED)
		fail("mmap");
	return at;
}

static void open_ring(void)
{
	struct io_uring_params p = { 0 };
	char *requests, *results;

	ring.fd = syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (ring.fd < 0)
		fail("io_uring_setup");
	requests = shared(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	results = shared(p.cq_off.cqes + p.cq_entries * sizeof(*ring.results), IORING_OFF_CQ_RING);
	ring.requests = shared(p.sq_entries * sizeof(*ring.requests), IORING_OFF_SQES);
	ring.submitted = (void *)(requests + p.sq_off.tail);
	ring.submit_mask = (void *)(requests + p.sq_off.ring_mask);
	ring.submit_array = (void *)(requests + p.sq_off.array);
	ring.taken = (void *)(results + p.cq_off.head);
	ring.completed = (void *)(results + p.cq_off.tail);
	ring.complete_mask = (void *)(results + p.cq_off.ring_mask);
	ring.results = (void *)(results + p.cq_off.cqes);
}

static void submit(const struct io_uring_sqe *request)
{
	unsigned tail = *ring.submitted, at = tail & *ring.submit_mask;

	ring.requests[at] = *request;
	ring.submit_array[at] = at;
	__atomic_store_n(ring.submitted, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) != 1)
		fail("io_uring_enter");
}

static int result(void)
{
	struct io_uring_cqe *entry;
	int value;

	while (__atomic_load_n(ring.completed, __ATOMIC_ACQUIRE) == *ring.taken)
		if (syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			fail("io_uring_enter");
	entry = &ring.results[*ring.taken & *ring.complete_mask];
	value = entry->res;
	__atomic_store_n(ring.taken, *ring.taken + 1, __ATOMIC_RELEASE);
	return value;
}

static void register_files(void)
{
	int none[ENTRIES];

	memset(none, -1, sizeof(none));
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, none, ENTRIES))
		fail("IORING_REGISTER_FILES");
}

static void say_result(int value)
{
	struct line line;

	line_begin(&line, "accept");
	line_number(&line, "index", 0);
	line_number(&line, "errno", value < 0 ? -value : 0);
	line_end(&line);
}

/* Everything that arrives, then the end. */
static void serve(int fd, bool registered)
{
	static char buffer[4096];
	struct io_uring_sqe receive = { .opcode = IORING_OP_RECV,
					.fd = fd,
					.addr = (unsigned long)buffer,
					.len = sizeof(buffer),
					.flags = registered ? IOSQE_FIXED_FILE : 0 };
	struct io_uring_sqe close = { .opcode = IORING_OP_CLOSE,
				      .fd = registered ? 0 : fd,
				      .file_index = registered ? fd + 1 : 0 };

	do
		submit(&receive);
	while (result() > 0);
	submit(&close);
	if (result())
		fail("IORING_OP_CLOSE");
}

static void serve_by_uring(bool several, bool registered)
{
	int listener = listen_here(0, 16);
	struct io_uring_sqe accept = { .opcode = IORING_OP_ACCEPT,
				       .fd = listener,
				       .ioprio = several ? IORING_ACCEPT_MULTISHOT : 0,
				       .file_index = registered ? IORING_FILE_INDEX_ALLOC : 0 };
	pid_t child = fork_as("pworker");

	if (child) {
		reap(child);
		return;
	}
	open_ring();
	if (registered)
		register_files();
	for (int i = 0; i < option_number("count", 1); i++) {
		int fd;

		if (!i || !several)
			submit(&accept);
		fd = result();
		if (fd < 0)
			fail("accept %d", fd);
		say_result(fd);
		serve(fd, registered);
	}
	_exit(0);
}

void uring_server(void)
{
	serve_by_uring(false, false);
}

/* One request accepts all. */
void uring_multishot_server(void)
{
	serve_by_uring(true, false);
}

/* Accepted connections have no descriptor, but a slot among the ring's files. */
void uring_direct_server(void)
{
	serve_by_uring(false, true);
}

void uring_multishot_direct_server(void)
{
	serve_by_uring(true, true);
}

/* Fails for lack of a file descriptor, then succeeds. */
void uring_no_files_server(void)
{
	int listener = listen_here(0, 16), fd;
	struct io_uring_sqe accept = { .opcode = IORING_OP_ACCEPT, .fd = listener };
	struct rlimit limit, full;

	open_ring();
	fd = dup(listener);
	close(fd);
	if (fd < 0 || getrlimit(RLIMIT_NOFILE, &limit))
		fail("RLIMIT_NOFILE");
	full = (struct rlimit){ .rlim_cur = fd, .rlim_max = limit.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &full))
		fail("RLIMIT_NOFILE");
	submit(&accept);
	say_result(result());
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("RLIMIT_NOFILE");
	submit(&accept);
	fd = result();
	say_result(fd);
	serve(fd, false);
}
