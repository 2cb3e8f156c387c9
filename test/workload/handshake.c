// SPDX-License-Identifier: Apache-2.0
// Handshakes other than a client, a server and three segments.
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mptcp.h>
#include <linux/tcp.h>
#include <poll.h>

#include "conn.h"
#include "options.h"
#include "process.h"
#include "say.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

/* The sequence number of the next byte in a direction, with TCP_REPAIR, which needs CAP_NET_ADMIN. */
static unsigned int next_number(int fd, int queue)
{
	unsigned int number;

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) ||
	    getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &number, &(socklen_t){ sizeof(number) }))
		fail("TCP_QUEUE_SEQ %d", queue);
	return number;
}

/* Reports the numbers of the first bytes after both SYNs, before anything is sent. */
void numbered_client(void)
{
	struct conn conn = conn_dial(0);
	struct line line;

	if (setsockopt(conn.fd, IPPROTO_TCP, TCP_REPAIR, &(int){ TCP_REPAIR_ON }, sizeof(int)))
		fail("TCP_REPAIR");
	line_begin(&line, "numbers");
	line_number(&line, "opener", next_number(conn.fd, TCP_SEND_QUEUE));
	line_number(&line, "acceptor", next_number(conn.fd, TCP_RECV_QUEUE));
	line_end(&line);
	if (setsockopt(conn.fd, IPPROTO_TCP, TCP_REPAIR, &(int){ TCP_REPAIR_OFF_NO_WP },
		       sizeof(int)))
		fail("TCP_REPAIR");
	conn_send(&conn, option_number("up", 10));
	conn_end(&conn);
}

/* One socket that is its own peer. */
void self_client(void)
{
	struct conn conn = conn_new(0, 0);

	conn_bind(&conn, address_port(&conn.remote));
	if (conn_connect(&conn))
		fail("connect to itself");
	conn_send(&conn, option_number("up", 10));
	conn_receive(&conn, option_number("up", 10));
	conn_end(&conn);
}

void fastopen_server(void)
{
	int listener = bind_here(0);

	if (setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &(int){ 16 }, sizeof(int)) ||
	    listen(listener, 16))
		fail("TCP_FASTOPEN");
	announce(listener, 16);
	for (int i = 0; i < option_number("count", 2); i++) {
		struct conn conn = conn_accept(listener, i);

		conn_drain(&conn);
		conn_end(&conn);
	}
}

/* The first requests a cookie, the second uses it (the caller sets net.ipv4.tcp_fastopen=3). */
void fastopen_client(void)
{
	static const char data[200];

	for (int i = 0; i < option_number("count", 2); i++) {
		struct conn conn = conn_new(0, i);
		ssize_t sent;

		conn.start_ns = now_ns();
		sent = sendto(conn.fd, data, sizeof(data), MSG_FASTOPEN, &conn.remote.any,
			      conn.remote.size);
		if (sent < 0)
			fail("sendto(MSG_FASTOPEN)");
		conn.sent = sent;
		conn.open_ns = now_ns();
		getsockname(conn.fd, &conn.local.any, &(socklen_t){ sizeof(conn.local.v6) });
		/*
		 * The answer to the SYN must have arrived before close, otherwise the connection has nothing to
		 * report.
		 */
		conn_wait(&conn, POLLOUT, -1);
		shutdown(conn.fd, SHUT_WR);
		conn_drain(&conn);
		conn_end(&conn);
	}
}

void deferred_server(void)
{
	int listener = bind_here(0);
	struct conn conn;

	if (setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &(int){ 16 }, sizeof(int)) ||
	    listen(listener, 16))
		fail("TCP_FASTOPEN");
	announce(listener, 16);
	for (int i = 0; conn_accept_while_client(listener, &conn, i); i++) {
		conn_drain(&conn);
		conn_end(&conn);
	}
}

/*
 * TCP_FASTOPEN_CONNECT: the first requests a cookie; with it, the second's SYN waits for the first data, `delay` after
 * a line that comes after connect(). With up=0 it is closed without any, so that no SYN ever leaves.
 */
void deferred_client(void)
{
	for (int i = 0; i < option_number("count", 2); i++) {
		struct conn conn = conn_new(0, i);
		bool last = i == option_number("count", 2) - 1;
		int error;

		if (setsockopt(conn.fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 1 },
			       sizeof(int)))
			fail("TCP_FASTOPEN_CONNECT");
		error = conn_connect(&conn);
		if (error)
			fail("connect %d", i);
		conn_say(&conn, "opened");
		if (last) {
			wait_for_line();
			sleep_ms(option_number("delay", 500));
		}
		if (!last || option_number("up", 40)) {
			conn_send(&conn, option_number("up", 40));
			shutdown(conn.fd, SHUT_WR);
			conn_drain(&conn);
		}
		conn_end(&conn);
	}
}

static void say_multipath(const struct conn *conn)
{
	struct mptcp_info info = { 0 };
	socklen_t size = sizeof(info);
	struct line line;

	/* A connection that fell back to plain TCP may not answer at all. */
	bool answered = !getsockopt(conn->fd, SOL_MPTCP, MPTCP_INFO, &info, &size);

	line_begin(&line, "multipath");
	line_flag(&line, "fallback", !answered || info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK);
	line_number(&line, "extraSubflows", info.mptcpi_subflows);
	line_number(&line, "token", info.mptcpi_token);
	line_end(&line);
}

void multipath_server(void)
{
	int listener = listen_here(IPPROTO_MPTCP, 16);
	struct conn conn = conn_accept(listener, 0);

	conn_receive(&conn, option_number("up", 1234));
	say_multipath(&conn);
	conn_drain(&conn);
	conn_end(&conn);
}

void multipath_client(void)
{
	struct conn conn = conn_new(IPPROTO_MPTCP, 0);

	if (conn_connect(&conn))
		fail("connect");
	conn_send(&conn, option_number("up", 1234));
	say_multipath(&conn);
	conn_end(&conn);
}

/* Listens, accepts nothing, and closes when the client requests it. */
void unaccepted_server(void)
{
	listen_here(0, option_number("backlog", 1));
	wait_for_client();
}

void unaccepted_client(void)
{
	enum { MOST = 64 };
	struct conn conns[MOST];
	int count = option_number("count", 4);
	bool open[MOST];

	if (count > MOST)
		fail("count=%d is above %d", count, MOST);
	for (int i = 0; i < count; i++) {
		conns[i] = conn_new(0, i);
		fcntl(conns[i].fd, F_SETFL, O_NONBLOCK);
		if (conn_connect(&conns[i]) != EINPROGRESS)
			fail("connect %d", i);
	}
	sleep_ms(option_number("delay", 1300));
	for (int i = 0; i < count; i++) {
		open[i] = !conn_wait(&conns[i], POLLOUT, 0);
		if (!open[i])
			conn_end(&conns[i]);
	}
	tell_server();
	for (int i = 0; i < count; i++) {
		if (!open[i])
			continue;
		conn_wait(&conns[i], POLLIN, -1);
		conn_end(&conns[i]);
	}
}
