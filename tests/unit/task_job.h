/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task_job.h: a deputy, and the host of its guest, as a test has them.
 *
 * Both are the programs themselves, with sanitizers; the guest's root is this
 * machine's.  What the program writes is kept in job.out and job.err.
 */
#ifndef SDV_TASK_JOB_H
#define SDV_TASK_JOB_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define JOB_SECONDS 20
#define JOB_TEXT    (64u << 10)

/**
 * struct job - one task
 * @script:	for /bin/sh, unless argv is given
 * @guest_args:	further arguments of superdev-guest
 * @setup:	runs in what becomes the deputy, its descriptors in place
 * @is_tcp:	loopback instead of a pair of sockets
 * @has_no_lender: the test plays the lender, on @lender
 * @input:	where not 0: what its input is instead of the pipe to job.in
 * @home, @lender: the ends of the connection, as long as the test has them
 * @cut:	another descriptor of home's end, to cut it with
 */
struct job {
	const char *script, *path;
	const char *const *argv;
	const char *const *guest_args;
	void (*setup)(void);
	bool is_tcp, has_no_lender, is_clear;
	pid_t deputy, guest;
	int home, lender, cut;
	int in, input, out_fd, err_fd;
	int status, guest_status;
	bool has_ended;
	size_t out_len, err_len;
	char out[JOB_TEXT], err[JOB_TEXT];
};

static struct job job;

static void job_path(char *ret_path, const char *program)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	CHECK(len > 0);
	self[len] = 0;
	/* build/san/tests/unit/NAME */
	for (int i = 0; i < 3; i++)
		*strrchr(self, '/') = 0;
	CHECK(snprintf(ret_path, PATH_MAX, "%s/%s", self, program) < PATH_MAX);
}

static void job_connect(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fds[2], listener;

	if (!job.is_tcp) {
		CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
		job.home = fds[0];
		job.lender = fds[1];
		return;
	}
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(listener >= 0 && !bind(listener, (struct sockaddr *)&address, len) && !listen(listener, 1));
	CHECK(!getsockname(listener, (struct sockaddr *)&address, &len));
	job.home = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(job.home >= 0 && !connect(job.home, (struct sockaddr *)&address, len));
	job.lender = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(job.lender >= 0);
	close(listener);
}

static void job_exec_guest(const char *path)
{
	const char *args[24] = { "superdev-guest", "--fd", "3", "--root", "/" };
	size_t nr = 5;

	if (job.is_clear)
		args[nr++] = "--clear";
	for (size_t i = 0; job.guest_args && job.guest_args[i]; i++)
		args[nr++] = job.guest_args[i];
	if (dup2(job.lender, 3) < 0 || fcntl(3, F_SETFD, 0))
		_exit(99);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(path, (char **)args);
	_exit(99);
}

static inline void job_exec_deputy(const char *path, const int *in, const int *out, const int *err)
{
	const char *args[64] = { "superdev-deputy", "--fd", "60", "--verbose" };
	size_t nr = 4;

	if (dup2(job.home, 60) < 0 || dup2(job.input > 0 ? job.input : in[0], 0) < 0 || dup2(out[1], 1) < 0 ||
	    dup2(err[1], 2) < 0)
		_exit(99);
	if (job.is_clear)
		args[nr++] = "--clear";
	args[nr++] = "--";
	args[nr++] = job.path ? job.path : "/bin/sh";
	if (!job.argv) {
		args[nr++] = "sh";
		args[nr++] = "-c";
		args[nr++] = job.script;
	}
	for (size_t i = 0; job.argv && job.argv[i]; i++)
		args[nr++] = job.argv[i];
	args[nr] = NULL;
	signal(SIGPIPE, SIG_DFL);
	if (job.setup)
		job.setup();
	execv(path, (char **)args);
	_exit(99);
}

