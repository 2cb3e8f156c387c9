// SPDX-License-Identifier: Apache-2.0
// Existing connections: opened, used, and then held until a line arrives on standard input.
// up= bytes before it, later= after it, down= the answer at the end.
#include "cases.h"

#include "conn.h"
#include "options.h"
#include "process.h"

void held_server(void)
{
	int listener = listen_here(0, 16);

	for (int i = 0; i < option_number("count", 1); i++) {
		struct conn conn = conn_accept(listener, i);

		conn_receive(&conn, option_number("up", 100) + option_number("later", 0));
		conn_send(&conn, option_number("down", 0));
		conn_drain(&conn);
		conn_end(&conn);
	}
}

void held_client(void)
{
	for (int i = 0; i < option_number("count", 1); i++) {
		struct conn conn = conn_dial(i);

		conn_send(&conn, option_number("up", 100));
		conn_say(&conn, "opened");
		wait_for_line();
		conn_send(&conn, option_number("later", 0));
		conn_receive(&conn, option_number("down", 0));
		conn_end(&conn);
	}
}
