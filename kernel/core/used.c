// SPDX-License-Identifier: GPL-2.0-only
/*
 * used.c: what programs that are elsewhere use is on the account of their process here.
 *
 * A lender says it, and is believed as far as a machine could have done it: the
 * figures come into nobody's account but that of who had the program started.
 */
#include <linux/bits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seqlock.h>
#include <linux/sizes.h>
#include <linux/time64.h>

#include "spread.h"

/* More processors, or memory, no lender has; each does an event in a microsecond at most. */
#define MOST_CPUS	8192
#define MOST_RSS_KB	BIT_ULL(42)
/* What the clocks of two machines may differ by, and what was on the way. */
#define SLACK_US	USEC_PER_SEC

/**
 * sdv_used_check() - whether figures may be those of a program
 * @was: its figures of before
 * @now: its figures
 * @took_us: how long it has been running, in microseconds
 * @ret_what: the figure that is at fault
 *
 * Return: 0; -EINVAL: one goes back; -ERANGE: one is absurd.
 */
int sdv_used_check(const struct sdv_used *was, const struct sdv_used *now, u64 took_us,
		   enum sdv_used_what *ret_what)
{
	u64 most = (took_us + SLACK_US) * MOST_CPUS;
	unsigned int i;

	for (i = 0; i < SDV_USED_NR; i++) {
		*ret_what = i;
		if (now->figure[i] < was->figure[i])
			return -EINVAL;
		if (now->figure[i] > (i == SDV_USED_MAXRSS ? MOST_RSS_KB : most))
			return -ERANGE;
	}
	return 0;
}

static u64 more(const struct sdv_used *was, const struct sdv_used *now,
		enum sdv_used_what what)
{
	return now->figure[what] - was->figure[what];
}

/**
 * sdv_used_charge() - puts what was used since to the account of the caller's process
 * @was: the program's figures of before
 * @now: its figures, which sdv_used_check() has passed
 *
 * They go where the kernel puts those of a child that was waited for: so wait4() of
 * the parent gives them as the process's, and getrusage() and times() of the parent
 * as its children's, while the process's own limits do not count them.
 *
 * Context: process.
 */
void sdv_used_charge(const struct sdv_used *was, const struct sdv_used *now)
{
	u64 maxrss = now->figure[SDV_USED_MAXRSS] / (PAGE_SIZE / SZ_1K);
	struct signal_struct *signal = current->signal;

	/* As wait_task_zombie() does, which may do so for another thread just now. */
	write_seqlock_irq(&signal->stats_lock);
	signal->cutime += more(was, now, SDV_USED_UTIME) * NSEC_PER_USEC;
	signal->cstime += more(was, now, SDV_USED_STIME) * NSEC_PER_USEC;
	signal->cmin_flt += more(was, now, SDV_USED_MINFLT);
	signal->cmaj_flt += more(was, now, SDV_USED_MAJFLT);
	signal->cinblock += more(was, now, SDV_USED_INBLOCK);
	signal->coublock += more(was, now, SDV_USED_OUBLOCK);
	signal->cnvcsw += more(was, now, SDV_USED_NVCSW);
	signal->cnivcsw += more(was, now, SDV_USED_NIVCSW);
	signal->cmaxrss = max_t(u64, signal->cmaxrss, maxrss);
	write_sequnlock_irq(&signal->stats_lock);
}
