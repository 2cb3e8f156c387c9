// SPDX-License-Identifier: Apache-2.0
// Connections that are closed by another task than the one that opened or accepted them.
#include "cases.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "process.h"
#include "say.h"

static void drain_one(void)
{
	int listener = listen_here(0, 16);
	struct conn conn = conn_accept(listener, 0);

	conn_drain(&conn);
	conn_end(&conn);
}

void forked_server(void)
{
	drain_one();
}

/* The parent closes its descriptor first; the child ("pchild") sends and closes. */
void forked_client(void)
{
	struct conn conn = conn_dial(0);
	int released[2];
	char byte;
	pid_t child;

	if (pipe(released))
		fail("pipe");
	conn_say(&conn, "opened");
	child = fork_as("pchild");
	if (!child) {
		close(released[1]);
		if (read(released[0], &byte, 1))
			fail("the parent wrote");
		conn_send(&conn, option_number("up", 10));
		conn_end(&conn);
		_exit(0);
	}
	close(released[0]);
	close(conn.fd);
	close(released[1]); /* the child continues at the end of the pipe */
	reap(child);
}

union message {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

static void pass(int through, int fd)
{
	union message message = { .header = { .cmsg_level = SOL_SOCKET,
					      .cmsg_type = SCM_RIGHTS,
					      .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct msghdr header = { .msg_iov = &(struct iovec){ .iov_base = "!", .iov_len = 1 },
				 .msg_iovlen = 1,
				 .msg_control = message.bytes,
				 .msg_controllen = sizeof(message.bytes) };

	memcpy(CMSG_DATA(&message.header), &fd, sizeof(fd));
	if (sendmsg(through, &header, 0) != 1)
		fail("sendmsg");
}

static int passed(int through)
{
	union message message;
	char byte;
	struct msghdr header = { .msg_iov = &(struct iovec){ .iov_base = &byte, .iov_len = 1 },
				 .msg_iovlen = 1,
				 .msg_control = message.bytes,
				 .msg_controllen = sizeof(message.bytes) };
	int fd;

	if (recvmsg(through, &header, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&header))
		fail("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(fd));
	return fd;
}

/* Accepts, passes the connection to an older child ("pheir") and closes its descriptor; the child sends and closes. */
void passed_server(void)
{
	int pair[2];
	struct conn conn;
	pid_t child;
	int listener;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		fail("socketpair");
	child = fork_as("pheir");
	if (!child) {
		/* The pipes to the driver stay open here, which delays nothing, because we end before our parent. */
		int fd = passed(pair[1]);

		if (read(pair[1], &conn, sizeof(conn)) != sizeof(conn))
			fail("read");
		conn.fd = fd;
		conn_send(&conn, option_number("down", 77));
		conn_end(&conn);
		_exit(0);
	}
	listener = listen_here(0, 16);
	conn = conn_accept(listener, 0);
	conn_say(&conn, "accepted");
	pass(pair[0], conn.fd);
	close(conn.fd);
	if (write(pair[0], &conn, sizeof(conn)) != sizeof(conn))
		fail("write");
	reap(child);
}

void passed_client(void)
{
	struct conn conn = conn_dial(0);

	conn_drain(&conn);
	conn_end(&conn);
}

static void *accept_here(void *listener)
{
	struct conn conn = conn_accept(*(int *)listener, 0);

	conn_drain(&conn);
	conn_end(&conn);
	return NULL;
}

/* The main thread listens, another accepts. */
void thread_server(void)
{
	int listener = listen_here(0, 16);
	pthread_t thread;

	if (pthread_create(&thread, NULL, accept_here, &listener) || pthread_join(thread, NULL))
		fail("thread");
}

void thread_client(void)
{
	struct conn conn = conn_dial(0);

	conn_send(&conn, option_number("up", 10));
	conn_end(&conn);
}

void executed_server(void)
{
	drain_one();
}

/* Opens a connection, then executes pexec with it at another fd. */
void executed_client(void)
{
	struct conn conn = conn_dial(0);
	char option[32];
	int fd;

	conn_say(&conn, "opened");
	fd = dup2(conn.fd, 100); /* unlike the first, it stays open across exec */
	snprintf(option, sizeof(option), "fd=%d", fd);
	become("pexec", (char *[]){ "pexec", (char *)case_name(), option, NULL });
}

void executed_heir(void)
{
	struct conn conn = { .fd = option_number("fd", -1),
			     .start_ns = now_ns(),
			     .open_ns = now_ns() };

	conn.local.size = conn.remote.size = sizeof(conn.local.v6);
	if (getsockname(conn.fd, &conn.local.any, &conn.local.size) ||
	    getpeername(conn.fd, &conn.remote.any, &conn.remote.size))
		fail("no connection at fd %d", conn.fd);
	conn_send(&conn, 50);
	conn_end(&conn);
}
