/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exec.h: programs that start at lenders.  exec.c is the binary format handler,
 * exec-check.c tells what it leaves alone; main.c calls it.
 */
#ifndef _SUPERDEV_CPU_EXEC_H
#define _SUPERDEV_CPU_EXEC_H

#include <linux/types.h>

struct linux_binprm;

const char *sdv_exec_check(const struct linux_binprm *bprm, bool *ret_is_script);
int sdv_exec_init(void);
void sdv_exec_exit(void);

#endif /* _SUPERDEV_CPU_EXEC_H */
