// SPDX-License-Identifier: Apache-2.0
// messages CPU COUNT opaque|head: sends that many messages over one loopback connection and answers each, with both ends in one thread on
// one CPU. head: requests of 90 bytes, each with a different traceparent.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0),
	    server, yes = 1;
	char message[128] = "\x01 opaque ", answer[16] = "\x02 answer", into[256];
	socklen_t size = sizeof(there);
	cpu_set_t cpus;
	int heads;

	must(argc == 4, "usage: messages CPU COUNT opaque|head");
	heads = !strcmp(argv[3], "head");
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[1]), &cpus);
	must(!sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity");
	must(!bind(listener, (struct sockaddr *)&there, size) && !listen(listener, 16), "listen");
	must(!getsockname(listener, (struct sockaddr *)&there, &size), "getsockname");
	must(!connect(client, (struct sockaddr *)&there, sizeof(there)), "connect");
	server = accept(listener, NULL, NULL);
	must(server >= 0, "accept");
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	for (unsigned int i = 1; i <= (unsigned int)atoi(argv[2]); i++) {
		if (heads)
			snprintf(message, sizeof(message),
				 "GET /ab HTTP/1.1\r\ntraceparent: 00-%032x-%016x-01\r\n\r\n", i,
				 i);
		must(write(client, message, 90) == 90 && read(server, into, sizeof(into)) == 90,
		     "ask");
		must(write(server, answer, sizeof(answer)) == sizeof(answer) &&
			     read(client, into, sizeof(into)) == sizeof(answer),
		     "answer");
	}
	return 0;
}
