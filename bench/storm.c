// SPDX-License-Identifier: Apache-2.0
// storm CPU MILLISECONDS: makes loopback connections one after the other, with both ends in one thread on one CPU.
// For every 100 it prints the nanoseconds per connection, in wall time and in this thread's CPU time.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 100

static long now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

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
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof(there);
	unsigned int source = 0;
	cpu_set_t cpus;
	long end;

	must(argc == 3, "usage: storm CPU MILLISECONDS");
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[1]), &cpus);
	must(!sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity");
	must(!bind(listener, (struct sockaddr *)&there, size) && !listen(listener, 16), "listen");
	must(!getsockname(listener, (struct sockaddr *)&there, &size), "getsockname");
	end = now(CLOCK_MONOTONIC) + atol(argv[2]) * 1000000;
	while (now(CLOCK_MONOTONIC) < end) {
		long begun = now(CLOCK_MONOTONIC), cpu = now(CLOCK_THREAD_CPUTIME_ID);

		for (int i = 0; i < BATCH; i++) {
			/* From many addresses, so that ports do not run out. */
			struct sockaddr_in here = { .sin_family = AF_INET,
						    .sin_addr.s_addr = htonl(INADDR_LOOPBACK +
									     source++ % 250) };
			int client = socket(AF_INET, SOCK_STREAM, 0), server;
			char byte = 0;

			must(!bind(client, (struct sockaddr *)&here, sizeof(here)), "bind");
			must(!connect(client, (struct sockaddr *)&there, sizeof(there)), "connect");
			server = accept(listener, NULL, NULL);
			must(server >= 0, "accept");
			must(write(client, &byte, 1) == 1 && read(server, &byte, 1) == 1, "send");
			close(client);
			close(server);
		}
		printf("%ld %ld\n", (now(CLOCK_MONOTONIC) - begun) / BATCH,
		       (now(CLOCK_THREAD_CPUTIME_ID) - cpu) / BATCH);
	}
	return 0;
}
