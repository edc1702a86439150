// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * First process of a lab machine.
 *
 * In the initramfs ("/init"): loads the modules that the root disk and the network need, mounts
 * the root, installs what the host put into /install, names the machine and the others, sets
 * addresses up, and goes over to the root: to systemd with lab.init=systemd, else to itself.
 * With lab.init=probe it only says that it runs.
 * In the root ("init"): mounts the kernel's file systems, starts AGENT_RUN_DIR/start and becomes the
 * agent.  As a systemd unit ("agent"): the agent alone.  As "await": await.c.
 *
 * Kernel parameters:
 *	lab.name=NAME lab.init=tiny|systemd|probe lab.id=MACHINE-ID
 *	lab.hosts=NAME:ADDRESS,…
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

#define NETMASK "255.255.255.0"

static char cmdline[4096];

/* A lab machine without its root or its modules is of no use: the kernel's panic ends it. */
static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "lab init: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void do_mount(const char *src, const char *dst, const char *type, unsigned long flags,
		     const char *data)
{
	mkdir(dst, 0755);
	if (mount(src, dst, type, flags, data))
		fprintf(stderr, "lab init: %s: %s\n", dst, strerror(errno));
}

static void read_cmdline(void)
{
	FILE *f = fopen("/proc/cmdline", "r");

	if (!f || !fgets(cmdline, sizeof(cmdline), f))
		fail("/proc/cmdline");
	fclose(f);
	cmdline[strcspn(cmdline, "\n")] = 0;
}

