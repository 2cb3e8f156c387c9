// SPDX-License-Identifier: Apache-2.0
// The listening side of a case.
#include <stdio.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "say.h"

int bind_here(int protocol)
{
	struct address here = address_of(option("listen", option("address", "127.0.0.1")),
					 option_number("port", 0));
	int fd = open_socket(&here, SOCK_STREAM, protocol);

	/* So that a port in TIME_WAIT from the previous run can be used. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) ||
	    bind(fd, &here.any, here.size))
		fail("bind to port %d", address_port(&here));
	return fd;
}

void announce(int fd, int backlog)
{
	struct address here = { .size = sizeof(here.v6) };
	int ready = option_number("ready", -1);
	struct line line;

	if (getsockname(fd, &here.any, &here.size))
		fail("getsockname");
	line_begin(&line, "listening");
	line_address(&line, "local", &here);
	line_number(&line, "backlog", backlog);
	line_cookies(&line, fd);
	line_end(&line);
	if (ready >= 0) {
		dprintf(ready, "%d\n", address_port(&here));
		close(ready);
	}
}

int listen_here(int protocol, int backlog)
{
	int fd = bind_here(protocol);

	if (listen(fd, backlog))
		fail("listen");
	announce(fd, backlog);
	return fd;
}
