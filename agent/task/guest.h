/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.h: the three processes that host a guest, and what they say to each other.
 *
 *	host		root, with --control: makes a launcher for each guest; hears the agent alone
 *	launcher	root; makes the other two and ends them; reads nothing
 *	relay		unprivileged, few system calls; reads what home sends
 *	init		process 1 of the guest's own namespaces; reads the image, starts
 *			the guest, reaps, passes signals on
 *
 * Relay and init share a SOCK_SEQPACKET pair; messages are in host order, as
 * both are of one build.
 */
#ifndef SDV_TASK_GUEST_H
#define SDV_TASK_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "proto.h"

/* What a relay leaves in /proc: the user that workers have, too. */
#define SDV_GUEST_RELAY_UID 65533u
/*
 * Users and groups 0 to 65535 of home are so many numbers from --first-id on; the
 * one after them is process 1's, so that even home's root is not who that is.
 */
#define SDV_GUEST_NR_IDS    65536u
#define SDV_GUEST_INIT_ID   65536u

enum sdv_guest_type {
	/* relay to init */
	SDV_GUEST_IMAGE = 1, /* value: size of the whole; a part follows the message */
	SDV_GUEST_GO = 2,
	SDV_GUEST_SIGNAL = 3, /* value: signal; to_group */
	/* init to relay */
	SDV_GUEST_REFUSED = 16, /* value: errno; text; init ends */
	SDV_GUEST_STREAMS = 17, /* value: how many; kind, mode, is_remote; descriptors, then peeks */
	SDV_GUEST_READY = 18,
	SDV_GUEST_STARTED = 19,
	SDV_GUEST_STOPPED = 20, /* value: signal */
	SDV_GUEST_EXIT = 21,    /* end */
	SDV_GUEST_GONE = 22,    /* nothing is left; init ends */
	SDV_GUEST_USED = 23,    /* end.used */
};

struct sdv_guest_msg {
	uint32_t type;
	uint32_t value;
	uint32_t to_group;
	uint8_t kind[SUPERDEV_TASK_MAX_STREAMS], mode[SUPERDEV_TASK_MAX_STREAMS];
	/*
	 * Where 1, the guest's end comes too, so that the relay can ask what has not been read:
	 * of a terminal, and of files, whose offset at home is set by it.
	 */
	uint8_t has_peek[SUPERDEV_TASK_MAX_STREAMS];
	/* Where 1, no descriptor comes: what the guest does with it comes by the channel. */
	uint8_t is_remote[SUPERDEV_TASK_MAX_STREAMS];
	struct sdv_task_modes modes;
	struct sdv_task_exit end;
	char text[124];
};

/**
 * struct sdv_guest_options - how a guest is hosted
 * @control:	where the agent asks for guests (guest_ctl.h); -1: this is for one, whose @fd is given
 * @id:		names its cgroup; 0: its launcher's pid does
 * @fd:		connection to the deputy
 * @channel:	of superdev_cpu, for remote files; -1: streams are copied by the relay
 * @sync:	SOCK_SEQPACKET; "sync" is answered by "synced" when @root shows what home's files
 *		are at that moment; -1: it always does
 * @root:	directory that becomes the guest's root; @leave as below
 * @cgroup:	cgroup v2 directory below which one is made for it; NULL: none
 * @first_id:	user and group of the lender that the guest's 0 is
 * @max_pids, @max_memory: of the guest; 0: no limit of ours
 * @rules:	lease, epoch and protection of the connection
 */
struct sdv_guest_options {
	int control, fd, sync, channel;
	uint32_t id;
	const char *root, *leave, *cgroup;
	uint32_t first_id;
	uint64_t max_pids, max_memory;
	struct sdv_frame_rules rules;
};

/**
 * sdv_guest_root_prepare - the guest's root, as seen by this process alone
 * @root:	an existing directory with proc and dev in it
 * @leave:	a mount that is not to be seen from here, with all on it; NULL: none
 * @ret_what:	on error, what could not be done
 *
 * Called by root in a mount namespace of its own.  The tree is mounted aside and
 * becomes the working directory, without set-uid programs and devices, but with
 * a small /dev.
 * Return: 0 or -errno.
 */
