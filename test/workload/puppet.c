// SPDX-License-Identifier: Apache-2.0
// Sockets that do one thing for each line of standard input, so that the observer can change in between:
//     listen L | connect C L | accept A L | send C BYTES | fin C | reset C | unconnect C | close C
// Names are single letters. Each line is answered with a line "did".
#include "cases.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "say.h"

static int sockets[128];

static int *socket_of(char name)
{
	if (!isalpha((unsigned char)name))
		fail("\"%c\" names no socket", name);
	return &sockets[(int)name];
}

static int new_socket(const struct address *at)
{
	return open_socket(at, SOCK_STREAM, 0);
}

static void move(int from, int to, size_t bytes)
{
	static char buffer[65536];

	if (bytes > sizeof(buffer) || send(from, buffer, bytes, 0) != (ssize_t)bytes)
		fail("send %zu bytes", bytes);
	if (to && recv(to, buffer, bytes, MSG_WAITALL) != (ssize_t)bytes)
		fail("receive %zu bytes", bytes);
}

static void connect_to(int fd, int listener)
{
	struct address there = { .size = sizeof(there.v6) };

	if (getsockname(listener, &there.any, &there.size) || connect(fd, &there.any, there.size))
		fail("connect");
}

static void act(const char *verb, char name, char other, size_t bytes)
{
	const struct address here = address_of(option("address", "127.0.0.1"), 0);
	int *fd = socket_of(name);

	if (!strcmp(verb, "listen")) {
		*fd = new_socket(&here);
		if (bind(*fd, &here.any, here.size) || listen(*fd, 16))
			fail("listen");
	} else if (!strcmp(verb, "connect")) {
		if (!*fd)
			*fd = new_socket(&here);
		connect_to(*fd, *socket_of(other));
	} else if (!strcmp(verb, "accept")) {
		*fd = accept(*socket_of(other), NULL, NULL);
		if (*fd < 0)
			fail("accept");
	} else if (!strcmp(verb, "send")) {
		move(*fd, *socket_of(other), bytes);
	} else if (!strcmp(verb, "fin")) {
		if (shutdown(*fd, SHUT_WR))
			fail("shutdown");
	} else if (!strcmp(verb, "unconnect")) {
		if (connect(*fd, &(struct sockaddr){ .sa_family = AF_UNSPEC },
			    sizeof(struct sockaddr)))
			fail("unconnect");
	} else {
		const struct linger at_once = { .l_onoff = 1 };

		if (!strcmp(verb, "reset"))
			setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		else if (strcmp(verb, "close"))
			fail("no such verb: %s", verb);
		close(*fd);
		*fd = 0;
	}
}

void puppet_client(void)
{
	char text[64], verb[16], name, other;
	struct line line;
	size_t bytes;

	while (fgets(text, sizeof(text), stdin)) {
		other = 'z';
		bytes = 0;
		if (sscanf(text, "%15s %c %c %zu", verb, &name, &other, &bytes) < 2)
			fail("not understood: %s", text);
		act(verb, name, other, bytes);
		line_begin(&line, "did");
		line_text(&line, "verb", verb);
		line_end(&line);
	}
}
