/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay_tty.h: the terminal that a guest sees, as far as home's is to be it.
 *
 * Home's terminal does all that terminals do: echo, editing, signals, CR and LF.
 * The guest's (a pseudo terminal of its own namespaces) shows home's modes and
 * does none of it, which is what EXTPROC is for; what the guest sets is set at
 * home.  Used by the relay.
 */
#ifndef SDV_TASK_RELAY_TTY_H
#define SDV_TASK_RELAY_TTY_H

#include "pump.h"

/* Takes both sides of the terminal; there is one at most.  @modes: what home's has. */
void sdv_relay_tty_open(struct sdv_pump *pump, int master, int slave, const struct sdv_task_modes *modes);

/* Home's terminal has changed: modes, size or both. */
void sdv_relay_tty_set(const struct sdv_task_modes *modes);

/* Home's terminal is no more. */
void sdv_relay_tty_hang_up(void);

/* Something to look at again after that many ms; -1: nothing. */
int sdv_relay_tty_timeout(void);
void sdv_relay_tty_turn(void);

sdv_pump_read_fn sdv_relay_tty_read;
sdv_pump_write_fn sdv_relay_tty_write;

#endif
