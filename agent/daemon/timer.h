/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * timer.h: timers that can be moved and stopped at once, on one timerfd.
 *
 * An operation of the loop can only be cancelled and waited for; an object
 * with a timer of this kind may be freed as soon as it is stopped.
 */
#ifndef SDV_TIMER_H
#define SDV_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "loop.h"

struct timers {
	struct list armed; /* by due_ms, earliest first */
	struct sdv_loop *loop;
	struct sdv_op poll;
	int fd;
};

struct timer {
	struct list node;
	struct timers *timers;
	uint64_t due_ms;
	void (*fn)(struct timer *timer);
};

int timers_open(struct timers *timers, struct sdv_loop *loop);
void timers_close(struct timers *timers);

void timer_init(struct timer *timer, struct timers *timers, void (*fn)(struct timer *timer));
/* Fires once, @delay_ms from now; an armed timer is moved. */
void timer_start(struct timer *timer, uint64_t delay_ms);
void timer_stop(struct timer *timer);
bool timer_is_armed(const struct timer *timer);

/* Monotonic. */
uint64_t now_us(void);
uint64_t now_ms(void);

#endif
