// SPDX-License-Identifier: Apache-2.0
// Prints the frequency of this machine's time stamp counter in kHz, which an emulated guest cannot measure well.
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

int main(void)
{
	uint64_t ns = now(), ticks = __rdtsc();

	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	ticks = __rdtsc() - ticks;
	ns = now() - ns;
	printf("%llu\n", (unsigned long long)(ticks * 1000000 / ns));
	return 0;
}
