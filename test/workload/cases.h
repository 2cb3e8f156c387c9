/* SPDX-License-Identifier: Apache-2.0 */
/* Every case is one function for the server's process and one for the client's; either may be absent. */
#pragma once

/* closing.c: which side closes first, and how */
void client_closes_server(void);
void client_closes_client(void);
void server_closes_server(void);
void server_closes_client(void);
void half_close_server(void);
void half_close_client(void);
void reset_server(void);
void reset_client(void);
void reuse_client(void);
void again_server(void);
void again_client(void);
void unread_server(void);
void unread_client(void);
void late_data_server(void);
void late_data_client(void);

/* connecting.c: attempts and how they end */
void attempt_client(void);
void killed_client(void);
void nonblocking_client(void);
void nonblocking_refused_client(void);
void abandoned_client(void);
void interrupted_client(void);
void cookie_client(void);

/* handing.c: connections that change hands */
void forked_server(void);
void forked_client(void);
void passed_server(void);
void passed_client(void);
void thread_server(void);
void thread_client(void);
void executed_server(void);
void executed_client(void);
void executed_heir(void);

/* serving.c: servers whose connections are not served by the process that listens */
void served_client(void);
void forking_server(void);
void prefork_server(void);
void prefork_multipath_server(void);
void multipath_served_client(void);
void killed_worker_server(void);
void activated_server(void);
void activated_heir(void);

/* uring.c: accepts by io_uring */
void uring_server(void);
void uring_multishot_server(void);
void uring_direct_server(void);
void uring_multishot_direct_server(void);
void uring_no_files_server(void);

/* handshake.c: unusual handshakes */
void numbered_client(void);
void self_client(void);
void fastopen_server(void);
void fastopen_client(void);
void deferred_server(void);
void deferred_client(void);
void multipath_server(void);
void multipath_client(void);
void unaccepted_server(void);
void unaccepted_client(void);

/* holding.c: connections that stay open until they are released */
void held_server(void);
void held_client(void);

/* bulk.c: many connections */
void burst_server(void);
void burst_client(void);
void short_server(void);
void short_client(void);
void paced_client(void);
void crowd_server(void);
void crowd_client(void);
void unanswered_client(void);

/* accepting.c: listen() and accept() */
void accepters_server(void);
void accepters_client(void);
void no_files_server(void);
void no_files_client(void);
void listen_server(void);
void queued_server(void);
void queued_client(void);

/* bytes.c: sends and receives that are hard to count */
void bytes_server(void);
void bytes_client(void);

/* puppet.c: one step for each line of standard input */
void puppet_client(void);

/* datagrams.c */
void datagrams_server(void);
void datagrams_client(void);
