// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guestbox.c: what a guest, and what serves it, may ask the kernel for.
 *
 * See guestbox.h.  tests/attack/guest_attack.c tries what is written here.
 */
#include "guestbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FAIL(what)                  \
	do {                        \
		*ret_what = (what); \
		return -errno;      \
	} while (0)

/*
 * What ordinary programs do is allowed, what is dangerous and known to programs is
 * refused, and the rest does not exist: agent/gen/guestfilter.c has the lists.
 */
static const struct sock_filter guest_filter[] = {
#include "guestfilter.h"
};

int sdv_guestbox_filter(const char **ret_what)
{
	static const struct sock_fprog program = {
		.len = sizeof(guest_filter) / sizeof(*guest_filter),
		.filter = (struct sock_filter *)guest_filter,
	};

	*ret_what = "load the system call filter";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return -errno;
	return 0;
}

#define RETURN(action, data) BPF_STMT(BPF_RET | BPF_K, (action) | (data))
#define REFUSE(error)        RETURN(SECCOMP_RET_ERRNO, error)
/* Where the accumulator is @value, the next instruction, else the one behind it. */
#define WHEN(value)          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW(index) offsetof(struct seccomp_data, args[index])
#else
#define LOW(index) (offsetof(struct seccomp_data, args[index]) + 4)
#endif

int sdv_guestbox_filter_guest(void)
{
	/*
	 * By hand, as this runs while a program waits to be started.  clone3 has its
	 * flags in memory where no filter sees them; who gets ENOSYS uses clone.
	 * Terminals: what is typed, and which driver reads it, are not a guest's to choose.
	 */
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		WHEN(SYS_clone3),
		REFUSE(ENOSYS),
		WHEN(SYS_sethostname),
		REFUSE(EPERM),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0),
		RETURN(SECCOMP_RET_ALLOW, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(1)),
		WHEN(TIOCSTI),
		REFUSE(EPERM),
		WHEN(TIOCSETD),
		REFUSE(EPERM),
		WHEN(TIOCLINUX),
		REFUSE(EPERM),
		WHEN(TIOCCONS),
		REFUSE(EPERM),
		RETURN(SECCOMP_RET_ALLOW, 0),
	};
	static const struct sock_fprog program = {
		.len = sizeof(code) / sizeof(*code),
		.filter = code,
	};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? -errno : 0;
}

/* Newer than the headers of the oldest system that this is built on. */
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ull << 15)
#endif

struct landlock_attr {
	uint64_t fs, net, scoped;
};

#define LANDLOCK_NET_BIND_CONNECT 3ull /* ABI 4 */
#define LANDLOCK_SCOPES           3ull /* ABI 6: abstract Unix sockets, signals */

/* What the file system rights of each version of the ABI are. */
static uint64_t landlock_rights(long abi)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		rights |= 1ull << 13; /* REFER */
	if (abi >= 3)
		rights |= 1ull << 14; /* TRUNCATE */
	if (abi >= 5)
		rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return rights;
}

static int landlock_allow(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = rights,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	int r = 0;

	if (rule.parent_fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		r = -errno;
	close(rule.parent_fd);
	return r;
}

int sdv_guestbox_landlock(const char **ret_what)
{
	const uint64_t nodes = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t rights = landlock_rights(abi);
	struct landlock_attr attr = { .fs = rights };
	int ruleset, r;

	if (abi < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		return 0;
	*ret_what = "set up landlock";
	if (abi < 0)
		return -errno;
	if (abi >= 4)
		attr.net = LANDLOCK_NET_BIND_CONNECT;
	if (abi >= 6)
		attr.scoped = LANDLOCK_SCOPES;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
	if (ruleset < 0)
		return -errno;
	r = landlock_allow(ruleset, "/", rights & ~(nodes | LANDLOCK_ACCESS_FS_IOCTL_DEV));
	if (!r && abi >= 5)
		r = landlock_allow(ruleset, "/dev", LANDLOCK_ACCESS_FS_IOCTL_DEV);
	if (!r && syscall(SYS_landlock_restrict_self, ruleset, 0))
		r = -errno;
	close(ruleset);
	return r ? r : 1;
}

int sdv_guestbox_capabilities_drop(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
		{ .effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32) },
	};

	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

int sdv_guestbox_capabilities(uint64_t keep, const char **ret_what)
{
	int r;

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			FAIL("drop the capability bounding set");
	if (prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS, 0, 0, 0))
		FAIL("lock the secure bits");
	r = sdv_guestbox_capabilities_drop(keep);
	if (r)
		*ret_what = "drop capabilities";
	return r;
}
