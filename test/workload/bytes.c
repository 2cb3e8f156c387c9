// SPDX-License-Identifier: Apache-2.0
// Sends and receives whose requested sizes are misleading: refused and partial sends, sendfile; MSG_PEEK and splice.
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "process.h"
#include "say.h"

enum { PEEKED = 111, SPLICED = 131072, FROM_FILE = 50000 };

/* Reads nothing until the client's socket is full. */
void bytes_server(void)
{
	int listener = listen_here(0, 16);
	struct conn conn = conn_accept(listener, 0);
	int drain = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char peeked[PEEKED];
	int64_t spliced = 0;
	struct line line;
	int through[2];

	if (drain < 0 || pipe2(through, O_CLOEXEC))
		fail("pipe");
	wait_for_client();
	if (recv(conn.fd, peeked, PEEKED, MSG_PEEK | MSG_WAITALL) != PEEKED)
		fail("peek");
	while (spliced < SPLICED) {
		ssize_t part = splice(conn.fd, NULL, through[1], NULL, SPLICED - spliced, 0);

		if (part <= 0)
			fail("splice from the socket");
		spliced += part;
		while (part > 0) {
			ssize_t done = splice(through[0], NULL, drain, NULL, part, 0);

			if (done <= 0)
				fail("splice to /dev/null");
			part -= done;
		}
	}
	conn.received += spliced;
	conn_drain(&conn);
	conn_send(&conn, option_number("down", 1000));
	line_begin(&line, "reads");
	line_number(&line, "peeked", PEEKED);
	line_number(&line, "spliced", spliced);
	line_end(&line);
	conn_end(&conn);
}

static void send_file(struct conn *conn)
{
	int file = memfd_create("file", MFD_CLOEXEC);
	size_t left = FROM_FILE;

	if (file < 0 || ftruncate(file, FROM_FILE))
		fail("memfd");
	while (left) {
		ssize_t done = sendfile(conn->fd, file, NULL, left);

		if (done <= 0)
			fail("sendfile");
		conn->sent += done;
		left -= done;
	}
	close(file);
}

/* Non-blocking sends of size= bytes until count= of them were refused, then sendfile. */
void bytes_client(void)
{
	struct conn conn = conn_dial(0);
	size_t size = option_number("size", 100000);
	char *zeros = calloc(1, size);
	int64_t asked = 0, partial = 0, refused = 0;
	struct line line;

	if (!zeros)
		fail("memory");
	while (refused < option_number("count", 20)) {
		ssize_t done = send(conn.fd, zeros, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (done < 0 && errno != EAGAIN)
			fail("send");
		asked += size;
		refused += done < 0;
		partial += done >= 0 && (size_t)done < size;
		conn.sent += done > 0 ? done : 0;
	}
	free(zeros);
	tell_server();
	send_file(&conn);
	shutdown(conn.fd, SHUT_WR);
	conn_drain(&conn);
	line_begin(&line, "sends");
	line_number(&line, "asked", asked);
	line_number(&line, "partial", partial);
	line_number(&line, "refused", refused);
	line_number(&line, "fromFile", FROM_FILE);
	line_end(&line);
	conn_end(&conn);
}
