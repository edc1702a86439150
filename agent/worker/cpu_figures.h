/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_figures.h: how busy this machine is, from what the kernel says in text.
 *
 * Pure functions on texts, for the unit tests' sake; cpu.c has the files.
 */
#ifndef SDV_CPU_FIGURES_H
#define SDV_CPU_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

enum sdv_cpu_file {
	SDV_CPU_STAT,     /* /proc/stat */
	SDV_CPU_PRESSURE, /* /proc/pressure/cpu; absent where the kernel has no PSI */
	SDV_CPU_LOADAVG,  /* /proc/loadavg */
	SDV_CPU_MEMINFO,  /* /proc/meminfo */
	SDV_CPU_ONLINE,   /* /sys/devices/system/cpu/online */
	SDV_CPU_USAGE,    /* cpu.stat of the lease's cgroup; absent where there is none */
	SDV_CPU_FILES,
};

/* Bytes of each that are looked at; what is needed stands at its beginning. */
#define SDV_CPU_TEXT 2048

/**
 * struct sdv_cpu_figures - of this moment, and the counters that they came from
 * @ticks_per_s: of /proc/stat; set before the first texts are taken
 * @load:	as superdev_cpu_status.load
 * @own:	as superdev_cpu_status.own
 * @online:	processors, at least 1
 * @memory:	bytes that are available
 * @used_us:	processor time of the lease, 0 where nobody counts
 * @busy, @total: ticks of all processors since boot
 * @stalled_us:	time since boot in which a task waited for a processor
 * @used_before: @used_us when those were taken
 * @has_before:	the counters are valid
 */
struct sdv_cpu_figures {
	uint32_t ticks_per_s;
	uint32_t load, own;
	uint32_t online;
	uint64_t memory;
	uint64_t used_us;
	uint64_t busy, total;
	uint64_t stalled_us, used_before;
	bool has_before;
};

/**
 * sdv_cpu_figures_take - new texts, about a second after the last
 * @figures:	of before; zeroed but for @ticks_per_s at first
 * @texts:	by enum sdv_cpu_file, each ending in a zero; NULL for a file that is
 *		not there
 *
 * A figure whose text is not understood stays as it was.
 */
void sdv_cpu_figures_take(struct sdv_cpu_figures *figures, const char *const texts[SDV_CPU_FILES]);

#endif