int sdv_guest_root_prepare(const char *root, const char *leave, const char **ret_what);

/**
 * sdv_guest_root_enter - leaves nothing but the guest's root
 * @ret_what:	on error, what could not be done
 *
 * Called in the guest's namespaces, in the directory that
 * sdv_guest_root_prepare() has left.  Return: 0 or -errno.
 */
int sdv_guest_root_enter(const char **ret_what);

/**
 * struct sdv_guest_cgroup - the cgroup of one guest
 * @parent, @dir: open directories; -1: none
 */
struct sdv_guest_cgroup {
	int parent, dir;
	char name[32];
};

/* The one below which they are made, options->cgroup, while its path leads there; 0 or -errno. */
int sdv_guest_cgroup_find(struct sdv_guest_cgroup *cgroup, const struct sdv_guest_options *options,
			  const char **ret_what);
/* Makes one there, with its limits; 0 or -errno. */
int sdv_guest_cgroup_open(struct sdv_guest_cgroup *cgroup, const struct sdv_guest_options *options,
			  const char **ret_what);
/* Kills whatever is in it and removes it. */
void sdv_guest_cgroup_close(struct sdv_guest_cgroup *cgroup);

/* Makes a process for each guest that the agent asks for, and returns in that, with its options. */
void sdv_guest_host(struct sdv_guest_options *options);

/* Process 1: waits for an image on @relay, hosts the guest, exits.  @sync: the launcher's. */
_Noreturn void sdv_guest_init(const struct sdv_guest_options *options, int relay, int sync);

/**
 * struct sdv_guest_main - the guest, as its process 1 knows it
 * @pid, @group: of the program
 * @tty:	the guest's side of its terminal, or -1
 * @go:		where it waits for its start
 * @report:	what it says of it; closes when the program runs
 * @parent:	what it sees as its parent; 0: process 1 itself
 * @news:	what becomes of it, from @parent; -1: process 1 waits itself
 */
struct sdv_guest_main {
	pid_t pid, group, parent;
	int tty, go, report, news;
};

/* As wait4() tells it; from @parent, which ends after the news of the end. */
struct sdv_guest_news {
	pid_t pid;
	int status;
	struct rusage usage;
};

/**
 * sdv_guest_prepare - makes a process of an image, but does not start the program
 * @data, @len:	the image; not looked at before
 * @options:	limits
 * @channel:	of remote files, closed before there is a guest; -1: none
 * @relay:	told of the streams
 * @ret_main:	the guest
 * @ret_text:	on error, what could not be done; 124 bytes
 *
 * Return: 0; -errno: home is told, and runs it itself.
 */
int sdv_guest_prepare(const void *data, size_t len, const struct sdv_guest_options *options, int channel,
		      int relay, struct sdv_guest_main *ret_main, char *ret_text);

/* Starts it; 0, or -errno and @ret_text as above: then it has not run. */
int sdv_guest_go(struct sdv_guest_main *guest, char *ret_text);

/**
 * struct sdv_guest_used - what the program uses while it runs, for home
 * @stat:	the program's file in /proc; -1: none, and nothing is told
 * @due_ms:	when it is looked at again, by the monotonic clock
 * @told:	what was told last
 */
struct sdv_guest_used {
	int stat;
	int64_t due_ms;
	struct sdv_task_used told;
};

/* Begins to look at @pid, which waits for its start: later its number may be another's. */
void sdv_guest_used_open(struct sdv_guest_used *used, pid_t pid);
/* Tells @relay of it, where a second is over and it has changed; ms until the next time, or -1. */
int sdv_guest_used_turn(struct sdv_guest_used *used, int relay);

/* What is the same for each relay, made once; 0, or -errno and @ret_what. */
int sdv_guest_relay_prepare(const char **ret_what);
/* The process that reads what home sends.  @init: the socket to process 1. */
_Noreturn void sdv_guest_relay(const struct sdv_guest_options *options, int init);

#endif
