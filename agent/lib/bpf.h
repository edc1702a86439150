/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf.h: BPF objects into the kernel, and what holds them there.
 *
 * bpf.c has policies, bpf_attach.c what the agent attaches, bpf_affinity.c who counts
 * borrowed processors; nobody else knows libbpf.
 */
#ifndef SDV_BPF_H
#define SDV_BPF_H

#include <stddef.h>
#include <stdint.h>

/* Where bpffs is, and below it the link that keeps a policy attached. */
#define SDV_BPF_FS         "/sys/fs/bpf"
#define SDV_BPF_DIR        SDV_BPF_FS "/superdev"
#define SDV_BPF_POLICY_PIN SDV_BPF_DIR "/policy"

/* Enough for the verifier's last lines. */
#define SDV_BPF_WHY_SIZE 4096

/**
 * sdv_bpf_policy_load - a policy from a BPF object, attached until it is unloaded
 * @file:	path of the object
 * @why:	set to what went wrong, as the end of a sentence that begins with
 *		the file; lines but the first are the kernel's or the library's
 *
 * Where one is attached by the pin already, this one takes its place, and no
 * decision is left out meanwhile.
 *
 * Return: 0; -ENOENT, -EACCES, …: the file can't be read; -EINVAL: it is no BPF
 * object, or not of one policy; -EPERM: not permitted; -EBUSY: another one is
 * attached, and not by the pin; else what the kernel says.
 */
int sdv_bpf_policy_load(const char *file, char why[SDV_BPF_WHY_SIZE]);

/**
 * sdv_bpf_policy_unpin - removes the pin, and with it the policy, if nobody else holds that
 *
 * Return: 0; -ENOENT: there is no pin; -errno.
 */
int sdv_bpf_policy_unpin(void);

/**
 * sdv_bpf_meter_load - programs are measured from now on; see bpf/meter
 * @why:	set to what went wrong
 * @size:	bytes of it
 *
 * Takes long: the kernel's types are read.
 *
 * Return: a descriptor that keeps it so until it is closed, in every process; or
 * -EPERM: not permitted; -ENOENT, -ESRCH, …: what the kernel lacks.
 */
int sdv_bpf_meter_load(char *why, size_t size);

/**
 * sdv_bpf_guard_load - guests are guarded from now on; see bpf/guard
 * @cgroup:	id of the cgroup below which each lease has one
 * @why:	set to what went wrong
 * @size:	bytes of it
 *
 * Return: a descriptor for sdv_bpf_guard_open(), or as sdv_bpf_meter_load().
 */
int sdv_bpf_guard_load(uint64_t cgroup, char *why, size_t size);

struct sdv_bpf_guard;

/**
 * typedef sdv_bpf_denied_fn - a guest was denied something
 * @arg:	as given to sdv_bpf_guard_open()
 * @lease:	id of the lease's cgroup
 * @pid:	of the guest
 * @what:	the rest of "it tried to …"
 * @comm:	name of the guest, at most 16 bytes, maybe without a zero
 */
typedef void (*sdv_bpf_denied_fn)(void *arg, uint64_t lease, uint32_t pid, const char *what,
				  const char *comm);

/**
 * sdv_bpf_guard_open - listens to the guard, and keeps it
 * @fd:		from sdv_bpf_guard_load(), maybe of another process; taken over
 *
 * Return: 0; -ENOMEM; or what the kernel says to its map.
 */
int sdv_bpf_guard_open(int fd, sdv_bpf_denied_fn denied, void *arg, struct sdv_bpf_guard **ret_guard);
/* Readable when there are denials. */
int sdv_bpf_guard_fd(const struct sdv_bpf_guard *guard);
/* Calls back for each. */
void sdv_bpf_guard_read(struct sdv_bpf_guard *guard);
/* Guests are no longer guarded. */
void sdv_bpf_guard_close(struct sdv_bpf_guard *guard);

/* What counts borrowed processors, where it is installed. */
#define SDV_BPF_AFFINITY "/usr/lib/superdev/affinity.bpf.o"

/**
 * sdv_bpf_affinity_set - so many processors are there for a cgroup beside this machine's
 * @cgroup:	its number, which is the inode of its folder
 * @nr:		how many; 0: none any more
 *
 * Programs in it and below it are told so by sched_getaffinity().
 *
 * Return: 0, or -errno; -ENOENT: it is not installed; -EPERM.
 */
int sdv_bpf_affinity_set(uint64_t cgroup, uint32_t nr);

#endif
