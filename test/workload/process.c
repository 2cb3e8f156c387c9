// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "say.h"

void set_comm(const char *comm)
{
	prctl(PR_SET_NAME, comm);
}

pid_t fork_as(const char *comm)
{
	pid_t parent = getpid();
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		set_comm(comm);
	}
	return child;
}

void reap(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		fail("waitpid");
	if (status)
		fail("process %d ended with status 0x%x", child, status);
}

void become(const char *program, char **arguments)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (length < 0)
		fail("/proc/self/exe");
	path[length] = 0;
	slash = strrchr(path, '/') + 1;
	snprintf(slash, path + sizeof(path) - slash, "%s", program);
	execv(path, arguments);
	fail("exec %s", path);
}

void tell_server(void)
{
	int control = option_number("control", -1);

	if (control >= 0 && write(control, "!", 1) != 1)
		fail("the server is gone");
}

void wait_for_client(void)
{
	int control = option_number("control", -1);
	char byte;

	while (control >= 0 && read(control, &byte, 1) < 0)
		if (errno != EINTR)
			fail("control pipe");
}

void wait_for_line(void)
{
	char byte = 0;

	while (byte != '\n' && read(STDIN_FILENO, &byte, 1) == 1)
		;
}

void pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("pin to CPU %d", cpu);
}
