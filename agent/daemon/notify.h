/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify.h: tells the service manager how the daemon is: sd_notify(3).
 */
#ifndef SDV_NOTIFY_H
#define SDV_NOTIFY_H

#include <stdint.h>

/* Lines as in sd_notify(3); nothing happens where nobody listens. */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* How often "WATCHDOG=1" is due, in milliseconds; 0: never. */
uint64_t notify_watchdog_ms(void);

#endif
