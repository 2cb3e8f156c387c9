// SPDX-License-Identifier: Apache-2.0
// Servers whose connections are not served by the process that listens.
#include "cases.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "process.h"
#include "say.h"

static int count(void)
{
	return option_number("count", 1);
}

/* With nothing to read it closes at once, as for a probe. */
static void serve(struct conn *conn)
{
	if (option_number("up", 0))
		conn_drain(conn);
	conn_send(conn, option_number("down", 0));
	conn_end(conn);
}

static void accept_and_serve(int listener)
{
	for (int i = 0; i < count(); i++) {
		struct conn conn = conn_accept(listener, i);

		serve(&conn);
	}
}

/* The client for all of them; the server's close ends a connection. */
void served_client(void)
{
	for (int i = 0; i < count(); i++) {
		struct conn conn = conn_dial(i);

		if (option_number("up", 0)) {
			conn_send(&conn, option_number("up", 0));
			shutdown(conn.fd, SHUT_WR);
		}
		conn_drain(&conn);
		conn_end(&conn);
	}
}

/* The parent accepts and closes its descriptor; a child for each connection ("pbackend") serves. */
void forking_server(void)
{
	int listener = listen_here(0, 16);

	for (int i = 0; i < count(); i++) {
		struct conn conn = conn_accept(listener, i);
		int released[2];
		pid_t child;
		char byte;

		if (pipe(released))
			fail("pipe");
		child = fork_as("pbackend");
		if (!child) {
			close(released[1]);
			if (read(released[0], &byte, 1))
				fail("the parent wrote");
			serve(&conn);
			_exit(0);
		}
		close(released[0]);
		close(conn.fd);
		close(released[1]); /* the child continues at the end of the pipe */
		reap(child);
	}
}

static void serve_in_worker(int protocol, void (*work)(int listener))
{
	int listener = listen_here(protocol, 16);
	pid_t child = fork_as("pworker");

	if (!child) {
		work(listener);
		_exit(0);
	}
	reap(child);
}

/* The parent only listens; a child ("pworker") accepts and serves. */
void prefork_server(void)
{
	serve_in_worker(0, accept_and_serve);
}

void prefork_multipath_server(void)
{
	serve_in_worker(IPPROTO_MPTCP, accept_and_serve);
}

void multipath_served_client(void)
{
	struct conn conn = conn_new(IPPROTO_MPTCP, 0);

	if (conn_connect(&conn))
		fail("connect");
	conn_send(&conn, option_number("up", 0));
	shutdown(conn.fd, SHUT_WR);
	conn_drain(&conn);
	conn_end(&conn);
}

/* The worker is killed with a connection that it has neither read nor written. */
void killed_worker_server(void)
{
	int listener = listen_here(0, 16), status;
	pid_t child = fork_as("pworker");

	if (!child) {
		struct conn conn = conn_accept(listener, 0);

		conn_say(&conn, "accepted");
		raise(SIGKILL);
	}
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
		fail("waitpid");
}

/* A supervisor listens; the service ("pexec") that it starts receives the listener, and accepts. */
void activated_server(void)
{
	int listener = listen_here(0, 16);
	char fd[32], number[32], up[32], down[32];
	pid_t child = fork_as("pservice");

	if (!child) {
		fcntl(listener, F_SETFD, 0);
		snprintf(fd, sizeof(fd), "fd=%d", listener);
		snprintf(number, sizeof(number), "count=%d", count());
		snprintf(up, sizeof(up), "up=%ld", option_number("up", 0));
		snprintf(down, sizeof(down), "down=%ld", option_number("down", 0));
		become("pexec",
		       (char *[]){ "pexec", (char *)case_name(), fd, number, up, down, NULL });
	}
	close(listener);
	reap(child);
}

void activated_heir(void)
{
	accept_and_serve(option_number("fd", -1));
}
