/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.h: a second wall around guests, and what they ran into.
 */
#ifndef SDV_AGENT_GUARD_H
#define SDV_AGENT_GUARD_H

#include "daemon.h"

/* That there is none is logged; the first wall stands without. */
void guard_start(struct daemon *d);
void guard_close(struct daemon *d);

#endif
