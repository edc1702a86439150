// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run.c: a command whose programs may run elsewhere, or does itself.
 *
 * superdev run stays, as the command's parent, for the sake of the cgroup that it has made.  It
 * is to be as if it were not there: the terminal's signals reach the command without it, others
 * are passed on, it stops when the command stops, and ends as the command ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "output.h"
#include "registry.h"

#define DEPUTY           "/usr/libexec/superdev/superdev-deputy"
#define DEPUTY_PARAMETER "/sys/module/superdev_cpu/parameters/deputy"

/* As shells have it. */
#define NOT_EXECUTABLE 126
#define NOT_FOUND      127

/* The cgroup of this run. */
struct run {
	char cgroup[CLI_CGROUP_SIZE];
	char folder[2 * CLI_CGROUP_SIZE];
};

static int run_fail(const struct cli *cli, const char *name, int error)
{
	cli_fail(cli, name, "%s", error == ENOENT ? "there is no such program" : strerror(error));
	return error == ENOENT || error == ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE;
}

/* The cgroup ---------------------------------------------------------------- */

static int cgroup_make(struct cli *cli, struct run *run)
{
	char mount[CLI_CGROUP_SIZE], own[CLI_CGROUP_SIZE];
	int r, tries;
	size_t n;

	if (cli_cgroup_mount(mount, sizeof(mount)) || cli_cgroup_of(0, own, sizeof(own)))
		return cli_fail(cli, NULL, "cgroups of version 2 are not mounted here");
	if (!strcmp(own, "/")) {
		stpcpy(own, "/superdev");
		snprintf(run->folder, sizeof(run->folder), "%s%s", mount, own);
		if (mkdir(run->folder, 0755) && errno != EEXIST)
			return cli_fail(cli, NULL, "can't make cgroup '%s': %m", run->folder);
	}
	for (tries = 0;; tries++) {
		n = (size_t)snprintf(run->cgroup, sizeof(run->cgroup), "%s/run-%d", own, (int)getpid());
		if (tries && n < sizeof(run->cgroup))
			n += (size_t)snprintf(run->cgroup + n, sizeof(run->cgroup) - n, "-%d", tries);
		if (n >= sizeof(run->cgroup))
			return cli_fail(cli, NULL, "the cgroup that this runs in has too long a name: '%s'",
					own);
		snprintf(run->folder, sizeof(run->folder), "%s%s", mount, run->cgroup);
		if (!mkdir(run->folder, 0755))
			break;
		r = errno;
		/* Of a process that had our number, and left others in it. */
		if (r == EEXIST && tries < 100)
			continue;
		if (r == EACCES || r == EPERM)
			return cli_fail(cli, NULL, "can't make cgroup '%s': %s; try it with sudo",
					run->folder, strerror(r));
		return cli_fail(cli, NULL, "can't make cgroup '%s': %s", run->folder, strerror(r));
	}
	r = sdv_nl_spread(cli->nl, SUPERDEV_CMD_SPREAD_ADD, run->cgroup);
	if (!r) {
		cli_policy_default(cli);
		cli_count_borrowed(cli, run->cgroup, true);
		return 0;
	}
	rmdir(run->folder);
	return cli_refused(cli, run->cgroup, r);
}

