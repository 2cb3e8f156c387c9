/* SPDX-License-Identifier: Apache-2.0 */
/* The key=value arguments of the command line. */
#pragma once

#include <stdbool.h>

/* Stores argv; ends the program on an argument that is not key=value with a known key. */
void options_read(int argc, char **argv);

/* The value, or `fallback` if the key was not given. */
const char *option(const char *key, const char *fallback);

/* The same as a number; ends the program if it is not one. */
long option_number(const char *key, long fallback);

bool option_given(const char *key);
