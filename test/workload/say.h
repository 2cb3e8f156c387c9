/* SPDX-License-Identifier: Apache-2.0 */
/* A program's reports about itself: one JSON object per line on standard output. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct line {
	char text[2048];
	int length;
};

/* The running case and this process's role in it, with which every line begins. */
void say_as(const char *name, const char *role);
const char *case_name(void);

/* Begins a line with event, case, role, pid, tid, comm and atNs. */
void line_begin(struct line *line, const char *event);
void line_text(struct line *line, const char *key, const char *value);
void line_number(struct line *line, const char *key, int64_t value);
void line_flag(struct line *line, const char *key, bool value);
/* One write, so that lines of several processes do not mix. */
void line_end(struct line *line);

/* Nanoseconds on the boot clock. */
uint64_t now_ns(void);

void sleep_ms(long ms);

/* Prints a sentence with errno's text on standard error and exits with 1: the workload itself failed. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