static int cgroup_enter(const struct run *run)
{
	char file[2 * CLI_CGROUP_SIZE + 16];
	int fd, r = 0;

	snprintf(file, sizeof(file), "%s/cgroup.procs", run->folder);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

/* Somebody has to remove it when what the command has left behind is over, too. */
static void cgroup_watch(const struct run *run)
{
	char file[2 * CLI_CGROUP_SIZE + 16], text[256];
	struct pollfd events = { .events = POLLPRI };
	ssize_t n;
	int null;

	snprintf(file, sizeof(file), "%s/cgroup.events", run->folder);
	if (fork())
		return;
	setsid();
	/* Whoever reads what we print is not to wait for us. */
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	if (chdir("/"))
		_exit(1);
	close_range(STDERR_FILENO + 1, ~0u, 0);
	events.fd = open(file, O_RDONLY | O_CLOEXEC);
	while (rmdir(run->folder) && errno == EBUSY && events.fd >= 0) {
		n = pread(events.fd, text, sizeof(text) - 1, 0);
		if (n < 0)
			break;
		text[n] = 0;
		if (strstr(text, "populated 1"))
			poll(&events, 1, -1);
		else
			poll(NULL, 0, 20);
	}
	_exit(0);
}

static void cgroup_remove(const struct run *run)
{
	/* The last process may be still on its way out. */
	for (int tries = 0; tries < 5; tries++) {
		if (!rmdir(run->folder) || errno != EBUSY)
			return;
		poll(NULL, 0, 2);
	}
	cgroup_watch(run);
}

/* The command --------------------------------------------------------------- */

/* From kill(1), not from the terminal, which has told the command itself. */
static const int passed_on[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT };
#define NR_PASSED_ON (sizeof(passed_on) / sizeof(passed_on[0]))

static volatile pid_t child;

static void pass_on(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (child > 0 && (sig == SIGCONT || info->si_code <= 0) && info->si_pid != child)
		kill(child, sig);
	errno = saved;
}

static _Noreturn void become(struct cli *cli, const struct run *run, char *const *words, const sigset_t *mask)
{
	int r = cgroup_enter(run);

	if (r) {
		cli_fail(cli, run->cgroup, "can't enter the cgroup: %s", strerror(-r));
		_exit(CLI_FAILED);
	}
	signal(SIGPIPE, SIG_DFL);
	/*
	 * What is traced stays here.  The command itself is what starts the others, and with it
	 * all of them would be at one lender.
	 */
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(words[0], words);
	_exit(run_fail(cli, words[0], errno));
}

/* It has been executed, or has ended instead.  Return: whether it is there; else @ret_status. */
static bool has_begun(int *ret_status)
{
	for (;;) {
		if (waitpid(child, ret_status, 0) < 0) {
			if (errno != EINTR)
				return true;
		} else if (!WIFSTOPPED(*ret_status)) {
			return false;
		} else if (WSTOPSIG(*ret_status) == SIGTRAP) {
			ptrace(PTRACE_DETACH, child, NULL, NULL);
			return true;
		} else {
			ptrace(PTRACE_CONT, child, NULL, (void *)(long)WSTOPSIG(*ret_status));
		}
	}
}

/*
 * Of a shell with jobs we are one, which stops as the command does and only then: by the
 * terminal's signal alone we would find out about the command's stop when it is over.
 */
static void stop(void)
{
	kill(getpid(), SIGSTOP);
	kill(child, SIGCONT);
}

static int end_as(int status)
{
	sigset_t set;
	int sig;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	sig = WTERMSIG(status);
	/* The core, if any, is the command's. */
	prctl(PR_SET_DUMPABLE, 0);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), sig);
	return 128 + sig;
}

static int wait_for(void)
{
	int status;

	for (;;) {
		if (waitpid(child, &status, WUNTRACED) < 0) {
			if (errno != EINTR)
				return W_EXITCODE(CLI_FAILED, 0);
		} else if (WIFSTOPPED(status)) {
			stop();
		} else {
			return status;
		}
	}
}

