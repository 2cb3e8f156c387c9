// SPDX-License-Identifier: Apache-2.0
#include "say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static const char *name = "?";
static const char *role = "?";

void say_as(const char *new_name, const char *new_role)
{
	name = new_name;
	role = new_role;
}

const char *case_name(void)
{
	return name;
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void sleep_ms(long ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

__attribute__((format(printf, 2, 3))) static void append(struct line *line, const char *format, ...)
{
	int room = sizeof(line->text) - line->length;
	va_list arguments;
	int wanted;

	va_start(arguments, format);
	wanted = vsnprintf(line->text + line->length, room, format, arguments);
	va_end(arguments);
	if (wanted >= room)
		fail("a line outgrew its %zu bytes", sizeof(line->text));
	line->length += wanted;
}

void line_begin(struct line *line, const char *event)
{
	char comm[16];

	prctl(PR_GET_NAME, comm);
	line->length = 0;
	append(line, "{\"event\":\"%s\",\"case\":\"%s\",\"role\":\"%s\"", event, name, role);
	line_number(line, "pid", getpid());
	line_number(line, "tid", gettid());
	line_text(line, "comm", comm);
	line_number(line, "atNs", now_ns());
}

/* Only our own texts: nothing needs escaping except a quote in a comm, which we never set. */
void line_text(struct line *line, const char *key, const char *value)
{
	append(line, ",\"%s\":\"%s\"", key, value);
}

void line_number(struct line *line, const char *key, int64_t value)
{
	append(line, ",\"%s\":%lld", key, (long long)value);
}

void line_flag(struct line *line, const char *key, bool value)
{
	append(line, ",\"%s\":%s", key, value ? "true" : "false");
}

void line_end(struct line *line)
{
	append(line, "}\n");
	if (write(STDOUT_FILENO, line->text, line->length) != line->length)
		fail("cannot write to standard output");
}

void fail(const char *format, ...)
{
	int error = errno;
	va_list arguments;

	fprintf(stderr, "%s %s %d: ", name, role, getpid());
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, " (%s)\n", strerror(error));
	exit(1);
}
