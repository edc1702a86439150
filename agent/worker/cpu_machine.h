/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_machine.h: what kind of machine this is, for programs that were built elsewhere.
 */
#ifndef SDV_CPU_MACHINE_H
#define SDV_CPU_MACHINE_H

#include <stdint.h>

#include "superdev.h"

/**
 * struct sdv_cpu_machine - as in the cpu-config set
 * @x86_level:	0 where this is no x86_64, and so are the two below
 * @xcr0:	0 also where the kernel has XSAVE switched off
 */
struct sdv_cpu_machine {
	char architecture[SUPERDEV_NAME_LEN + 1];
	char kernel[SUPERDEV_NAME_LEN + 1];
	uint32_t page_size;
	uint32_t x86_level;
	uint64_t xcr0;
	uint32_t xsave_size;
};

/* Return: 0 or -errno. */
int sdv_cpu_machine_look(struct sdv_cpu_machine *ret_machine);

#endif
