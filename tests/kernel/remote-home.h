/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remote-home.h: an honest worker, with home in the same process: remote files that
 * are other descriptors of ours.
 */
#ifndef REMOTE_HOME_H
#define REMOTE_HOME_H

#include <superdev_cpu.h>

struct home;

/* home_begin: opens a channel and serves it by threads of its own; NULL with errno. */
struct home *home_begin(void);

/*
 * home_file: a remote file that is @fd, which home takes over.  Returns its descriptor,
 * which is closed on exec, or -1 with errno.
 */
int home_file(struct home *home, int fd, __u32 kind, int flags, const char *name);

/* home_terminal: terminal ioctls that want its session go to who is at the other end of @socket. */
void home_terminal(struct home *home, int socket);

/* home_keep: is that other end, in a process of that session; returns when @socket ends. */
void home_keep(int socket, int tty);

/* home_forget: in a child of fork(): the channel is the parent's. */
void home_forget(struct home *home);

/* home_files: descriptors that home still holds. */
int home_files(struct home *home);

/* home_end: closes the channel. */
void home_end(struct home *home);

#endif
