// SPDX-License-Identifier: Apache-2.0
#include "conn.h"

#include <errno.h>
#include <linux/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "say.h"

int open_socket(const struct address *address, int type, int protocol)
{
	int fd = socket(address->any.sa_family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		fail("no socket of protocol %d", protocol);
	return fd;
}

struct conn conn_new(int protocol, int index)
{
	struct conn conn = {
		.index = index,
		.remote = address_of(option("address", "127.0.0.1"), option_number("port", 9)),
	};
	int retries = option_number("synRetries", 0);

	conn.fd = open_socket(&conn.remote, SOCK_STREAM, protocol);
	conn.start_ns = now_ns();
	if (retries && setsockopt(conn.fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof(retries)))
		fail("TCP_SYNCNT %d", retries);
	if (option_given("sourcePort"))
		conn_bind(&conn, option_number("sourcePort", 0));
	return conn;
}

void conn_bind(struct conn *conn, int port)
{
	struct address own = conn->remote;

	/* The route determines the address, except for a connection to itself. */
	if (own.any.sa_family == AF_INET)
		own.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	else
		own.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	if (setsockopt(conn->fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) ||
	    bind(conn->fd, &own.any, own.size))
		fail("bind to port %d", port);
}

static void learn_local(struct conn *conn)
{
	conn->local.size = sizeof(conn->local.v6);
	getsockname(conn->fd, &conn->local.any, &conn->local.size);
}

int conn_connect(struct conn *conn)
{
	conn->start_ns = now_ns();
	conn->connect_error = connect(conn->fd, &conn->remote.any, conn->remote.size) ? errno : 0;
	conn->open_ns = now_ns();
	learn_local(conn);
	if (conn->connect_error != EINPROGRESS)
		conn->error = conn->connect_error;
	return conn->connect_error;
}

struct conn conn_dial(int index)
{
	struct conn conn = conn_new(0, index);

	if (conn_connect(&conn))
		fail("connect %d", index);
	return conn;
}

struct conn conn_accept(int listener, int index)
{
	struct conn conn = { .index = index, .start_ns = now_ns() };

	conn.remote.size = sizeof(conn.remote.v6);
	do
		conn.fd = accept4(listener, &conn.remote.any, &conn.remote.size, SOCK_CLOEXEC);
	while (conn.fd < 0 && errno == EINTR);
	if (conn.fd < 0)
		fail("accept %d", index);
	conn.open_ns = now_ns();
	learn_local(&conn);
	return conn;
}

bool conn_accept_while_client(int listener, struct conn *conn, int index)
{
	struct pollfd waited[2] = {
		{ .fd = listener, .events = POLLIN },
		{ .fd = option_number("control", -1), .events = POLLIN },
	};

	/* poll ignores negative fds: without a driver this waits only for connections. */
	if (poll(waited, 2, -1) < 0)
		fail("poll");
	/* The last handshake may still be in a softirq when its client has already ended. */
	if (!(waited[0].revents & POLLIN) && poll(waited, 1, 100) <= 0)
		return false;
	*conn = conn_accept(listener, index);
	return true;
}

void conn_send(struct conn *conn, size_t bytes)
{
	static const char zeros[65536];

	while (bytes && !conn->error) {
		size_t part = bytes < sizeof(zeros) ? bytes : sizeof(zeros);
		ssize_t done = send(conn->fd, zeros, part, MSG_NOSIGNAL);

		if (done < 0) {
			conn->error = errno;
			return;
		}
		conn->sent += done;
		bytes -= done;
	}
}

void conn_receive(struct conn *conn, size_t bytes)
{
	static _Thread_local char sink[65536];

	while (bytes && !conn->error) {
		size_t part = bytes < sizeof(sink) ? bytes : sizeof(sink);
		ssize_t done = recv(conn->fd, sink, part, 0);

		if (done < 0)
			conn->error = errno;
		if (done <= 0)
			return;
		conn->received += done;
		bytes -= done;
	}
}

void conn_drain(struct conn *conn)
{
	conn_receive(conn, SIZE_MAX);
}

int conn_wait(struct conn *conn, short events, int ms)
{
	struct pollfd waited = { .fd = conn->fd, .events = events };
	socklen_t size = sizeof(int);
	int pending = 0;
	int ready = poll(&waited, 1, ms);

	if (ready < 0)
		fail("poll");
	if (!ready)
		return -1;
	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &pending, &size))
		fail("SO_ERROR");
	if (pending)
		conn->error = pending;
	return pending;
}

void conn_reset_on_close(struct conn *conn)
{
	struct linger none = { .l_onoff = 1, .l_linger = 0 };

	if (setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)))
		fail("SO_LINGER");
}
