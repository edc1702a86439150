// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * timer.c: timers that can be moved and stopped at once, on one timerfd.
 */
#include "timer.h"

#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

uint64_t now_ms(void)
{
	return now_us() / 1000;
}

static void program(struct timers *timers)
{
	struct itimerspec spec = { 0 };
	uint64_t due;

	if (!list_is_empty(&timers->armed)) {
		/* 0 would disarm; a time in the past fires at once. */
		due = list_entry(timers->armed.next, struct timer, node)->due_ms;
		spec.it_value.tv_sec = due / 1000;
		spec.it_value.tv_nsec = due % 1000 * 1000000 + 1;
	}
	timerfd_settime(timers->fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void timers_due(struct sdv_op *op, int result, bool more)
{
	struct timers *timers = container_of(op, struct timers, poll);
	uint64_t expirations, now;

	(void)more;
	if (result < 0)
		return;
	if (read(timers->fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		return;
	now = now_ms();
	while (!list_is_empty(&timers->armed)) {
		struct timer *timer = list_entry(timers->armed.next, struct timer, node);

		if (timer->due_ms > now)
			break;
		list_del(&timer->node);
		timer->fn(timer);
	}
	program(timers);
	sdv_op_poll(timers->loop, &timers->poll, timers->fd, POLLIN, false);
}

int timers_open(struct timers *timers, struct sdv_loop *loop)
{
	list_init(&timers->armed);
	timers->loop = loop;
	timers->poll.done = timers_due;
	timers->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timers->fd < 0)
		return -errno;
	return sdv_op_poll(loop, &timers->poll, timers->fd, POLLIN, false);
}

void timers_close(struct timers *timers)
{
	while (!list_is_empty(&timers->armed))
		list_del(timers->armed.next);
	sdv_op_cancel(timers->loop, &timers->poll);
	close(timers->fd);
}

void timer_init(struct timer *timer, struct timers *timers, void (*fn)(struct timer *timer))
{
	list_init(&timer->node);
	timer->timers = timers;
	timer->fn = fn;
}

void timer_start(struct timer *timer, uint64_t delay_ms)
{
	struct list *at;

	list_del(&timer->node);
	timer->due_ms = now_ms() + delay_ms;
	for (at = timer->timers->armed.next; at != &timer->timers->armed; at = at->next)
		if (list_entry(at, struct timer, node)->due_ms > timer->due_ms)
			break;
	list_add_tail(at, &timer->node);
	if (timer->timers->armed.next == &timer->node)
		program(timer->timers);
}

void timer_stop(struct timer *timer)
{
	list_del(&timer->node);
}

bool timer_is_armed(const struct timer *timer)
{
	return !list_is_empty(&timer->node);
}
