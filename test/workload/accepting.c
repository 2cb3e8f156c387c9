// SPDX-License-Identifier: Apache-2.0
// Unusual uses of listen() and accept().
#include "cases.h"

#include <errno.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "process.h"
#include "say.h"

enum { FIRST_PORT = 21000, MOST = 64 };

struct accepter {
	int listener;
	int index;
	volatile pid_t tid; /* 0 until the thread is about to call accept */
	pthread_t thread;
};

static void *accept_one(void *argument)
{
	struct accepter *accepter = argument;
	struct conn conn;

	accepter->tid = gettid();
	conn = conn_accept(accepter->listener, accepter->index);
	conn_drain(&conn);
	conn_end(&conn);
	return NULL;
}

/* The kernel shows in which call a thread sleeps, but does not notify us, so we poll. */
static void wait_until_in_accept(const struct accepter *accepter)
{
	char path[64], text[64];
	long call = -1;

	while (call != SYS_accept && call != SYS_accept4) {
		FILE *file;

		sleep_ms(1);
		if (!accepter->tid)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", accepter->tid);
		file = fopen(path, "r");
		if (!file)
			fail("%s", path);
		/* "running" is not a number and leaves the call unchanged. */
		if (fgets(text, sizeof(text), file))
			sscanf(text, "%ld", &call);
		fclose(file);
	}
}

static int threads(void)
{
	int count = option_number("count", 25);

	if (count > MOST)
		fail("count=%d is above %d", count, MOST);
	return count;
}

/* One thread per port, from 21000 on; "blocked" is reported when all of them sleep in accept(). */
void accepters_server(void)
{
	const char *ip = option("listen", option("address", "127.0.0.1"));
	struct accepter accepters[MOST] = { 0 };
	struct line line;

	for (int i = 0; i < threads(); i++) {
		struct address here = address_of(ip, FIRST_PORT + i);

		accepters[i].index = i;
		accepters[i].listener = open_socket(&here, SOCK_STREAM, 0);
		if (bind(accepters[i].listener, &here.any, here.size) ||
		    listen(accepters[i].listener, 1))
			fail("listen at port %d", FIRST_PORT + i);
		if (pthread_create(&accepters[i].thread, NULL, accept_one, &accepters[i]))
			fail("thread");
	}
	for (int i = 0; i < threads(); i++)
		wait_until_in_accept(&accepters[i]);
	line_begin(&line, "blocked");
	line_number(&line, "threads", threads());
	line_end(&line);
	announce(accepters[0].listener, 1);
	for (int i = 0; i < threads(); i++)
		pthread_join(accepters[i].thread, NULL);
}

/* Waits for a line on standard input first. */
void accepters_client(void)
{
	wait_for_line();
	for (int i = 0; i < threads(); i++) {
		struct conn conn = conn_new(0, i);

		conn.remote = address_of(option("address", "127.0.0.1"), FIRST_PORT + i);
		if (conn_connect(&conn))
			fail("connect to port %d", FIRST_PORT + i);
		conn_send(&conn, 1);
		conn_end(&conn);
	}
}

/* accept() fails count= times for lack of a file descriptor, then succeeds. */
void no_files_server(void)
{
	int listener = listen_here(0, 16);
	struct rlimit limit, full;
	struct conn conn;
	int next;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("RLIMIT_NOFILE");
	next = dup(listener);
	close(next);
	full = (struct rlimit){ .rlim_cur = next, .rlim_max = limit.rlim_max };
	if (next < 0 || setrlimit(RLIMIT_NOFILE, &full))
		fail("RLIMIT_NOFILE");
	for (int i = 0; i < option_number("count", 3); i++) {
		int fd = accept(listener, NULL, NULL);
		int error = fd < 0 ? errno : 0;
		struct line line;

		line_begin(&line, "accept");
		line_number(&line, "index", i);
		line_number(&line, "errno", error);
		line_end(&line);
	}
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("RLIMIT_NOFILE");
	conn = conn_accept(listener, 0);
	conn_drain(&conn);
	conn_end(&conn);
}

void no_files_client(void)
{
	struct conn conn = conn_dial(0);

	conn_send(&conn, 1);
	conn_end(&conn);
}

static void listen_and_say(int fd, const char *variant, int backlog)
{
	struct address here = { .size = sizeof(here.v6) };
	int error = listen(fd, backlog) ? errno : 0;
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);
	struct line line;

	getsockname(fd, &here.any, &here.size);
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
	line_begin(&line, "listen");
	line_text(&line, "variant", variant);
	line_address(&line, "local", &here);
	line_number(&line, "backlog", backlog);
	line_number(&line, "effective",
		    error ? 0 : info.tcpi_sacked); /* for a listener, `sacked` is the limit */
	line_number(&line, "errno", error);
	line_cookies(&line, fd);
	line_end(&line);
}

static int bound(const char *ip, int port, int protocol)
{
	struct address here = address_of(ip, port);
	int fd = open_socket(&here, SOCK_STREAM, protocol);

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) ||
	    bind(fd, &here.any, here.size))
		fail("bind %s port %d", ip, port);
	return fd;
}

/* Each way to listen, one after the other, with a line for every call of listen(). */
void listen_server(void)
{
	struct address any = address_of("0.0.0.0", 0);
	int autobound = open_socket(&any, SOCK_STREAM, 0);
	int first, second;

	listen_and_say(autobound, "autobound", 5);
	listen_and_say(autobound, "again", 7);
	close(autobound);

	first = bound("127.0.0.1", FIRST_PORT, 0);
	second = bound("127.0.0.1", FIRST_PORT, 0);
	listen_and_say(first, "first", 5);
	listen_and_say(second, "taken", 5);
	close(second);
	close(first);

	first = bound("127.0.0.1", 0, 0);
	listen_and_say(first, "wide", 4096);
	close(first);

	first = bound("::", 0, 0);
	listen_and_say(first, "dual", 5);
	close(first);

	first = bound("127.0.0.1", 0, IPPROTO_MPTCP);
	listen_and_say(first, "multipath", 5);
	close(first);
}

/* Accepts only when the client requests it. */
void queued_server(void)
{
	int listener = listen_here(0, 16);
	struct conn conn;

	wait_for_client();
	conn = conn_accept(listener, 0);
	conn_receive(&conn, option_number("up", 100));
	conn_send(&conn, option_number("down", 0));
	conn_drain(&conn);
	conn_end(&conn);
}

/* Reports it when a line arrives on standard input. */
void queued_client(void)
{
	struct conn conn = conn_dial(0);

	conn_send(&conn, option_number("up", 100));
	conn_say(&conn, "opened");
	wait_for_line();
	tell_server();
	conn_receive(&conn, option_number("down", 0));
	conn_end(&conn);
}