/* Starts what @job says; its program's input is job.in. */
static inline void job_start(void)
{
	int in[2], out[2], err[2];
	char guest[PATH_MAX], deputy[PATH_MAX];

	job_path(guest, "superdev-guest");
	job_path(deputy, "superdev-deputy");
	job_connect();
	CHECK(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC) && !pipe2(err, O_CLOEXEC));
	fflush(stdout);
	job.guest = job.has_no_lender ? 0 : fork();
	if (!job.has_no_lender && !job.guest)
		job_exec_guest(guest);
	job.deputy = fork();
	if (!job.deputy)
		job_exec_deputy(deputy, in, out, err);
	CHECK(job.deputy > 0 && job.guest >= 0);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	job.in = in[1];
	job.out_fd = out[0];
	job.err_fd = err[0];
	job.cut = fcntl(job.home, F_DUPFD_CLOEXEC, 0);
	close(job.home);
	if (!job.has_no_lender)
		close(job.lender);
}

static inline int64_t job_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline bool job_take(int *fd, char *text, size_t *len)
{
	ssize_t n = read(*fd, text + *len, JOB_TEXT - 1 - *len);

	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return false;
	}
	*len += (size_t)n;
	text[*len] = 0;
	return true;
}

/* Until the program has written @what (NULL: until nobody writes any more). */
static inline void job_read(const char *what)
{
	int64_t end = job_now_ms() + JOB_SECONDS * 1000;

	while (!what || !strstr(job.out, what)) {
		struct pollfd fds[2] = { { .fd = job.out_fd, .events = POLLIN },
					 { .fd = job.err_fd, .events = POLLIN } };

		if (job.out_fd < 0 && job.err_fd < 0) {
			CHECK(!what);
			return;
		}
		CHECK(job_now_ms() < end);
		poll(fds, 2, 1000);
		if (fds[0].revents)
			job_take(&job.out_fd, job.out, &job.out_len);
		if (fds[1].revents)
			job_take(&job.err_fd, job.err, &job.err_len);
	}
}

static inline int job_reap(pid_t pid)
{
	int64_t end = job_now_ms() + JOB_SECONDS * 1000;
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		struct timespec pause = { .tv_nsec = 1000000 };

		CHECK(job_now_ms() < end);
		nanosleep(&pause, NULL);
	}
	return status;
}

static inline void job_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Waits for everything that there is. */
static inline void job_end(void)
{
	job_close(&job.in);
	job_read(NULL);
	job.status = job_reap(job.deputy);
	job_close(&job.cut);
	if (job.guest > 0)
		job.guest_status = job_reap(job.guest);
	else
		job_close(&job.lender);
	if (getenv("JOB_DEBUG"))
		printf("# deputy %x guest %x\n# out: %s\n# err: %s\n", (unsigned int)job.status,
		       (unsigned int)job.guest_status, job.out, job.err);
}

/* Of a test before, whatever became of it. */
static inline void job_new(const char *script)
{
	if (job.deputy > 0)
		kill(job.deputy, SIGKILL);
	if (job.guest > 0)
		kill(job.guest, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	memset(&job, 0, sizeof(job));
	job.script = script;
	job.in = job.out_fd = job.err_fd = job.cut = -1;
}

static inline bool job_ran_there(void)
{
	return !strstr(job.err, "runs here");
}

/* An unlinked file with @text in it, at its beginning. */
static inline int job_file(const char *text)
{
	char path[] = "/tmp/sdv-task-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !lseek(fd, 0, SEEK_SET));
	unlink(path);
	return fd;
}

/* The usual: a script, run at the lender to its end. */
static inline void job_run(const char *script)
{
	job_new(script);
	job_start();
	job_end();
	if (!job_ran_there())
		printf("# %s\n", job.err);
	CHECK(job_ran_there());
}

static inline bool job_exited(int code)
{
	return WIFEXITED(job.status) && WEXITSTATUS(job.status) == code;
}

static inline bool job_signalled(int sig)
{
	return WIFSIGNALED(job.status) && WTERMSIG(job.status) == sig;
}

#endif