static int run_spread(struct cli *cli, char *const *words)
{
	struct sigaction action = { .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t mask, all, stopped;
	struct run *run = cli_alloc(sizeof(*run));
	int status;

	status = cgroup_make(cli, run);
	if (status) {
		free(run);
		return status;
	}
	/* No signal is lost between the fork and our readiness to pass it on. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	child = fork();
	if (!child)
		become(cli, run, words, &mask);
	if (child < 0) {
		status = cli_fail(cli, words[0], "%m");
	} else {
		for (size_t i = 0; i < NR_PASSED_ON; i++)
			sigaction(passed_on[i], &action, NULL);
		stopped = mask;
		sigaddset(&stopped, SIGTSTP);
		sigaddset(&stopped, SIGTTIN);
		sigaddset(&stopped, SIGTTOU);
		sigprocmask(SIG_SETMASK, &stopped, NULL);
		if (has_begun(&status))
			status = wait_for();
	}
	sigprocmask(SIG_SETMASK, &all, NULL);
	cgroup_remove(run);
	free(run);
	if (child < 0)
		return status;
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return end_as(status);
}

/* By name ------------------------------------------------------------------- */

/* PEER or PEER/OFFER: the number of a lease that a program can go by; 0 after saying why not. */
static uint32_t find_lease(struct cli *cli, const char *where)
{
	const struct sdv_lease_info *lease, *found = NULL;
	struct cli_registry registry;
	bool knows_peer = false;
	char pair[2 * SDV_NAME_SIZE];
	uint32_t id = 0;
	size_t i;
	int r;

	r = cli_registry_load(cli, CLI_PEERS | CLI_LEASES, &registry);
	if (r) {
		cli_refused(cli, where, r);
		return 0;
	}
	for (i = 0; i < registry.nr_peers; i++)
		knows_peer = knows_peer || (strlen(registry.peers[i].name) == strcspn(where, "/") &&
					    !strncmp(where, registry.peers[i].name, strcspn(where, "/")));
	for (i = 0; i < registry.nr_leases; i++) {
		lease = &registry.leases[i];
		snprintf(pair, sizeof(pair), "%s/%s", lease->peer, lease->offer);
		if (lease->role != SUPERDEV_ROLE_HELD || strcmp(lease->class_name, "cpu") != 0 ||
		    strcmp(where, strchr(where, '/') ? pair : lease->peer) != 0)
			continue;
		if (!found || lease->state == SUPERDEV_LEASE_STATE_ACTIVE)
			found = lease;
	}
	if (!found && !knows_peer)
		cli_fail(cli, where, "there is no such peer; see: superdev peer list");
	else if (!found)
		cli_fail(cli, where, "no processors are borrowed there; see: superdev lease add");
	else if (found->state != SUPERDEV_LEASE_STATE_ACTIVE)
		cli_fail(cli, where, "the lease is %s%s%s", cli_lease_word(found->state),
			 *found->error ? ": " : "", found->error);
	else
		id = found->id;
	cli_registry_free(&registry);
	return id;
}

/* Where the kernel looks for it. */
static void find_deputy(char *ret_path, size_t size)
{
	FILE *in = fopen(DEPUTY_PARAMETER, "re");

	if (!in || !fgets(ret_path, (int)size, in) || *ret_path != '/')
		snprintf(ret_path, size, "%s", DEPUTY);
	ret_path[strcspn(ret_path, "\n")] = 0;
	if (in)
		fclose(in);
}

/* 0, or the exit status after saying so. */
static int find_program(struct cli *cli, const char *name, char *ret_path, size_t size)
{
	struct stat st;
	int r;

	r = cli_program_find(name, ret_path, size);
	if (!r && stat(ret_path, &st))
		r = -errno;
	if (!r && !S_ISREG(st.st_mode))
		r = S_ISDIR(st.st_mode) ? -EISDIR : -EACCES;
	if (!r && access(ret_path, X_OK))
		r = -errno;
	return r ? run_fail(cli, name, -r) : 0;
}

static int run_on(struct cli *cli, const char *where, int nr, char *const *words)
{
	char path[PATH_MAX], deputy[PATH_MAX], number[16];
	char **argv;
	uint32_t lease;
	int r, i;

	r = find_program(cli, words[0], path, sizeof(path));
	if (r)
		return r;
	lease = find_lease(cli, where);
	if (!lease)
		return CLI_FAILED;
	find_deputy(deputy, sizeof(deputy));
	if (access(deputy, X_OK))
		return cli_fail(cli, words[0], "can't start its deputy: '%s': %m", deputy);
	r = sdv_nl_task_add(cli->nl, path, lease);
	if (r)
		return cli_refused(cli, where, r);
	snprintf(number, sizeof(number), "%" PRIu32, lease);
	argv = cli_alloc((size_t)(nr + 6) * sizeof(*argv));
	argv[0] = deputy;
	argv[1] = (char *)"--lease";
	argv[2] = number;
	argv[3] = (char *)"--";
	/* A script is told its name: as it was typed, where that leads to it. */
	argv[4] = strchr(words[0], '/') ? words[0] : path;
	for (i = 0; i < nr; i++)
		argv[5 + i] = words[i];
	signal(SIGPIPE, SIG_DFL);
	execv(deputy, argv);
	r = cli_fail(cli, words[0], "can't start its deputy: '%s': %m", deputy);
	free(argv);
	return r;
}

int cli_run(struct cli *cli, const struct cli_args *args)
{
	const char *where = cli_arg(args, "on"), *shell = getenv("SHELL");
	char *one[] = { (char *)(shell && *shell ? shell : "/bin/sh"), NULL };
	char *const *words = args->nr_rest ? args->rest : one;
	int nr = args->nr_rest ? args->nr_rest : 1, r;
	char **ended;

	if (cli->file)
		return cli_misuse(cli, "a batch runs no commands of yours");
	if (cli->is_json)
		return cli_misuse(cli, "there is no JSON of what a command prints");
	/* Its words, ended as exec wants them. */
	ended = cli_alloc((size_t)(nr + 1) * sizeof(*ended));
	memcpy(ended, words, (size_t)nr * sizeof(*ended));
	r = where ? run_on(cli, where, nr, ended) : run_spread(cli, ended);
	free(ended);
	return r;
}
