// SPDX-License-Identifier: GPL-2.0-only
/*
 * affinity.bpf.c: in cgroups that are set to spread, borrowed processors count.
 *
 * nproc, and whoever else asks sched_getaffinity() how many processors there are,
 * is told of those of this machine and of the ones that are borrowed, which get the
 * numbers behind them.  So make -j$(nproc) does what is meant.  Nothing can be bound
 * to those alone: the kernel ignores them in sched_setaffinity().
 */
#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "affinity.h"

char LICENSE[] SEC("license") = "GPL";

/* Folders between a cgroup and the topmost that are looked at. */
#define MAX_LEVELS 16
/* Words of a mask: 1024 processors. */
#define MAX_WORDS  16

/* Arguments of a system call; of x86-64, as the name below is. */
struct pt_regs {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
} __attribute__((preserve_access_index));

/* By the cgroup's number, which is never used again: what is left over does no harm. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct sdv_borrowed);
} borrowed SEC(".maps");

/* Of the caller's cgroup or one above; NULL where none is set to spread. */
static __always_inline const struct sdv_borrowed *find_borrowed(void)
{
	const struct sdv_borrowed *found;
	__u64 cgroup;
	int level;

	for (level = 1; level <= MAX_LEVELS; level++) {
		cgroup = bpf_get_current_ancestor_cgroup_id(level);
		if (!cgroup)
			break;
		found = bpf_map_lookup_elem(&borrowed, &cgroup);
		if (found)
			return found;
	}
	return NULL;
}

/* Bits @first to @end - 1, as far as they are in the word that begins at bit @at. */
static __always_inline __u64 bits_in(__u32 first, __u32 end, __u32 at)
{
	__u64 from = first > at ? first - at : 0, to = end > at ? end - at : 0;

	if (to > 64)
		to = 64;
	if (from >= to)
		return 0;
	return (to == 64 ? ~0ULL : (1ULL << to) - 1) & ~((1ULL << (from & 63)) - 1);
}

SEC("fexit/__x64_sys_sched_getaffinity")
int BPF_PROG(affinity, const struct pt_regs *regs, long bytes)
{
	__u64 ids = bpf_get_current_pid_tgid(), word, more;
	const struct sdv_borrowed *cpus;
	int pid = (int)regs->di, i;
	char *mask = (char *)regs->dx;

	if (bytes <= 0 || (pid && pid != (int)ids && pid != (int)(ids >> 32)))
		return 0;
	cpus = find_borrowed();
	if (!cpus)
		return 0;
	for (i = 0; i < MAX_WORDS && (i + 1) * 8 <= bytes; i++) {
		more = bits_in(cpus->first, cpus->first + cpus->nr, i * 64);
		if (!more || bpf_probe_read_user(&word, sizeof(word), mask + i * 8))
			continue;
		word |= more;
		bpf_probe_write_user(mask + i * 8, &word, sizeof(word));
	}
	return 0;
}
