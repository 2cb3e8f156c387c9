// SPDX-License-Identifier: Apache-2.0
// hold CONNECTIONS: opens that many over loopback, both ends in this process, and sends a byte over each;
// prints "held", and closes them at the end of standard input.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_in there = { .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), count;
	socklen_t size = sizeof(there);
	struct rlimit files;
	char byte = 0;

	must(argc == 2, "usage: hold CONNECTIONS");
	count = atoi(argv[1]);
	must(!getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
	files.rlim_cur = 2 * count + 64;
	if (files.rlim_max < files.rlim_cur)
		files.rlim_max = files.rlim_cur;
	must(!setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
	must(!bind(listener, (struct sockaddr *)&there, size) && !listen(listener, 16), "listen");
	must(!getsockname(listener, (struct sockaddr *)&there, &size), "getsockname");
	for (int i = 0; i < count; i++) {
		/* From many addresses, so that ports do not run out. */
		struct sockaddr_in here = { .sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + i % 250) };
		int client = socket(AF_INET, SOCK_STREAM, 0), server;

		must(!bind(client, (struct sockaddr *)&here, sizeof(here)), "bind");
		must(!connect(client, (struct sockaddr *)&there, sizeof(there)), "connect");
		server = accept(listener, NULL, NULL);
		must(server >= 0, "accept");
		must(write(client, &byte, 1) == 1 && read(server, &byte, 1) == 1, "send");
	}
	puts("held");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