/* The value of a kernel parameter, to be freed; "" if it was not given. */
static char *parameter(const char *name)
{
	size_t len = strlen(name);
	char *p = cmdline;

	while (p && *p) {
		if (!strncmp(p, name, len) && p[len] == '=')
			return strndup(p + len + 1, strcspn(p + len + 1, " "));
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	return strdup("");
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		fail(path);
}

/* /modules/order names the files in the order of their dependencies. */
static void load_modules(void)
{
	FILE *f = fopen("/modules/order", "r");
	char name[128], path[160];

	if (!f)
		fail("/modules/order");
	while (fgets(name, sizeof(name), f)) {
		int fd;

		name[strcspn(name, "\n")] = 0;
		snprintf(path, sizeof(path), "/modules/%s", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			fail(path);
		close(fd);
	}
	fclose(f);
}

static void mount_root(void)
{
	int tries;

	mkdir("/root", 0755);
	for (tries = 0; mount("/dev/vda", "/root", "ext4", MS_NOATIME, NULL); tries++) {
		if (tries == 500)
			fail("/dev/vda");
		usleep(10000);
	}
}

static void copy_file(const char *src, const char *dst, const struct stat *st)
{
	int in = open(src, O_RDONLY | O_CLOEXEC), out;
	off_t left = st->st_size;

	unlink(dst);
	out = open(dst, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, st->st_mode & 07777);
	if (in < 0 || out < 0)
		fail(dst);
	while (left > 0) {
		ssize_t n = sendfile(out, in, NULL, (size_t)left);

		if (n <= 0)
			fail(dst);
		left -= n;
	}
	fchmod(out, st->st_mode & 07777);
	close(in);
	close(out);
}

/* Links to folders in the root (/lib, /sbin) are followed, so both layouts can be installed. */
static void copy_tree(const char *src, const char *dst)
{
	char from[1024], to[1024], target[1024];
	struct dirent *d;
	struct stat st;
	DIR *dir = opendir(src);
	ssize_t n;

	if (!dir)
		return;	/* nothing to install */
	mkdir(dst, 0755);
	while ((d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		snprintf(from, sizeof(from), "%s/%s", src, d->d_name);
		snprintf(to, sizeof(to), "%s/%s", dst, d->d_name);
		if (lstat(from, &st))
			fail(from);
		if (S_ISDIR(st.st_mode)) {
			copy_tree(from, to);
		} else if (S_ISLNK(st.st_mode)) {
			n = readlink(from, target, sizeof(target) - 1);
			if (n < 0)
				fail(from);
			target[n] = 0;
			unlink(to);
			if (symlink(target, to))
				fail(to);
		} else {
			copy_file(from, to, &st);
		}
	}
	closedir(dir);
}

static void set_names(const char *name, const char *id, char *hosts)
{
	char *entry, *save = NULL, text[4096];
	size_t len;

	if (sethostname(name, strlen(name)))
		fail("host name");
	len = (size_t)snprintf(text, sizeof(text), "%s\n", name);
	write_file("/root/etc/hostname", text);
	snprintf(text, sizeof(text), "%s\n", id);
	write_file("/root/etc/machine-id", text);

	len = (size_t)snprintf(text, sizeof(text), "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
	for (entry = strtok_r(hosts, ",", &save); entry; entry = strtok_r(NULL, ",", &save)) {
		char *address = strchr(entry, ':');

		if (!address || len >= sizeof(text))
			continue;
		*address++ = 0;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\t%s\n", address, entry);
	}
	write_file("/root/etc/hosts", text);
}

static void set_address(int fd, struct ifreq *ifr, unsigned long request, const char *address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };

	inet_pton(AF_INET, address, &sin.sin_addr);
	memcpy(&ifr->ifr_addr, &sin, sizeof(sin));
	if (ioctl(fd, request, ifr))
		fprintf(stderr, "lab init: %s %s: %s\n", ifr->ifr_name, address, strerror(errno));
}

static void bring_up(const char *device, const char *address)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };

	strncpy(ifr.ifr_name, device, sizeof(ifr.ifr_name) - 1);
	if (address) {
		set_address(fd, &ifr, SIOCSIFADDR, address);
		set_address(fd, &ifr, SIOCSIFNETMASK, NETMASK);
	}
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0) {
		ifr.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	close(fd);
}

static void set_network(const char *name, const char *hosts)
{
	size_t len = strlen(name);
	const char *p = hosts;
	char *address;

	bring_up("lo", NULL);
	while (strncmp(p, name, len) || p[len] != ':') {
		p = strchr(p, ',');
		if (!p)
			return;
		p++;
	}
	address = strndup(p + len + 1, strcspn(p + len + 1, ","));
	bring_up("eth0", address);
	free(address);
}

static void __attribute__((noreturn)) go_to_root(const char *init)
{
	static const char *const kernel_mounts[] = { "dev", "proc", "sys" };
	char from[16], to[32];
	size_t i;

	for (i = 0; i < sizeof(kernel_mounts) / sizeof(kernel_mounts[0]); i++) {
		snprintf(from, sizeof(from), "/%s", kernel_mounts[i]);
		snprintf(to, sizeof(to), "/root/%s", kernel_mounts[i]);
		if (mount(from, to, NULL, MS_MOVE, NULL))
			fail(to);
	}
	if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail("going over to the root");
	if (!strcmp(init, "systemd"))
		execl("/usr/lib/systemd/systemd", "/sbin/init", NULL);
	else
		execl(AGENT_RUN_DIR "/init", "init", NULL);
	fail(init);
}

static void __attribute__((noreturn)) run_initramfs(void)
{
	char *name, *id, *hosts, *init;

	do_mount("dev", "/dev", "devtmpfs", MS_NOSUID, NULL);
	do_mount("proc", "/proc", "proc", 0, NULL);
	do_mount("sys", "/sys", "sysfs", 0, NULL);
	read_cmdline();
	name = parameter("lab.name");
	id = parameter("lab.id");
	hosts = parameter("lab.hosts");
	init = parameter("lab.init");
	if (!strcmp(init, "probe")) {
		puts("lab init: this accelerator works");
		reboot(RB_POWER_OFF);
	}

	load_modules();
	mount_root();
	do_mount("run", "/root/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
	copy_tree("/install", "/root");
	copy_tree("/lab", "/root" AGENT_RUN_DIR);
	if (!strcmp(init, "systemd")) {
		mkdir("/root/run/systemd", 0755);
		copy_tree("/units", "/root/run/systemd/system");
	}
	set_network(name, hosts);
	set_names(name, id, hosts);
	go_to_root(init);
}

static void __attribute__((noreturn)) run_tiny(void)
{
	pid_t pid;
	int fd;

	do_mount("devpts", "/dev/pts", "devpts", 0, "mode=0620,gid=5,ptmxmode=0666");
	do_mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	do_mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	do_mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, "nsdelegate");
	do_mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700");
	do_mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	do_mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	do_mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	mkdir("/run/lock", 01777);

	pid = fork();
	if (!pid) {
		setsid();
		fd = open("/var/log/lab-start.log", O_WRONLY | O_CREAT | O_TRUNC, 0644);
		dup2(fd, 1);
		dup2(fd, 2);
		execl(AGENT_RUN_DIR "/start", "start", "tiny", NULL);
		_exit(127);
	}
	agent_run(1);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	name = name ? name + 1 : argv[0];
	if (!strcmp(name, "agent"))
		agent_run(0);
	if (!strcmp(name, "await"))
		return await_run(argc, argv);
	if (getpid() != 1) {
		fprintf(stderr, "lab init: to be the first process of a lab machine\n");
		return 2;
	}
	if (!access("/modules/order", R_OK))
		run_initramfs();
	run_tiny();
}
