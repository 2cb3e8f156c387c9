// SPDX-License-Identifier: Apache-2.0
// UDP: count= datagrams of size= bytes.
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "conn.h"
#include "options.h"
#include "process.h"
#include "say.h"

static void say_datagrams(uint64_t datagrams, uint64_t bytes, uint64_t failed)
{
	struct line line;

	line_begin(&line, "datagrams");
	line_number(&line, "datagrams", datagrams);
	line_number(&line, "bytes", bytes);
	line_number(&line, "failed", failed);
	line_end(&line);
}

/* Receives until the client has ended and nothing is left. What its buffer could not hold is not counted. */
void datagrams_server(void)
{
	struct address here = address_of(option("listen", option("address", "127.0.0.1")),
					 option_number("port", 0));
	int fd = open_socket(&here, SOCK_DGRAM, 0);
	struct pollfd waited[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = option_number("control", -1), .events = POLLIN },
	};
	static char sink[65536];
	uint64_t datagrams = 0, bytes = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 64 << 20 }, sizeof(int)) ||
	    bind(fd, &here.any, here.size))
		fail("bind");
	announce(fd, 0);
	while (poll(waited, 2, -1) > 0) {
		ssize_t done;

		while ((done = recv(fd, sink, sizeof(sink), MSG_DONTWAIT)) >= 0) {
			datagrams++;
			bytes += done;
		}
		if (waited[1].revents && !(waited[0].revents & POLLIN))
			break;
	}
	say_datagrams(datagrams, bytes, 0);
}

void datagrams_client(void)
{
	struct address there = address_of(option("address", "127.0.0.1"), option_number("port", 9));
	int fd = open_socket(&there, SOCK_DGRAM, 0);
	static const char zeros[65507];
	size_t size = option_number("size", 64);
	uint64_t datagrams = 0, failed = 0;

	if (size > sizeof(zeros))
		fail("size=%zu is above %zu", size, sizeof(zeros));
	/* Not connected, so that a "port unreachable" answer does not make a later send fail. */
	for (int i = 0; i < option_number("count", 1000); i++) {
		if (sendto(fd, zeros, size, 0, &there.any, there.size) < 0)
			failed++;
		else
			datagrams++;
	}
	say_datagrams(datagrams, datagrams * size, failed);
}
