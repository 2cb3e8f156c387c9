// SPDX-License-Identifier: Apache-2.0
// Many connections, reported in one summary.
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "process.h"
#include "say.h"

struct total {
	uint64_t connections, failed, sent, received, first_ns, last_ns;
};

static void say_total(const struct total *total)
{
	struct line line;

	line_begin(&line, "summary");
	line_number(&line, "connections", total->connections);
	line_number(&line, "failed", total->failed);
	line_number(&line, "sent", total->sent);
	line_number(&line, "received", total->received);
	line_number(&line, "startNs", total->first_ns);
	line_number(&line, "endNs", total->last_ns);
	line_end(&line);
}

static void add(struct total *total, struct conn *conn)
{
	close(conn->fd);
	if (!total->first_ns)
		total->first_ns = conn->start_ns;
	total->last_ns = now_ns();
	total->connections += !conn->error;
	total->failed += !!conn->error;
	total->sent += conn->sent;
	total->received += conn->received;
}

void burst_server(void)
{
	int listener = listen_here(0, option_number("backlog", 4096));
	struct total total = { 0 };
	struct conn conn;

	while (conn_accept_while_client(listener, &conn, total.connections)) {
		conn_drain(&conn);
		add(&total, &conn);
	}
	say_total(&total);
}

static void one_byte(struct total *total, int index)
{
	struct conn conn = conn_new(0, index);

	if (!conn_connect(&conn))
		conn_send(&conn, option_number("up", 1));
	add(total, &conn);
}

void burst_client(void)
{
	struct total total = { 0 };

	for (int i = 0; i < option_number("count", 10000); i++)
		one_byte(&total, i);
	say_total(&total);
}

/* rate= per second for seconds=, each at its due time; late ones are not skipped. */
void paced_client(void)
{
	long rate = option_number("rate", 500);
	struct total total = { .first_ns = now_ns() };
	struct timespec due;

	clock_gettime(CLOCK_MONOTONIC, &due);
	for (int i = 0; i < rate * option_number("seconds", 1); i++) {
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
			;
		one_byte(&total, i);
		due.tv_nsec += 1000000000 / rate;
		due.tv_sec += due.tv_nsec / 1000000000;
		due.tv_nsec %= 1000000000;
	}
	say_total(&total);
}

/* Enough descriptors for all sockets that are held at once. */
static struct conn *crowd(long count)
{
	struct rlimit files = { .rlim_cur = count + 64, .rlim_max = count + 64 };
	struct conn *conns = calloc(count, sizeof(*conns));

	if (!conns || setrlimit(RLIMIT_NOFILE, &files))
		fail("room for %ld sockets", count);
	return conns;
}

/* Holds count= concurrent connections before it waits for the end of each. */
void crowd_server(void)
{
	long count = option_number("count", 12000);
	int listener = listen_here(0, option_number("backlog", 4096));
	struct conn *conns = crowd(count);
	struct total total = { 0 };

	for (int i = 0; i < count; i++)
		conns[i] = conn_accept(listener, i);
	for (int i = 0; i < count; i++) {
		conn_drain(&conns[i]);
		add(&total, &conns[i]);
	}
	say_total(&total);
}

/* The same with one byte on each, all of which are open when the first is closed. */
void crowd_client(void)
{
	long count = option_number("count", 12000);
	struct conn *conns = crowd(count);
	struct total total = { 0 };

	for (int i = 0; i < count; i++)
		conns[i] = conn_dial(i);
	for (int i = 0; i < count; i++) {
		conn_send(&conns[i], option_number("up", 1));
		add(&total, &conns[i]);
	}
	say_total(&total);
}

/* count= concurrent attempts that are never answered, closed when all have begun. */
void unanswered_client(void)
{
	long count = option_number("count", 12000);
	struct conn *conns = crowd(count);
	struct total total = { 0 };

	for (int i = 0; i < count; i++) {
		conns[i] = conn_new(0, i);
		fcntl(conns[i].fd, F_SETFL, O_NONBLOCK);
		if (conn_connect(&conns[i]) != EINPROGRESS)
			fail("attempt %d was answered", i);
		conns[i].error = EINPROGRESS;
	}
	for (int i = 0; i < count; i++)
		add(&total, &conns[i]);
	say_total(&total);
}

void short_server(void)
{
	burst_server();
}

/* count= processes "short-<i>", each with one connection that its exit closes. */
void short_client(void)
{
	struct total total = { .first_ns = now_ns() };

	for (int i = 0; i < option_number("count", 500); i++) {
		char comm[32];
		pid_t child;

		snprintf(comm, sizeof(comm), "short-%d", i);
		child = fork_as(comm);
		if (!child) {
			struct conn conn = conn_dial(i);

			conn_send(&conn, 1);
			conn_say(&conn, "exiting");
			_exit(0);
		}
		reap(child);
		total.connections++;
		total.sent++;
	}
	total.last_ns = now_ns();
	say_total(&total);
}
