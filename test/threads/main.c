// A program whose threads exchange arbitrary bytes over connections, and which publishes the context of each message as an
// SDK does.
//
//     main PAYLOAD LIBRARY    PAYLOAD: what it publishes about itself, hexadecimal, or -
//                             LIBRARY: the publishing library to load, or - if it is linked
//
// It prints "ready" once each connection has carried a message. Then it executes lines of standard input, and prints "done":
//     send CONTEXT [EVERY]    100 messages on each connection, of which one in EVERY (1) has a context; CONTEXT: context,
//                             invalid or none. It prints the traceparents of those that have one.
//     connect PORT            attempts to connect in a context, whose traceparent it prints
//     exec WORDS              executes another program
#include <arpa/inet.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "publisher.h"

#define CONNECTIONS 4
#define MESSAGES    100

static void (*thread_says)(const uint8_t *, const uint8_t *, enum says);
static int (*process_says)(const void *, size_t);
static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;
static struct sockaddr_in address = { .sin_family = AF_INET };
static pthread_barrier_t turn;
static enum says says;
static int every;

#ifndef LINKED
// No publisher is linked, so a library is loaded.
#define publish_thread  NULL
#define publish_process NULL
#endif

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void say_traceparent(const uint8_t *trace, const uint8_t *span)
{
	char text[64] = "00-";

	for (int i = 0; i < 16; i++)
		sprintf(text + strlen(text), "%02x", trace[i]);
	strcat(text, "-");
	for (int i = 0; i < 8; i++)
		sprintf(text + strlen(text), "%02x", span[i]);
	pthread_mutex_lock(&printing);
	printf("%s-01\n", text);
	pthread_mutex_unlock(&printing);
}

// A new context for what the thread does next.
static void begin(enum says now)
{
	uint8_t ids[24];

	if (getrandom(ids, sizeof(ids), 0) != sizeof(ids))
		fail("getrandom");
	ids[0] |= 1;
	ids[16] |= 1;
	thread_says(ids, ids + 16, now);
	if (now == CONTEXT)
		say_traceparent(ids, ids + 16);
}

static void *answer(void *argument)
{
	int fd = (long)argument;
	char bytes[64];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		if (write(fd, bytes, 16) != 16)
			break;
	return NULL;
}

static void *serve(void *argument)
{
	for (;;) {
		long fd = accept((long)argument, NULL, NULL);
		pthread_t thread;

		if (fd < 0 || pthread_create(&thread, NULL, answer, (void *)fd))
			fail("accept");
	}
	return NULL;
}

// The format of a TLS record.
static void talk(int fd)
{
	char bytes[64] = "\x17\x03\x03";

	if (write(fd, bytes, 40) != 40 || read(fd, bytes, sizeof(bytes)) != 16)
		fail("talk");
}

static int connected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fail("connect");
	return fd;
}

static void *ask(void *argument)
{
	int fd = connected();

	(void)argument;
	talk(fd);
	for (;;) {
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
		for (int i = 0; i < MESSAGES; i++) {
			begin(i % every ? NO_POINTER : says);
			talk(fd);
		}
		begin(NO_POINTER);
		pthread_barrier_wait(&turn);
	}
	return NULL;
}

static void try_to_connect(int port)
{
	struct sockaddr_in to = address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons(port);
	begin(CONTEXT);
	connect(fd, (struct sockaddr *)&to, sizeof(to));
	begin(NO_POINTER);
	close(fd);
}

static void load(const char *library)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	thread_says = dlsym(handle, "publish_thread");
	process_says = dlsym(handle, "publish_process");
}

static void publish(const char *hex)
{
	size_t size = strlen(hex) / 2;
	uint8_t *payload = calloc(1, size + 1);

	for (size_t i = 0; i < size; i++)
		sscanf(hex + 2 * i, "%2hhx", &payload[i]);
	if (process_says(payload, size))
		fail("publish");
}

static void become(char *words)
{
	char *all[8] = { strtok(words, " \n") };

	for (int i = 1; i < 7 && all[i - 1]; i++)
		all[i] = strtok(NULL, " \n");
	execv(all[0], all);
	fail("exec");
}

int main(int count, char **words)
{
	long listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof(address);
	char line[512], context[16];
	pthread_t thread;

	if (count != 3)
		return 2;
	thread_says = publish_thread;
	process_says = publish_process;
	if (strcmp(words[2], "-"))
		load(words[2]);
	if (strcmp(words[1], "-"))
		publish(words[1]);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 64) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		fail("listen");
	pthread_barrier_init(&turn, NULL, CONNECTIONS + 1);
	pthread_create(&thread, NULL, serve, (void *)listener);
	for (int i = 0; i < CONNECTIONS; i++)
		pthread_create(&thread, NULL, ask, NULL);
	pthread_barrier_wait(&turn);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		every = 1;
		if (sscanf(line, "send %15s %d", context, &every) >= 1) {
			says = !strcmp(context, "context")   ? CONTEXT
			       : !strcmp(context, "invalid") ? NOT_VALID
							     : NO_POINTER;
			pthread_barrier_wait(&turn);
			pthread_barrier_wait(&turn);
			pthread_barrier_wait(&turn);
		} else if (!strncmp(line, "connect ", 8)) {
			try_to_connect(atoi(line + 8));
		} else if (!strncmp(line, "exec ", 5)) {
			become(line + 5);
		}
		printf("done\n");
		fflush(stdout);
	}
	return 0;
}
