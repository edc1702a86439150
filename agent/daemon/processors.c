// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * processors.c: what an offer of class cpu lends of this machine.
 */
#include "processors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cgroup.h"
#include "wire.h"

/* The worker and the smallest programs fit. */
#define MEMORY_MIN (64u << 20)

static int refuse(struct processors *processors, const char *what, uint64_t value, const char *has)
{
	snprintf(processors->error, sizeof(processors->error), "%s '%" PRIu64 "': %s", what, value, has);
	return -EINVAL;
}

int processors_look(const struct sdv_offer_info *info, struct processors *ret_processors)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
	uint64_t memory = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	struct processors *processors = ret_processors;
	struct utsname name;
	char has[160];

	memset(processors, 0, sizeof(*processors));
	if (cpus <= 0 || pages <= 0 || uname(&name) < 0)
		return -EIO;
	snprintf(processors->architecture, sizeof(processors->architecture), "%.63s", name.machine);
	processors->cpus = info->cpus ? info->cpus : (uint32_t)cpus;
	processors->memory = info->memory ? info->memory : memory / 2;
	if (processors->cpus > cpus) {
		snprintf(has, sizeof(has),
			 "this machine has %ld online; lend at most that, or leave cpus out", cpus);
		return refuse(processors, "cpus", processors->cpus, has);
	}
	if (processors->memory > memory) {
		snprintf(has, sizeof(has),
			 "this machine has %" PRIu64
			 " bytes; lend at most that, or leave memory out for half",
			 memory);
		return refuse(processors, "memory", processors->memory, has);
	}
	if (processors->memory < MEMORY_MIN) {
		snprintf(has, sizeof(has), "too little to run anything; lend at least 64M (%u bytes)",
			 MEMORY_MIN);
		return refuse(processors, "memory", processors->memory, has);
	}
	return 0;
}

int processors_lend(struct daemon *d, const struct sdv_offer_info *info, struct worker_task *task,
		    char *error, size_t error_size)
{
	struct processors processors;
	struct sdv_attr_writer w;
	int r = processors_look(info, &processors);

	if (r < 0) {
		snprintf(error, error_size, "%s", processors.error[0] ? processors.error : strerror(-r));
		return r;
	}
	sdv_attr_begin(&w, task->terms, sizeof(task->terms));
	sdv_put_u32(&w, SUPERDEV_A_CPU_CONFIG_CPUS, processors.cpus);
	sdv_put_u64(&w, SUPERDEV_A_CPU_CONFIG_MEMORY, processors.memory);
	r = sdv_attr_end(&w);
	task->terms_len = r > 0 ? (uint32_t)r : 0;
	task->cgroup = cgroup_make(d, task->number, processors.cpus, processors.memory);
	/* That there are none at all has been said. */
	if (task->cgroup < 0 && task->cgroup != -EOPNOTSUPP)
		sdv_log(SDV_LOG_WARNING, "lease %" PRIu64 ": has no cgroup, and is not bounded: %s",
			task->number, strerror(-task->cgroup));
	return 0;
}
