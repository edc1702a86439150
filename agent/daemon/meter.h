/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * meter.h: programs of this machine are measured, so that policies know what they cost.
 */
#ifndef SDV_METER_H
#define SDV_METER_H

#include "daemon.h"

/* That it can't be done is logged; everything else works without. */
void meter_start(struct daemon *d);
void meter_close(struct daemon *d);

#endif
