/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, threads and the pipes between them. */
#pragma once

#include <sys/types.h>

void set_comm(const char *comm);

/* fork(); the child gets the name and ends with its parent. */
pid_t fork_as(const char *comm);

/* Waits for the child and ends the program unless it exited with 0. */
void reap(pid_t child);

/* Executes another program in the same folder. */
__attribute__((noreturn)) void become(const char *program, char **arguments);

/* For the client and the server of a case: the client's signal, and the server's wait for it (or for its end). */
void tell_server(void);
void wait_for_client(void);

/* Waits for a line (or the end) of standard input. */
void wait_for_line(void);

void pin_to_cpu(int cpu);
