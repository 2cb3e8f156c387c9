/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connection according to the program that holds it. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "say.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t size;
};

struct conn {
	int fd;
	int index; /* index within its case, from 0 */
	int error; /* the last errno */
	int connect_error; /* the immediate result of connect(): EINPROGRESS, ... */
	uint64_t sent;
	uint64_t received;
	uint64_t start_ns; /* before connect() or accept() */
	uint64_t open_ns; /* after it */
	struct address local;
	struct address remote;
};

struct address address_of(const char *ip, int port);
int address_port(const struct address *address);
/* Not bound yet; ends the program if the kernel does not have the protocol. */
int open_socket(const struct address *address, int type, int protocol);

/*
 * A socket that listens on listen= (else address=) and port=; the port is reported in a "listening" line and to
 * the driver, so that clients do not start earlier.
 */
int listen_here(int protocol, int backlog);
/* Its two halves, for callers that need something in between. */
int bind_here(int protocol);
void announce(int fd, int backlog);

/* A socket for address=:port=, with uid=, sourcePort= and synRetries= applied. */
struct conn conn_new(int protocol, int index);
void conn_bind(struct conn *conn, int port);
/* Returns errno, 0 for success. */
int conn_connect(struct conn *conn);
/* As clients usually do: creates and connects; the program ends if that fails. */
struct conn conn_dial(int index);
/* Ends the program if accept fails. */
struct conn conn_accept(int listener, int index);
/* The same, but false once the client side has ended and the queue is empty. */
bool conn_accept_while_client(int listener, struct conn *conn, int index);

/* All of these count bytes, and stop at an error, which is stored in conn->error. */
void conn_send(struct conn *conn, size_t bytes);
void conn_receive(struct conn *conn, size_t bytes);
/* Until end of file. */
void conn_drain(struct conn *conn);

/* Waits for poll's events; the socket's pending error, 0 for none, -1 when `ms` passed (-1: no limit). */
int conn_wait(struct conn *conn, short events, int ms);
/* Makes close() send an RST. */
void conn_reset_on_close(struct conn *conn);

/* Reports it, and leaves it open. */
void conn_say(struct conn *conn, const char *event);
/* Closes it and reports how it ended. */
void conn_end(struct conn *conn);

/* The members <key> and <key>Port of a line. */
void line_address(struct line *line, const char *key, const struct address *address);
/* netns and cookie. Reported last, because requesting a socket's cookie creates it, which must not happen early. */
void line_cookies(struct line *line, int fd);
