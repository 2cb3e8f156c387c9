// SPDX-License-Identifier: Apache-2.0
// Which side closes first, and how. up=, down= are bytes, delay= ms before the second close.
#include "cases.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "say.h"

static long count(void)
{
	return option_number("count", 1);
}

void client_closes_server(void)
{
	int listener = listen_here(0, 16);

	for (int i = 0; i < count(); i++) {
		struct conn conn = conn_accept(listener, i);

		conn_receive(&conn, option_number("up", 1000));
		conn_send(&conn, option_number("down", 500));
		conn_drain(&conn);
		sleep_ms(option_number("delay", 50));
		conn_end(&conn);
	}
}

void client_closes_client(void)
{
	for (int i = 0; i < count(); i++) {
		struct conn conn = conn_dial(i);

		conn_send(&conn, option_number("up", 1000));
		conn_receive(&conn, option_number("down", 500));
		conn_end(&conn);
	}
}

void server_closes_server(void)
{
	int listener = listen_here(0, 16);

	for (int i = 0; i < count(); i++) {
		struct conn conn = conn_accept(listener, i);

		conn_receive(&conn, option_number("up", 1000));
		conn_send(&conn, option_number("down", 500));
		conn_end(&conn);
	}
}

/* Each waits for its own delay without blocking the next one: a queue in order of end of file. */
void server_closes_client(void)
{
	struct waiting {
		struct conn conn;
		uint64_t due_ns;
	} *queue = calloc(count(), sizeof(*queue));
	int first = 0;

	if (!queue)
		fail("memory");
	for (int i = 0; i < count(); i++) {
		struct conn conn = conn_dial(i);

		conn_send(&conn, option_number("up", 1000));
		conn_drain(&conn);
		queue[i] =
			(struct waiting){ conn, now_ns() + option_number("delay", 45) * 1000000 };
		for (; first <= i && now_ns() >= queue[first].due_ns; first++)
			conn_end(&queue[first].conn);
	}
	for (; first < count(); first++) {
		int64_t left_ns = queue[first].due_ns - now_ns();

		if (left_ns > 0)
			sleep_ms(left_ns / 1000000 + 1);
		conn_end(&queue[first].conn);
	}
	free(queue);
}

void half_close_server(void)
{
	int listener = listen_here(0, 16);
	struct conn conn = conn_accept(listener, 0);

	conn_drain(&conn);
	sleep_ms(option_number("delay", 100));
	conn_send(&conn, option_number("down", 3000));
	conn_end(&conn);
}

void half_close_client(void)
{
	struct conn conn = conn_dial(0);

	conn_send(&conn, option_number("up", 100));
	shutdown(conn.fd, SHUT_WR);
	conn_drain(&conn);
	conn_end(&conn);
}

/* reset has one connection, reusedPort three; the reply (one byte) says that the server has read everything. */
void reset_server(void)
{
	bool reuse = option_given("sourcePort");
	int listener = listen_here(0, 16);

	for (int i = 0; i < option_number("count", reuse ? 3 : 1); i++) {
		struct conn conn = conn_accept(listener, i);

		conn_receive(&conn, option_number("up", 100) * (reuse ? i + 1 : 1));
		conn_send(&conn, option_number("down", 1));
		conn_drain(&conn);
		conn_end(&conn);
	}
}

static void reset_one(int index, long bytes)
{
	struct conn conn = conn_dial(index);

	conn_send(&conn, bytes);
	conn_receive(&conn, option_number("down", 1));
	conn_reset_on_close(&conn);
	conn_end(&conn);
}

void reset_client(void)
{
	for (int i = 0; i < count(); i++)
		reset_one(i, option_number("up", 100));
}

/* The same two ports each time (sourcePort= is required): 100, 200, 300 bytes. */
void reuse_client(void)
{
	if (!option_given("sourcePort"))
		fail("sourcePort= is missing");
	for (int i = 0; i < option_number("count", 3); i++)
		reset_one(i, option_number("up", 100) * (i + 1));
}

/* The reply (one byte) says that the server has read everything. */
void again_server(void)
{
	int listener = listen_here(0, 16);

	for (int i = 0; i < option_number("count", 4); i++) {
		struct conn conn = conn_accept(listener, i);

		conn_receive(&conn, option_number("up", 100) * (i + 1));
		conn_send(&conn, 1);
		conn_drain(&conn);
		conn_end(&conn);
	}
}

static void disconnect(const struct conn *conn)
{
	if (connect(conn->fd, &(struct sockaddr){ .sa_family = AF_UNSPEC },
		    sizeof(struct sockaddr)))
		fail("disconnect");
}

/* One socket: refused, then connected that many times, with 100, 200, 300, ... bytes; `delay` before each end. */
void again_client(void)
{
	struct conn conn = conn_new(0, 0);
	struct address server = conn.remote;

	conn.remote = address_of(option("address", "127.0.0.1"), 9);
	if (conn_connect(&conn) != ECONNREFUSED)
		fail("port 9 does not refuse");
	conn_say(&conn, "opened");
	conn.remote = server;
	for (int i = 0; i < option_number("count", 4); i++) {
		if (i)
			disconnect(&conn);
		conn.index = i;
		conn.error = conn.sent = conn.received = 0;
		if (conn_connect(&conn))
			fail("connect %d", i);
		conn_send(&conn, option_number("up", 100) * (i + 1));
		conn_receive(&conn, 1);
		conn_say(&conn, "opened");
		sleep_ms(option_number("delay", 0));
	}
	disconnect(&conn);
	conn_end(&conn);
}

/* Closes while everything that has arrived is still unread. */
void unread_server(void)
{
	int bytes = option_number("up", 300);
	int listener = listen_here(0, 16);
	struct conn conn = conn_accept(listener, 0);
	int waiting;
	struct line line;

	if (setsockopt(conn.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)))
		fail("SO_RCVLOWAT");
	conn_wait(&conn, POLLIN, -1);
	if (ioctl(conn.fd, FIONREAD, &waiting))
		fail("FIONREAD");
	line_begin(&line, "unread");
	line_number(&line, "bytes", waiting);
	line_end(&line);
	conn_end(&conn);
}

void unread_client(void)
{
	struct conn conn = conn_dial(0);

	conn_send(&conn, option_number("up", 300));
	conn_drain(&conn);
	conn_end(&conn);
}

void late_data_server(void)
{
	int listener = listen_here(0, 16);
	struct conn conn = conn_accept(listener, 0);

	conn_receive(&conn, 1);
	conn_end(&conn);
}

/* Continues to send after the server has closed; the answer is an RST. */
void late_data_client(void)
{
	struct conn conn = conn_dial(0);

	conn_send(&conn, 1);
	conn_drain(&conn);
	conn_send(&conn, option_number("up", 100));
	conn_wait(&conn, 0, -1);
	conn_end(&conn);
}
