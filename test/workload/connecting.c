// SPDX-License-Identifier: Apache-2.0
// Attempts to connect and how they end. The caller sets up the network (closed port, nft rule, no route).
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "process.h"
#include "say.h"

void attempt_client(void)
{
	for (int i = 0; i < option_number("count", 1); i++) {
		struct conn conn = conn_new(0, i);

		conn_connect(&conn);
		conn_end(&conn);
	}
}

/* A process that is killed while it waits for an answer: it reports before that, because it cannot afterwards. */
void killed_client(void)
{
	struct line line;
	int begun[2];
	int status;
	char byte;
	pid_t child;

	if (pipe2(begun, O_CLOEXEC))
		fail("pipe");
	child = fork_as("pcli");
	if (!child) {
		struct conn conn = conn_new(0, 0);

		line_begin(&line, "connecting");
		line_address(&line, "remote", &conn.remote);
		line_end(&line);
		close(begun[0]);
		close(begun[1]);
		conn_connect(&conn);
		fail("connect came back");
	}
	close(begun[1]);
	if (read(begun[0], &byte, 1)) /* ends as the child closes its side */
		fail("the child wrote");
	sleep_ms(option_number("delay", 300));
	kill(child, SIGKILL);
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL)
		fail("process %d was not killed: 0x%x", child, status);
	line_begin(&line, "killed");
	line_number(&line, "child", child);
	line_end(&line);
}

static struct conn begin_nonblocking(int index)
{
	struct conn conn = conn_new(0, index);

	fcntl(conn.fd, F_SETFL, O_NONBLOCK);
	if (conn_connect(&conn) != EINPROGRESS)
		fail("connect did not answer EINPROGRESS");
	return conn;
}

void nonblocking_client(void)
{
	struct conn conn = begin_nonblocking(0);

	if (conn_wait(&conn, POLLOUT, -1))
		fail("connection failed with errno %d", conn.error);
	fcntl(conn.fd, F_SETFL, 0);
	conn_send(&conn, option_number("up", 1000));
	conn_receive(&conn, option_number("down", 500));
	conn_end(&conn);
}

void nonblocking_refused_client(void)
{
	struct conn conn = begin_nonblocking(0);

	conn_wait(&conn, POLLOUT, -1);
	conn_end(&conn);
}

static void do_nothing(int number)
{
	(void)number;
}

/* A signal ends connect(), but not the attempt. */
void interrupted_client(void)
{
	struct sigaction action = { .sa_handler = do_nothing };
	struct itimerval soon = { .it_value = { .tv_usec = option_number("delay", 100) * 1000 } };
	struct conn conn = conn_new(0, 0);

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	if (conn_connect(&conn) != EINTR)
		fail("connect was not interrupted but returned errno %d", conn.connect_error);
	conn.error = 0;
	conn_wait(&conn, POLLOUT, -1);
	conn_end(&conn);
}

/* Closed before any answer. */
void abandoned_client(void)
{
	struct conn conn = begin_nonblocking(0);

	if (conn_wait(&conn, POLLOUT, option_number("delay", 100)) != -1)
		fail("an answer came: errno %d", conn.error);
	conn_end(&conn);
}

/* No connection: only reports the network namespace. */
void cookie_client(void)
{
	struct address any = address_of("0.0.0.0", 0);
	struct line line;

	line_begin(&line, "cookie");
	line_cookies(&line, open_socket(&any, SOCK_DGRAM, 0));
	line_end(&line);
}
