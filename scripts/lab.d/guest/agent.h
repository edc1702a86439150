/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LAB_AGENT_H
#define LAB_AGENT_H

#define AGENT_RUN_DIR "/run/lab"
#define AGENT_READY_FIFO AGENT_RUN_DIR "/ready"
#define AGENT_LOG_FIFO AGENT_RUN_DIR "/log"

/**
 * agent_run() - serve the host's commands until the machine is powered off
 * @is_init: this is the first process: power off by itself rather than ask systemd
 *
 * Runs commands that come over the virtio-serial port, tells the host what is written to
 * AGENT_READY_FIFO ("STATUS TEXT", once the start is finished) and to AGENT_LOG_FIFO, and reaps
 * every child, orphans of others among them.
 *
 * Return: never.
 */
void agent_run(int is_init) __attribute__((noreturn));

/**
 * await_run() - start a daemon and wait for its word that it is ready
 * @argc: of main()
 * @argv: "await", file for the daemon's pid, daemon, its arguments
 *
 * Return: exit status: 0, 1 for a daemon that ended or was silent, 2 for bad arguments.
 */
int await_run(int argc, char **argv);

#endif
