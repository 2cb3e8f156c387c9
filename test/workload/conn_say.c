// SPDX-License-Identifier: Apache-2.0
// The report about a connection: its ends, its bytes as the program counted them, and the socket's own statistics.
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "conn.h"
#include "say.h"

#define TCPI_SYN_DATA 32 /* TCPI_OPT_SYN_DATA, missing in older headers */

struct address address_of(const char *ip, int port)
{
	struct address address = { .size = sizeof(address.v4) };

	address.v4.sin_family = AF_INET;
	address.v4.sin_port = htons(port);
	if (inet_pton(AF_INET, ip, &address.v4.sin_addr) == 1)
		return address;
	address = (struct address){ .size = sizeof(address.v6) };
	address.v6.sin6_family = AF_INET6;
	address.v6.sin6_port = htons(port);
	if (inet_pton(AF_INET6, ip, &address.v6.sin6_addr) != 1)
		fail("%s is no IP address", ip);
	return address;
}

int address_port(const struct address *address)
{
	return ntohs(address->v4.sin_port); /* in the same place in both families */
}

void line_address(struct line *line, const char *key, const struct address *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	char port_key[32];

	if (address->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof(text));
	else if (address->any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof(text));
	snprintf(port_key, sizeof(port_key), "%sPort", key);
	line_text(line, key, text);
	line_number(line, port_key, address_port(address));
}

void line_cookies(struct line *line, int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size);
	line_number(line, "netns", cookie);
	size = sizeof(cookie);
	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size);
	line_number(line, "cookie", cookie);
}

static void line_socket(struct line *line, int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size)) {
		line_number(line, "state", info.tcpi_state);
		line_number(line, "rttUs", info.tcpi_rtt);
		line_number(line, "minRttUs", info.tcpi_min_rtt);
		line_number(line, "segmentsOut", info.tcpi_segs_out);
		line_number(line, "segmentsIn", info.tcpi_segs_in);
		line_number(line, "retransmits", info.tcpi_total_retrans);
		line_number(line, "bytesAcked", info.tcpi_bytes_acked);
		line_number(line, "bytesReceived", info.tcpi_bytes_received);
		line_number(line, "bytesSent", info.tcpi_bytes_sent);
		line_number(line, "bytesRetransmitted", info.tcpi_bytes_retrans);
		line_flag(line, "fastopen", info.tcpi_options & TCPI_SYN_DATA);
	}
}

static void describe(struct line *line, struct conn *conn, const char *event)
{
	bool six = conn->remote.any.sa_family == AF_INET6;

	line_begin(line, event);
	line_number(line, "index", conn->index);
	line_text(line, "family", six ? "ipv6" : "ipv4");
	line_flag(line, "mapped", six && IN6_IS_ADDR_V4MAPPED(&conn->remote.v6.sin6_addr));
	line_address(line, "local", &conn->local);
	line_address(line, "remote", &conn->remote);
	line_number(line, "sent", conn->sent);
	line_number(line, "received", conn->received);
	line_number(line, "errno", conn->error);
	line_number(line, "connectErrno", conn->connect_error);
	line_number(line, "startNs", conn->start_ns);
	line_number(line, "openNs", conn->open_ns);
	line_socket(line, conn->fd);
	line_cookies(line, conn->fd);
}

void conn_say(struct conn *conn, const char *event)
{
	struct line line;

	describe(&line, conn, event);
	line_end(&line);
}

void conn_end(struct conn *conn)
{
	struct line line;

	describe(&line, conn, "end");
	close(conn->fd);
	line_number(&line, "endNs", now_ns());
	line_end(&line);
}
