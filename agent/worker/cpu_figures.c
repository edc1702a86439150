// SPDX-License-Identifier: GPL-2.0-or-later
/* cpu_figures.c: how busy this machine is, from what the kernel says in text.  See cpu_figures.h. */
#include "cpu_figures.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define FULL 1000u

/* A decimal number at @*at, which is moved behind it. */
static bool number(const char **at, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *c = *at;

	while (*c == ' ')
		c++;
	if (*c < '0' || *c > '9')
		return false;
	for (; *c >= '0' && *c <= '9'; c++)
		value = 10 * value + (uint64_t)(*c - '0');
	*at = c;
	*ret_value = value;
	return true;
}

/* The number behind the first @key in @text. */
static bool number_after(const char *text, const char *key, uint64_t *ret_value)
{
	const char *at = text ? strstr(text, key) : NULL;

	if (!at)
		return false;
	at += strlen(key);
	return number(&at, ret_value);
}

/* The line of all processors: user nice system idle iowait irq softirq steal … (proc(5)). */
static bool stat_read(const char *text, uint64_t *ret_busy, uint64_t *ret_total)
{
	uint64_t ticks[8], busy = 0, total = 0;
	const char *at = text;

	if (!text || strncmp(text, "cpu ", 4) != 0)
		return false;
	at += 4;
	for (size_t i = 0; i < sizeof(ticks) / sizeof(*ticks); i++) {
		if (!number(&at, &ticks[i]))
			return false;
		total += ticks[i];
		if (i != 3 && i != 4)
			busy += ticks[i];
	}
	*ret_busy = busy;
	*ret_total = total;
	return true;
}

/* A list such as "0-3,5". */
static bool online_read(const char *text, uint32_t *ret_count)
{
	uint64_t first, last, count = 0;
	const char *at = text;

	while (at && number(&at, &first)) {
		last = first;
		if (*at == '-') {
			at++;
			if (!number(&at, &last) || last < first)
				return false;
		}
		count += last - first + 1;
		at += *at == ',';
	}
	if (!count || count > UINT32_MAX)
		return false;
	*ret_count = (uint32_t)count;
	return true;
}

/* How many tasks run or want to: "0.00 0.01 0.05 2/123 4567". */
static bool running_read(const char *text, uint64_t *ret_running)
{
	const char *at = text ? strchr(text, '/') : NULL;

	if (!at)
		return false;
	while (at > text && at[-1] != ' ')
		at--;
	if (!number(&at, ret_running))
		return false;
	/* Whoever reads this runs meanwhile. */
	*ret_running -= *ret_running > 0;
	return true;
}

static uint32_t share(uint64_t part, uint64_t whole)
{
	if (!whole)
		return 0;
	return part < whole ? (uint32_t)(FULL * part / whole) : FULL;
}

/* Which part of the last interval some task waited; without PSI, how it looks now. */
static uint32_t waiting(const struct sdv_cpu_figures *figures, const char *const texts[SDV_CPU_FILES],
			uint64_t stalled_us, uint64_t ticks)
{
	uint64_t elapsed_us = 1000000 * ticks / figures->ticks_per_s / figures->online, running;

	if (texts[SDV_CPU_PRESSURE])
		return stalled_us < figures->stalled_us ? 0
							: share(stalled_us - figures->stalled_us, elapsed_us);
	if (!running_read(texts[SDV_CPU_LOADAVG], &running) || running <= figures->online)
		return 0;
	return share(running - figures->online, figures->online);
}

/*
 * What part of @load is the lease's: as much of it as of the time that was used.  So
 * who waits is taken to be one of those who run, which is wrong only where an owner's
 * tasks keep out all guests, and then these have used nothing.
 */
static uint32_t own_part(const struct sdv_cpu_figures *figures, uint32_t load, uint32_t busy, uint64_t ticks)
{
	uint64_t elapsed_us = 1000000 * ticks / figures->ticks_per_s, used_us = 0;
	uint32_t own;

	if (figures->used_us > figures->used_before)
		used_us = figures->used_us - figures->used_before;
	own = share(used_us, elapsed_us);
	return own < busy ? (uint32_t)((uint64_t)load * own / busy) : load;
}

static void load_take(struct sdv_cpu_figures *figures, const char *const texts[SDV_CPU_FILES])
{
	uint64_t busy, total, stalled_us = 0, running;

	number_after(texts[SDV_CPU_PRESSURE], "total=", &stalled_us);
	if (!stat_read(texts[SDV_CPU_STAT], &busy, &total))
		return;
	if (!figures->has_before) {
		/* Nothing to compare with yet: what runs at this moment. */
		if (running_read(texts[SDV_CPU_LOADAVG], &running))
			figures->load = share(running, figures->online);
	} else if (total > figures->total) {
		/* Counters of a kernel without ticks on idle processors may step back. */
		uint64_t more = busy > figures->busy ? busy - figures->busy : 0,
			 ticks = total - figures->total;
		uint32_t part = share(more, ticks);

		figures->load = part + waiting(figures, texts, stalled_us, ticks);
		figures->own = own_part(figures, figures->load, part, ticks);
	} else {
		return;
	}
	figures->busy = busy;
	figures->total = total;
	figures->stalled_us = stalled_us;
	figures->used_before = figures->used_us;
	figures->has_before = true;
}

void sdv_cpu_figures_take(struct sdv_cpu_figures *figures, const char *const texts[SDV_CPU_FILES])
{
	uint64_t value;

	if (!online_read(texts[SDV_CPU_ONLINE], &figures->online) && !figures->online)
		figures->online = 1;
	if (number_after(texts[SDV_CPU_MEMINFO], "MemAvailable:", &value))
		figures->memory = value << 10;
	if (number_after(texts[SDV_CPU_USAGE], "usage_usec", &value))
		figures->used_us = value;
	load_take(figures, texts);
}
