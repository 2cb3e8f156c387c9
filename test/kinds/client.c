// SPDX-License-Identifier: Apache-2.0
// Opens one connection to a port of 127.0.0.1, from the first thread or, with "gone", from another thread after the first has ended.
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *work(void *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char byte = 0;

	usleep(100000);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (void *)&to, sizeof(to)) || write(fd, &byte, 1) != 1)
		exit(1);
	usleep(400000);
	close(fd);
	usleep(100000);
	exit(0);
}

int main(int count, char **words)
{
	pthread_t thread;

	if (count < 3 || strcmp(words[2], "gone"))
		work(words[1]);
	if (pthread_create(&thread, NULL, work, words[1]))
		return 1;
	pthread_exit(NULL);
}
