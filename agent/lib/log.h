/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h: one line per event, to the journal or to a terminal.
 */
#ifndef SDV_LOG_H
#define SDV_LOG_H

/* As in syslog(3); what journald reads in "<N>". */
enum sdv_level {
	SDV_LOG_ERR = 3,
	SDV_LOG_WARNING = 4,
	SDV_LOG_NOTICE = 5,
	SDV_LOG_INFO = 6,
	SDV_LOG_DEBUG = 7,
};

/**
 * sdv_log_open - says how lines are written
 * @program:	put before each line where stderr is not the journal
 * @max_level:	lines of less weight than this are dropped
 */
void sdv_log_open(const char *program, enum sdv_level max_level);

/**
 * sdv_log - writes one line; never blocks on a journal that does not read
 * @level:	weight of the event
 * @format:	as printf(3), without a newline
 *
 * Bytes that are not printable ASCII come out as \xHH: names come from other
 * machines and from users.
 */
void sdv_log(enum sdv_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
