// SPDX-License-Identifier: GPL-2.0-only
/*
 * config.c: judges what a lender says of its processors.
 *
 * Whoever reads these values later, in sysfs, in a policy or to decide whether
 * a program can run there, may rely on what is checked here.
 */
#include <linux/ctype.h>
#include <linux/log2.h>
#include <linux/sizes.h>
#include <net/netlink.h>
#include "bus.h"
#include "config.h"

/* Of XCR0: x87 cannot be switched off, and SSE is part of every x86_64. */
#define XCR0_NEEDED	3
/* The legacy area and the header of an XSAVE area, and more than any processor has. */
#define XSAVE_MIN	576
#define XSAVE_MAX	SZ_64K

static const struct nla_policy cpu_policy[SUPERDEV_A_CPU_CONFIG_MAX + 1] = {
	[SUPERDEV_A_CPU_CONFIG_CPUS]		= { .type = NLA_U32 },
	[SUPERDEV_A_CPU_CONFIG_MEMORY]		= { .type = NLA_U64 },
	[SUPERDEV_A_CPU_CONFIG_ARCHITECTURE]	= { .type = NLA_NUL_STRING,
						    .len = SUPERDEV_NAME_LEN },
	[SUPERDEV_A_CPU_CONFIG_KERNEL]		= { .type = NLA_NUL_STRING,
						    .len = SUPERDEV_NAME_LEN },
	[SUPERDEV_A_CPU_CONFIG_PAGE_SIZE]	= { .type = NLA_U32 },
	[SUPERDEV_A_CPU_CONFIG_X86_LEVEL]	= { .type = NLA_U32 },
	[SUPERDEV_A_CPU_CONFIG_XCR0]		= { .type = NLA_U64 },
	[SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE]	= { .type = NLA_U32 },
};

/* What people see in sysfs must not be able to look like something else. */
static bool is_word(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!isascii(*text) || (!isalnum(*text) && !strchr("._-+~:", *text)))
			return false;
	return true;
}

static u32 get_u32(struct nlattr **tb, int type)
{
	return tb[type] ? nla_get_u32(tb[type]) : 0;
}

static u64 get_u64(struct nlattr **tb, int type)
{
	return tb[type] ? nla_get_u64(tb[type]) : 0;
}

/* Return: what is wrong with @c in words, or NULL. */
static const char *wrong_machine(const struct sdv_cpu_config *c)
{
	if (!c->cpus || c->cpus > SDV_CPU_MAX_CPUS)
		return "cpu config: cpus is not from 1 to 65536";
	if (c->memory < SZ_1M || c->memory > S64_MAX)
		return "cpu config: memory is not from 1 MiB on";
	if (!is_word(c->architecture) || !is_word(c->kernel))
		return "cpu config: architecture or kernel is no word";
	if (!is_power_of_2(c->page_size) || c->page_size < SZ_4K || c->page_size > SZ_1M)
		return "cpu config: page-size is no power of two from 4 KiB to 1 MiB";
	return NULL;
}

static const char *wrong_x86(const struct sdv_cpu_config *c)
{
	if (strcmp(c->architecture, "x86_64"))
		return c->x86_level || c->xcr0 || c->xsave_size ?
		       "cpu config: x86-level, xcr0 or xsave-size of another architecture" : NULL;
	if (!c->x86_level || c->x86_level > 4)
		return "cpu config: x86-level is not from 1 to 4";
	if (!c->xcr0 != !c->xsave_size)
		return "cpu config: xcr0 without xsave-size, or the other way round";
	if (!c->xcr0)
		return NULL;
	if ((c->xcr0 & XCR0_NEEDED) != XCR0_NEEDED)
		return "cpu config: xcr0 lacks what every x86_64 saves";
	if (c->xsave_size < XSAVE_MIN || c->xsave_size > XSAVE_MAX)
		return "cpu config: xsave-size is not from 576 to 65536";
	return NULL;
}

/**
 * sdv_cpu_config_parse() - judge the attributes that describe processors
 * @attrs:	attributes of the cpu-config set
 * @len:	their length in bytes
 * @ret_config:	what they say
 * @ret_why:	in words, what is wrong
 *
 * Attributes of a newer set are passed over.
 *
 * Return: 0; -EBADMSG for what are no attributes of this set; -EINVAL for
 * values that no machine can have.
 */
