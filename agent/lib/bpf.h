/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf.h: BPF objects into the kernel, and what holds them there.
 *
 * bpf.c has policies, bpf_meter.c the meter; nobody else knows libbpf.
 */
#ifndef SDV_BPF_H
#define SDV_BPF_H

#include <stddef.h>

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
 * sdv_bpf_meter_load - programs are measured from now on
 * @why:	set to what went wrong
 * @size:	bytes of it
 *
 * Takes long: the kernel's types are read.
 *
 * Return: a descriptor that keeps it so until it is closed, in every process; or
 * -EPERM: not permitted; -ENOENT, -ESRCH, …: what the kernel lacks.
 */
int sdv_bpf_meter_load(char *why, size_t size);

#endif
