// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * periodic COUNT PERIOD_US: an owner's task that wakes at set times, computes a little, and sleeps.
 *
 * Prints how late it was done each time, in microseconds: the wait to be woken, to be given the
 * processor, and the work itself.  Ordinary scheduling, as most of what an owner runs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WORK_STEPS 20000

int main(int argc, char **argv)
{
	long count = argc == 3 ? atol(argv[1]) : 0, period_us = argc == 3 ? atol(argv[2]) : 0;
	struct timespec due, now;
	volatile unsigned int sum = 0;

	if (count < 1 || period_us < 1 || period_us >= 1000000) {
		fprintf(stderr, "usage: periodic COUNT PERIOD_US\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &due);
	while (count--) {
		due.tv_nsec += period_us * 1000;
		if (due.tv_nsec >= 1000000000) {
			due.tv_nsec -= 1000000000;
			due.tv_sec++;
		}
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
			;
		for (int i = 0; i < WORK_STEPS; i++)
			sum += (unsigned int)i;
		clock_gettime(CLOCK_MONOTONIC, &now);
		printf("%.0f ", (double)(now.tv_sec - due.tv_sec) * 1e6 + (double)(now.tv_nsec - due.tv_nsec) / 1e3);
		/* Late by periods: the next is counted from now, or lateness would add up. */
		if (now.tv_sec > due.tv_sec + 1)
			due = now;
	}
	printf("\n");
	return 0;
}
