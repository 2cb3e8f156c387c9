/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, threads and the pipes between them. */
#pragma once

#include <sys/types.h>

void set_comm(const char *comm);

/* fork(); the child gets the name and dies with its parent. */
pid_t fork_as(const char *comm);

/* Waits for the child and ends the program unless it exited with 0. */
void reap(pid_t child);

/* Turns this process into another of the programs beside it. */
__attribute__((noreturn)) void become(const char *program, char **arguments);

/* Client and server of one case: the client's signal, and the server waiting for it (or for its end). */
void tell_server(void);
void wait_for_client(void);

/* Waits for a line (or the end) of standard input. */
void wait_for_line(void);

void pin_to_cpu(int cpu);