int sdv_cpu_config_parse(const void *attrs, size_t len, struct sdv_cpu_config *ret_config,
			 const char **ret_why)
{
	struct nlattr *tb[SUPERDEV_A_CPU_CONFIG_MAX + 1];
	struct sdv_cpu_config c = { };
	int error;

	error = __nla_parse(tb, SUPERDEV_A_CPU_CONFIG_MAX, attrs, len, cpu_policy,
			    NL_VALIDATE_TRAILING | NL_VALIDATE_UNSPEC |
			    NL_VALIDATE_STRICT_ATTRS, NULL);
	if (error) {
		*ret_why = "cpu config: malformed attributes";
		return -EBADMSG;
	}
	if (!tb[SUPERDEV_A_CPU_CONFIG_CPUS] || !tb[SUPERDEV_A_CPU_CONFIG_MEMORY] ||
	    !tb[SUPERDEV_A_CPU_CONFIG_ARCHITECTURE] || !tb[SUPERDEV_A_CPU_CONFIG_KERNEL] ||
	    !tb[SUPERDEV_A_CPU_CONFIG_PAGE_SIZE]) {
		*ret_why = "cpu config: cpus, memory, architecture, kernel or page-size is missing";
		return -EINVAL;
	}
	c.cpus = get_u32(tb, SUPERDEV_A_CPU_CONFIG_CPUS);
	c.memory = get_u64(tb, SUPERDEV_A_CPU_CONFIG_MEMORY);
	nla_strscpy(c.architecture, tb[SUPERDEV_A_CPU_CONFIG_ARCHITECTURE],
		    sizeof(c.architecture));
	nla_strscpy(c.kernel, tb[SUPERDEV_A_CPU_CONFIG_KERNEL], sizeof(c.kernel));
	c.page_size = get_u32(tb, SUPERDEV_A_CPU_CONFIG_PAGE_SIZE);
	c.x86_level = get_u32(tb, SUPERDEV_A_CPU_CONFIG_X86_LEVEL);
	c.xcr0 = get_u64(tb, SUPERDEV_A_CPU_CONFIG_XCR0);
	c.xsave_size = get_u32(tb, SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE);
	*ret_why = wrong_machine(&c);
	if (!*ret_why)
		*ret_why = wrong_x86(&c);
	if (*ret_why)
		return -EINVAL;
	*ret_config = c;
	return 0;
}

/**
 * sdv_cpu_config_fits() - can a device that is plugged become another
 * @now:	what it promises
 * @then:	what the lender says now
 * @ret_why:	in words, what does not fit
 *
 * How much is lent may change, and the lender may have booted another kernel.
 * What programs were started for must stay: they may have looked once.
 *
 * Return: 0, or -EINVAL.
 */
int sdv_cpu_config_fits(const struct sdv_cpu_config *now, const struct sdv_cpu_config *then,
			const char **ret_why)
{
	if (strcmp(then->architecture, now->architecture) || then->page_size != now->page_size)
		*ret_why = "cpu config: architecture and page-size cannot change in use";
	else if (then->x86_level < now->x86_level || now->xcr0 & ~then->xcr0)
		*ret_why = "cpu config: x86-level and xcr0 cannot shrink in use";
	else
		return 0;
	return -EINVAL;
}

/**
 * sdv_cpu_status_parse() - judge what a lender answered to STATUS
 * @status:	the payload
 * @load:	gets what it says; its cpus, which the config says, stay as they are
 *
 * Return: 0, or -EPROTO for what no lender can mean.
 */
int sdv_cpu_status_parse(const struct superdev_cpu_status *status, struct sdv_load *load)
{
	u32 cpus = le32_to_cpu(status->cpus);

	if (memchr_inv(status->reserved, 0, sizeof(status->reserved)))
		return -EPROTO;
	if (le32_to_cpu(status->load) > SUPERDEV_CPU_LOAD_MAX || !cpus || cpus > SDV_CPU_MAX_CPUS ||
	    le32_to_cpu(status->own) > le32_to_cpu(status->load) ||
	    le32_to_cpu(status->tasks) > SDV_CPU_MAX_TASKS ||
	    le64_to_cpu(status->memory) > S64_MAX || le64_to_cpu(status->used_us) > S64_MAX)
		return -EPROTO;
	load->load = le32_to_cpu(status->load);
	load->own = le32_to_cpu(status->own);
	load->online = cpus;
	load->tasks = le32_to_cpu(status->tasks);
	load->memory = le64_to_cpu(status->memory);
	load->used_us = le64_to_cpu(status->used_us);
	return 0;
}
