// SPDX-License-Identifier: GPL-2.0-only
/*
 * cost.c: what programs cost, by what they are and not by how they are called.
 *
 * Whoever sees a program end tells; policies ask.  A fixed table: of the
 * programs that fall into one set, the one that was used least recently goes.
 */
#include <linux/bits.h>
#include <linux/fs.h>
#include <linux/jhash.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/spinlock.h>

#include "policy.h"

#define COST_SETS	512
#define COST_WAYS	4
/*
 * A run moves an average by an eighth of the difference, and counts as at most twice
 * the average: one that waited long for something, as a shell may for a whole build,
 * says nothing of the next.
 */
#define COST_SHIFT	3

/* @used: clock of the last look; 0, the entry is free. */
struct cost_entry {
	struct superdev_program	program;
	struct superdev_cost	cost;
	u64			used;
};

static struct cost_entry (*cost_sets)[COST_WAYS];
static u64 cost_clock;
static u32 cost_seed __read_mostly;
/*
 * All entries and the clock; held for a few comparisons, from any process context.
 * A program that measures may have been called by something that is traced below
 * it, so who tells does not wait.
 */
static DEFINE_SPINLOCK(cost_lock);

/**
 * sdv_program_of() - what identifies a program
 * @inode: its file
 * @ret_program: the identity
 */
void sdv_program_of(const struct inode *inode, struct superdev_program *ret_program)
{
	struct timespec64 mtime = inode_get_mtime(inode);

	*ret_program = (struct superdev_program) {
		.dev		= inode->i_sb->s_dev,
		.ino		= inode->i_ino,
		.mtime_ns	= timespec64_to_ns(&mtime),
		.generation	= inode->i_generation,
	};
}
EXPORT_SYMBOL_GPL(sdv_program_of);

static struct cost_entry *cost_set(const struct superdev_program *program)
{
	return cost_sets[jhash(program, sizeof(*program), cost_seed) % COST_SETS];
}

static struct cost_entry *cost_find(struct cost_entry *set, const struct superdev_program *program)
{
	unsigned int i;

	lockdep_assert_held(&cost_lock);
	for (i = 0; i < COST_WAYS; i++)
		if (set[i].used && !memcmp(&set[i].program, program, sizeof(*program)))
			return &set[i];
	return NULL;
}

/**
 * sdv_cost_get() - what runs of a program took
 * @program: the program
 * @ret_cost: averages, set when there are some
 *
 * Context: process, also with preemption disabled; not from interrupts.
 * Return: whether any run was counted in.
 */
bool sdv_cost_get(const struct superdev_program *program, struct superdev_cost *ret_cost)
{
	struct cost_entry *entry;

	guard(spinlock)(&cost_lock);
	entry = cost_find(cost_set(program), program);
	if (!entry)
		return false;
	entry->used = ++cost_clock;
	*ret_cost = entry->cost;
	return true;
}

static u64 average(u64 old, u64 value, bool is_first)
{
	if (is_first)
		return value;
	value = min(value, 2 * old + BIT(COST_SHIFT));
	return old - (old >> COST_SHIFT) + (value >> COST_SHIFT);
}

/**
 * sdv_cost_learn() - a program has ended
 * @program: which
 * @is_remote: it ran at a lender
 * @wall_us: from its start to its end as this machine saw it, microseconds
 * @cpu_us: processor time that it took, microseconds; 0 is unknown
 *
 * Context: process, also with preemption disabled; not from interrupts.
 * Return: true, or false where the table was in use, and this run does not count.
 */
bool sdv_cost_learn(const struct superdev_program *program, bool is_remote, u64 wall_us,
		    u64 cpu_us)
{
	struct cost_entry *set = cost_set(program), *entry;
	struct superdev_cost *cost;
	unsigned int i;

	if (!spin_trylock(&cost_lock))
		return false;
	entry = cost_find(set, program);
	if (!entry) {
		entry = &set[0];
		for (i = 1; i < COST_WAYS; i++)
			if (set[i].used < entry->used)
				entry = &set[i];
		*entry = (struct cost_entry) { .program = *program };
	}
	entry->used = ++cost_clock;
	cost = &entry->cost;
	if (cpu_us)
		cost->cpu_us = average(cost->cpu_us, cpu_us, !cost->cpu_us);
	if (is_remote) {
		cost->remote_us = average(cost->remote_us, wall_us, !cost->remote_runs);
		cost->remote_runs += cost->remote_runs < U32_MAX;
	} else {
		cost->wall_us = average(cost->wall_us, wall_us, !cost->runs);
		cost->runs += cost->runs < U32_MAX;
	}
	spin_unlock(&cost_lock);
	return true;
}
EXPORT_SYMBOL_GPL(sdv_cost_learn);

/**
 * sdv_cost_init() - nothing is known yet
 *
 * Return: 0, or -ENOMEM.
 */
int sdv_cost_init(void)
{
	cost_seed = get_random_u32();
	cost_sets = kvcalloc(COST_SETS, sizeof(*cost_sets), GFP_KERNEL);
	return cost_sets ? 0 : -ENOMEM;
}

/**
 * sdv_cost_exit() - all is forgotten
 *
 * Context: nobody asks any more.
 */
void sdv_cost_exit(void)
{
	kvfree(cost_sets);
}
