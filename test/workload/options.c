// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

static const char *const KEYS[] = {
	"address", "backlog", "clientComm", "clientFile", "clientNetns", "control", "count", "cpu", "delay", "down",
	"fd", "later", "linger", "listen", "port", "rate", "ready", "seconds", "serverComm", "serverFile", "serverNetns",
	"size", "sourcePort", "synRetries", "uid", "up",
};

static int words;
static char **word;

static bool known(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof(KEYS) / sizeof(*KEYS); i++)
		if (strlen(KEYS[i]) == length && !memcmp(KEYS[i], text, length))
			return true;
	return false;
}

void options_read(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');

		if (!equals || !known(argv[i], equals - argv[i]))
			fail("unknown option %s", argv[i]);
	}
	words = argc;
	word = argv;
}

/* The last one given wins, so that a caller can append to a list of defaults. */
const char *option(const char *key, const char *fallback)
{
	size_t length = strlen(key);

	for (int i = words - 1; i >= 0; i--)
		if (!strncmp(word[i], key, length) && word[i][length] == '=')
			return word[i] + length + 1;
	return fallback;
}

long option_number(const char *key, long fallback)
{
	const char *text = option(key, NULL);
	char *end;
	long value;

	if (!text)
		return fallback;
	value = strtol(text, &end, 10);
	if (end == text || *end)
		fail("%s=%s is not a number", key, text);
	return value;
}

bool option_given(const char *key)
{
	return option(key, NULL);
}
