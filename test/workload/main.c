// SPDX-License-Identifier: Apache-2.0
// load CASE [key=value...]: runs the case's server as "psrv" and its client as "pcli", each in its namespace.
// Under those names the same program runs one side alone; as "pexec" it is what a client executes.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "options.h"
#include "process.h"
#include "say.h"

struct workload {
	const char *name;
	void (*server)(void);
	void (*client)(void);
};

static const struct workload CASES[] = {
	{ "attempt", NULL, attempt_client },
	{ "clientCloses", client_closes_server, client_closes_client },
	{ "serverCloses", server_closes_server, server_closes_client },
	{ "killedConnecting", NULL, killed_client },
	{ "nonblocking", client_closes_server, nonblocking_client },
	{ "nonblockingRefused", NULL, nonblocking_refused_client },
	{ "abandoned", NULL, abandoned_client },
	{ "interrupted", NULL, interrupted_client },
	{ "inheritedByChild", forked_server, forked_client },
	{ "passedToChild", passed_server, passed_client },
	{ "acceptedByThread", thread_server, thread_client },
	{ "halfClose", half_close_server, half_close_client },
	{ "reset", reset_server, reset_client },
	{ "selfConnect", NULL, self_client },
	{ "reusedPort", reset_server, reuse_client },
	{ "fastOpen", fastopen_server, fastopen_client },
	{ "deferred", deferred_server, deferred_client },
	{ "multipath", multipath_server, multipath_client },
	{ "unaccepted", unaccepted_server, unaccepted_client },
	{ "burst", burst_server, burst_client },
	{ "shortLived", short_server, short_client },
	{ "held", held_server, held_client },
	{ "executed", executed_server, executed_client },
	{ "unread", unread_server, unread_client },
	{ "reconnected", again_server, again_client },
	{ "sequenceNumbers", forked_server, numbered_client },
	{ "late", late_data_server, late_data_client },
	{ "paced", burst_server, paced_client },
	{ "crowd", crowd_server, crowd_client },
	{ "unanswered", NULL, unanswered_client },
	{ "accepters", accepters_server, accepters_client },
	{ "emfile", no_files_server, no_files_client },
	{ "forking", forking_server, served_client },
	{ "prefork", prefork_server, served_client },
	{ "preforkMultipath", prefork_multipath_server, multipath_served_client },
	{ "killedWorker", killed_worker_server, served_client },
	{ "activated", activated_server, served_client },
	{ "uring", uring_server, served_client },
	{ "uringMultishot", uring_multishot_server, served_client },
	{ "uringDirect", uring_direct_server, served_client },
	{ "uringMultishotDirect", uring_multishot_direct_server, served_client },
	{ "uringEmfile", uring_no_files_server, served_client },
	{ "listen", listen_server, NULL },
	{ "queued", queued_server, queued_client },
	{ "bytes", bytes_server, bytes_client },
	{ "datagrams", datagrams_server, datagrams_client },
	{ "cookie", NULL, cookie_client },
	{ "puppet", NULL, puppet_client },
};

static void play(void (*part)(void), const char *role)
{
	say_as(case_name(), role);
	if (!part)
		fail("this case has no %s", role);
	part();
	usleep(option_number("linger", 0) * 1000);
}

/* A child in its namespace, with one end of each pipe (a negative fd is none). */
static pid_t start(const char *program, const char *namespace, int ready, int control,
		   char **options)
{
	pid_t child = fork_as(program);
	char fds[2][32];
	char *arguments[64] = { (char *)program, (char *)case_name(), fds[0], fds[1] };
	int fd;

	if (child)
		return child;
	if (namespace) {
		fd = open(namespace, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, CLONE_NEWNET))
			fail("enter %s", namespace);
	}
	for (int i = 0; options[i] && i < 59; i++)
		arguments[4 + i] = options[i];
	snprintf(fds[0], sizeof(fds[0]), "ready=%d", ready);
	snprintf(fds[1], sizeof(fds[1]), "control=%d", control);
	if (ready >= 0)
		fcntl(ready, F_SETFD, 0);
	fcntl(control, F_SETFD, 0);
	if (!strcmp(program, "psrv") && !freopen("/dev/null", "r", stdin))
		fail("/dev/null");
	become(option(strcmp(program, "pcli") ? "serverFile" : "clientFile", program), arguments);
}

static char *server_port(int ready)
{
	static char option[32] = "port=";
	ssize_t length = read(ready, option + 5, sizeof(option) - 6);

	if (length <= 0)
		fail("the server ended before it listened");
	option[5 + length - 1] = 0;
	return option;
}

/* Both must exit successfully; if one fails, the other is not waited for. */
static int outcome(pid_t children[2])
{
	int status, result = 0;

	for (pid_t ended; (ended = wait(&status)) > 0;) {
		int which = ended == children[1];

		children[which] = 0;
		if (!status)
			continue;
		fprintf(stderr, "%s: %s ended with status 0x%x\n", case_name(),
			which ? "pcli" : "psrv", status);
		if (children[!which])
			kill(children[!which], SIGKILL);
		result = 1;
	}
	return result;
}

static int drive(const struct workload *workload, char **options, int count)
{
	char **with_port = calloc(count + 2, sizeof(char *));
	pid_t children[2] = { 0, 0 };
	int ready[2], control[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!with_port || pipe2(ready, O_CLOEXEC) || pipe2(control, O_CLOEXEC))
		fail("pipe");
	memcpy(with_port, options, count * sizeof(char *));
	if (workload->server) {
		children[0] =
			start("psrv", option("serverNetns", NULL), ready[1], control[0], options);
		close(ready[1]);
		if (workload->client)
			with_port[count] = server_port(ready[0]);
	}
	close(control[0]);
	if (workload->client)
		children[1] = start("pcli", option("clientNetns", NULL), -1, control[1], with_port);
	close(control[1]);
	return outcome(children);
}

static const struct workload *find(const char *name)
{
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++)
		if (!strcmp(CASES[i].name, name))
			return &CASES[i];
	fail("no such case");
}

/* Switches to another user before the first socket. */
static void set_user(void)
{
	long uid = option_number("uid", -1);

	if (uid < 0)
		return;
	/* The change of user clears what fork_as set. */
	if (setgid(uid) || setuid(uid) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		fail("become user %ld", uid);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *program = slash ? slash + 1 : argv[0];
	const struct workload *workload;

	if (argc < 2)
		fail("usage: %s CASE [key=value...]", program);
	say_as(argv[1], program);
	workload = find(argv[1]);
	options_read(argc - 2, argv + 2);
	if (option_given("cpu"))
		pin_to_cpu(option_number("cpu", 0));
	if (!strcmp(program, "psrv")) {
		set_comm(option("serverComm", "psrv"));
		play(workload->server, "server");
	} else if (!strcmp(program, "pcli")) {
		set_comm(option("clientComm", "pcli"));
		set_user();
		play(workload->client, "client");
	} else if (!strcmp(program, "pexec")) {
		play(workload->client == executed_client ? executed_heir : activated_heir, "heir");
	} else {
		return drive(workload, argv + 2, argc - 2);
	}
	return 0;
}
