// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_lender_test.c: the host of a guest, and a home that says what it likes.
 *
 * The test is home: it writes frames to superdev-guest itself.  Whatever it
 * writes, the host must end, and nothing may run that was not asked for.
 */
// LINK: agent/task/proto.c agent/task/proto_remote.c
#include <endian.h>

#include "../../agent/task/proto.h"
#include "task_job.h"

static const char *const no_args[] = { NULL };

static void lender_start(const char *const *args)
{
	char guest[PATH_MAX];

	job_new(NULL);
	job.guest_args = args;
	job_path(guest, "superdev-guest");
	job_connect();
	fflush(stdout);
	job.guest = fork();
	if (!job.guest)
		job_exec_guest(guest);
	job_close(&job.lender);
}

/* False: the host has ended. */
static bool try_put(uint8_t op, uint64_t offset, uint32_t count, const void *payload, uint32_t len)
{
	const struct sdv_head head = {
		.class = SUPERDEV_CLASS_CPU, .op = op, .offset = offset, .count = count, .length = len
	};
	struct superdev_frame frame;

	sdv_frame_build(&frame, &head);
	return send(job.home, &frame, sizeof(frame), MSG_NOSIGNAL) == sizeof(frame) &&
	       (!len || send(job.home, payload, len, MSG_NOSIGNAL) == (ssize_t)len);
}

static void put(uint8_t op, uint64_t offset, uint32_t count, const void *payload, uint32_t len)
{
	CHECK(try_put(op, offset, count, payload, len));
}

/* Up to @len bytes, as long as the connection lasts. */
static size_t get_bytes(void *ret_data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct pollfd poller = { .fd = job.home, .events = POLLIN };
		ssize_t n;

		CHECK(poll(&poller, 1, JOB_SECONDS * 1000) == 1);
		n = read(job.home, (uint8_t *)ret_data + done, len - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* The next frame's op; -1: the lender has closed. */
static int get(struct sdv_head *ret_head, uint8_t *ret_payload)
{
	const struct sdv_frame_rules rules = { .lease = 0 };
	struct superdev_frame frame;

	if (get_bytes(&frame, sizeof(frame)) != sizeof(frame))
		return -1;
	CHECK(!sdv_task_frame_check(&frame, &rules, SDV_TASK_HOME, ret_head));
	CHECK(get_bytes(ret_payload, ret_head->length) == ret_head->length);
	return ret_head->op;
}

static uint8_t image_bytes[65536] __attribute__((aligned(8)));
static uint8_t payload[SUPERDEV_TASK_MAX_DATA];
static struct superdev_task_fd fds[SUPERDEV_TASK_MAX_FDS];

/* A shell that runs @script with output and errors in stream 0 and input in 1. */
static uint32_t image_make(const char *script)
{
	static const struct sdv_task_fd table[3] = {
		{ .fd = 0, .stream = 0, .kind = SUPERDEV_TASK_PIPE, .mode = SUPERDEV_TASK_MODE_READ },
		{ .fd = 1, .stream = 1, .kind = SUPERDEV_TASK_PIPE, .mode = SUPERDEV_TASK_MODE_WRITE },
		{ .fd = 2, .stream = 1, .kind = SUPERDEV_TASK_PIPE, .mode = SUPERDEV_TASK_MODE_WRITE },
	};
	char argv[1024];
	struct sdv_task_image image = { .path = "/bin/sh",
					.cwd = "/",
					.host = "home",
					.argv = argv,
					.argc = 3,
					.envp = "",
					.nr_fds = 3,
					.fds = fds };

	memcpy(argv, "sh\0-c", 6);
	CHECK(strlen(script) < sizeof(argv) - 7);
	strcpy(argv + 6, script);
	image.argv_len = (uint32_t)(6 + strlen(script) + 1);
	for (int i = 0; i < 3; i++)
		sdv_task_fd_put(&fds[i], &table[i]);
	for (int i = 0; i < 16; i++)
		image.rlimits[i] = (struct sdv_task_rlimit){ ~0ull, ~0ull };
	CHECK(sdv_task_image_size(&image) <= sizeof(image_bytes));
	sdv_task_image_build(&image, image_bytes);
	return (uint32_t)sdv_task_image_size(&image);
}

static void image_put(uint32_t size)
{
	put(SUPERDEV_TASK_EXEC, 0, size, image_bytes, size);
}

/* Whatever it still has to say, the host ends; what runs there ends with it. */
static void lender_ends(void)
{
	struct sdv_head head;

	while (get(&head, payload) >= 0)
		;
	job_close(&job.home);
	job.guest_status = job_reap(job.guest);
	job.guest = 0;
	CHECK(WIFEXITED(job.guest_status));
}

static void lender_is_ready(void)
{
	struct sdv_head head;

	CHECK(get(&head, payload) == SUPERDEV_TASK_READY);
}

static void lender_has_started(void)
{
	struct superdev_task_refusal refusal;
	struct sdv_head head;
	char text[124];

	CHECK(get(&head, payload) == SUPERDEV_TASK_EXEC && head.flags & SUPERDEV_F_REPLY);
	memcpy(&refusal, payload, sizeof(refusal));
	CHECK(!sdv_task_refusal_get(&refusal, text));
}

TEST("a home that does as it should is served")
{
	struct superdev_task_exit bytes;
	struct sdv_task_exit end;
	struct sdv_head head;

	lender_start(no_args);
	image_put(image_make("read x; echo got $x; exit 3"));
	lender_is_ready();
	put(SUPERDEV_TASK_GO, 0, 0, NULL, 0);
	lender_has_started();
	put(SUPERDEV_TASK_DATA, 0, 0, "word\n", 5);
	/* That nobody reads its input any more may be known first. */
	while (get(&head, payload) != SUPERDEV_TASK_DATA)
		CHECK(head.op == SUPERDEV_TASK_CLOSE);
	CHECK(head.offset == 1 && head.length == 9 && !memcmp(payload, "got word\n", 9));
	while (get(&head, payload) != SUPERDEV_TASK_EXIT)
		CHECK(head.op == SUPERDEV_TASK_EOF || head.op == SUPERDEV_TASK_CLOSE);
	memcpy(&bytes, payload, sizeof(bytes));
	CHECK(!sdv_task_exit_get(&bytes, &end) && end.code == 3 && !end.signal && !end.flags);
	CHECK(end.used.maxrss_kb > 0);
	lender_ends();
}

TEST("what a program uses is told while it runs, and the end is not less")
{
	struct superdev_task_exit end_bytes;
	struct superdev_task_used bytes;
	struct sdv_task_used used = { 0 }, last = { 0 };
	struct sdv_task_exit end;
	struct sdv_head head;
	int told = 0, op;

	lender_start(no_args);
	image_put(image_make("(i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done); while :; do :; done"));
	lender_is_ready();
	put(SUPERDEV_TASK_GO, 0, 0, NULL, 0);
	lender_has_started();
	while ((op = get(&head, payload)) != SUPERDEV_TASK_EXIT) {
		CHECK(op >= 0);
		if (op != SUPERDEV_TASK_USED)
			continue;
		memcpy(&bytes, payload, sizeof(bytes));
		sdv_task_used_get(&bytes, &used);
		CHECK(used.utime_us >= last.utime_us && used.stime_us >= last.stime_us);
		CHECK(used.minflt >= last.minflt && memcmp(&used, &last, sizeof(used)) != 0);
		last = used;
		if (++told == 2)
			put(SUPERDEV_TASK_SIGNAL, 0, SIGKILL, NULL, 0);
	}
	CHECK(told >= 2 && last.utime_us + last.stime_us > 0 && last.minflt > 0);
	memcpy(&end_bytes, payload, sizeof(end_bytes));
	CHECK(!sdv_task_exit_get(&end_bytes, &end) && end.signal == SIGKILL);
	CHECK(end.used.utime_us >= last.utime_us && end.used.stime_us >= last.stime_us);
	CHECK(end.used.minflt >= last.minflt && end.used.majflt >= last.majflt);
	lender_ends();
}

TEST("nothing runs before it is told to")
{
	struct timespec pause = { .tv_nsec = 200000000 };
	char path[] = "/var/tmp/sdv-task-XXXXXX", script[64];
	int fd = mkstemp(path);
	struct stat st;

	CHECK(fd >= 0 && !fchmod(fd, 0666));
	snprintf(script, sizeof(script), "echo ran >%s", path);
	lender_start(no_args);
	image_put(image_make(script));
	lender_is_ready();
	/* It has all the time in the world. */
	nanosleep(&pause, NULL);
	CHECK(!fstat(fd, &st) && !st.st_size);
	shutdown(job.home, SHUT_WR);
	lender_ends();
	CHECK(!fstat(fd, &st) && !st.st_size);
	close(fd);
	unlink(path);
}

TEST("a connection that closes at once, or says nonsense, ends the host")
{
	memset(payload, 0xa5, sizeof(payload));
	lender_start(no_args);
	shutdown(job.home, SHUT_WR);
	lender_ends();
	lender_start(no_args);
	CHECK(send(job.home, payload, 4096, MSG_NOSIGNAL) == 4096);
	lender_ends();
}

TEST("an image that is none is refused with a reason")
{
	struct superdev_task_refusal refusal;
	struct sdv_head head;
	uint32_t size = image_make("exit 0");
	char text[124];

	lender_start(no_args);
	image_bytes[sizeof(struct superdev_task_image) - 1] = 1;
	image_put(size);
	CHECK(get(&head, payload) == SUPERDEV_TASK_EXEC && head.flags & SUPERDEV_F_REPLY);
	memcpy(&refusal, payload, sizeof(refusal));
	CHECK(sdv_task_refusal_get(&refusal, text) == EINVAL && strstr(text, "read the image"));
	lender_ends();
}

TEST("a second image, a part out of order, a start too early or twice end the host")
{
	uint32_t size = image_make("sleep 100");

	lender_start(no_args);
	put(SUPERDEV_TASK_GO, 0, 0, NULL, 0);
	lender_ends();

	lender_start(no_args);
	put(SUPERDEV_TASK_EXEC, 8, size, image_bytes + 8, size - 8);
	lender_ends();

	lender_start(no_args);
	image_put(size);
	lender_is_ready();
	image_put(size);
	lender_ends();

	lender_start(no_args);
	image_put(size);
	lender_is_ready();
	put(SUPERDEV_TASK_GO, 0, 0, NULL, 0);
	lender_has_started();
	put(SUPERDEV_TASK_GO, 0, 0, NULL, 0);
	lender_ends();
}

TEST("a signal before there is a program ends the host")
{
	lender_start(no_args);
	put(SUPERDEV_TASK_SIGNAL, 0, SIGTERM, NULL, 0);
	lender_ends();
}

static void running(const char *script)
{
	lender_start(no_args);
	image_put(image_make(script));
	lender_is_ready();
	put(SUPERDEV_TASK_GO, 0, 0, NULL, 0);
	lender_has_started();
}

TEST("bytes of a stream that is not there, or is over, end the host")
{
	running("exec sleep 100");
	put(SUPERDEV_TASK_DATA, 2, 0, "x", 1);
	lender_ends();
	running("exec sleep 100");
	put(SUPERDEV_TASK_EOF, 0, 0, NULL, 0);
	put(SUPERDEV_TASK_DATA, 0, 0, "x", 1);
	lender_ends();
}

TEST("more than was credited ends the host")
{
	running("exec sleep 100");
	/* A window, but not a byte for which there was no credit; it ends while we still write. */
	for (int i = 0; i < 4; i++)
		put(SUPERDEV_TASK_DATA, 0, 0, payload, sizeof(payload));
	for (int i = 0; i < 4; i++)
		if (!try_put(SUPERDEV_TASK_DATA, 0, 0, payload, sizeof(payload)))
			break;
	lender_ends();
	running("exec sleep 100");
	put(SUPERDEV_TASK_CREDIT, 1, 1, NULL, 0);
	lender_ends();
}

TEST("a home that reads nothing holds up its own program and nothing else")
{
	struct timespec pause = { .tv_nsec = 300000000 };

	running("while :; do echo yes; done");
	nanosleep(&pause, NULL);
	put(SUPERDEV_TASK_SIGNAL, 0, SIGKILL, NULL, 0);
	/* The rest, and how it ended, come when what is there is read, and room is made for more. */
	for (struct sdv_head head = { .op = 0 }; head.op != SUPERDEV_TASK_EXIT;) {
		CHECK(get(&head, payload) >= 0);
		if (head.op == SUPERDEV_TASK_DATA)
			put(SUPERDEV_TASK_CREDIT, 1, head.length, NULL, 0);
	}
	lender_ends();
}

TEST("an answer that nobody asked for ends the host")
{
	const struct superdev_task_answer answer = { .id = htole64(1), .op = htole32(SUPERDEV_TASK_R_SEEK) };

	running("exec sleep 100");
	put(SUPERDEV_TASK_ANSWER, 0, 0, &answer, sizeof(answer));
	lender_ends();
}

TEST("random bytes in good frames do no harm")
{
	unsigned int seed = 1;

	for (int round = 0; round < 30; round++) {
		lender_start(no_args);
		image_put(image_make("cat"));
		for (int i = 0; i < 20; i++) {
			uint8_t op = (uint8_t)(SUPERDEV_TASK_EXEC +
					       rand_r(&seed) % (SUPERDEV_TASK_USED - SUPERDEV_TASK_EXEC + 1));
			uint32_t len = op == SUPERDEV_TASK_DATA ? (uint32_t)rand_r(&seed) % 100 + 1 : 0;
			const struct sdv_head head = {
				.class = SUPERDEV_CLASS_CPU,
				.op = op,
				.offset = (uint64_t)rand_r(&seed) % 3,
				.count = (uint32_t)rand_r(&seed) % 20,
				.length = len,
			};
			struct superdev_frame frame;

			sdv_frame_build(&frame, &head);
			if (send(job.home, &frame, sizeof(frame), MSG_NOSIGNAL) < 0 ||
			    (len && send(job.home, payload, len, MSG_NOSIGNAL) < 0))
				break;
		}
		shutdown(job.home, SHUT_WR);
		lender_ends();
	}
}

/* Where this machine has cgroups of version 2; NULL: nowhere. */
static const char *cgroup_root(void)
{
	static char line[4096], path[256];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	bool is_found = false;

	while (f && !is_found && fgets(line, sizeof(line), f))
		is_found = strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %*s %255s", path) == 1;
	if (f)
		fclose(f);
	return is_found ? path : NULL;
}

static bool file_has(const char *path, const char *what)
{
	char text[4096] = "";
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	return strstr(text, what);
}

TEST("a guest is in a cgroup of its own, which ends with it and can end all of them")
{
	const char *root = cgroup_root();
	char parent[300], path[400], kill_path[400];
	const char *const args[] = { "--cgroup", parent, NULL };
	struct sdv_head head;
	int fd;

	if (!root) {
		printf("# skipped: no cgroup file system of version 2 is mounted\n");
		return;
	}
	snprintf(parent, sizeof(parent), "%s/superdev-test-%lld", root, (long long)job_now_ms());
	CHECK(!mkdir(parent, 0755));
	lender_start(args);
	image_put(image_make("cat /proc/self/cgroup; sleep 1000 & exec sleep 1000"));
	lender_is_ready();
	put(SUPERDEV_TASK_GO, 0, 0, NULL, 0);
	lender_has_started();
	CHECK(get(&head, payload) == SUPERDEV_TASK_DATA);
	/* Of version 2 it sees its own root and nothing above it. */
	payload[head.length] = 0;
	CHECK(strstr((char *)payload, "0::/\n"));
	snprintf(path, sizeof(path), "%s/guest-%d/cgroup.events", parent, job.guest);
	CHECK(file_has(path, "populated 1"));
	snprintf(kill_path, sizeof(kill_path), "%s/cgroup.kill", parent);
	fd = open(kill_path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "1", 1) == 1);
	close(fd);
	/* Home is told that it was killed. */
	while (get(&head, payload) != SUPERDEV_TASK_EXIT)
		CHECK(head.op);
	CHECK(payload[4] == SIGKILL);
	lender_ends();
	CHECK(!rmdir(parent));
}

TEST("limits that the kernel cannot keep are an error, not forgotten")
{
	const char *root = cgroup_root();
	char parent[300], controllers[300];
	const char *const args[] = { "--cgroup", parent, "--memory", "67108864", NULL };

	if (!root) {
		printf("# skipped: no cgroup file system of version 2 is mounted\n");
		return;
	}
	snprintf(controllers, sizeof(controllers), "%s/cgroup.controllers", root);
	snprintf(parent, sizeof(parent), "%s/superdev-test-%lld", root, (long long)job_now_ms());
	CHECK(!mkdir(parent, 0755));
	lender_start(args);
	if (file_has(controllers, "memory")) {
		printf("# skipped: this machine has the memory controller\n");
		shutdown(job.home, SHUT_WR);
		lender_ends();
	} else {
		lender_ends();
		CHECK(WEXITSTATUS(job.guest_status) == 1);
	}
	CHECK(!rmdir(parent));
}

TEST("memory above the limit ends the guest")
{
	const char *root = cgroup_root();
	char parent[300], path[400];
	const char *const args[] = { "--cgroup", parent, "--memory", "67108864", "--pids", "50", NULL };
	struct sdv_head head;
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root ? root : "");
	if (!root || !file_has(path, "memory") || !file_has(path, "pids")) {
		printf("# skipped: no memory and pids controllers of version 2 on this machine\n");
		return;
	}
	snprintf(parent, sizeof(parent), "%s/superdev-test-%lld", root, (long long)job_now_ms());
	CHECK(!mkdir(parent, 0755));
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", parent);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "+memory +pids", 13) == 13);
	close(fd);
	lender_start(args);
	image_put(image_make("x=x; while :; do x=$x$x; done"));
	lender_is_ready();
	put(SUPERDEV_TASK_GO, 0, 0, NULL, 0);
	lender_has_started();
	while (get(&head, payload) != SUPERDEV_TASK_EXIT)
		CHECK(head.op);
	CHECK(payload[4] == SIGKILL);
	lender_ends();
	CHECK(!rmdir(parent));
}

int main(void)
{
	if (geteuid()) {
		printf("needs root, for namespaces of other users\n");
		return 77;
	}
	signal(SIGPIPE, SIG_IGN);
	return test_main("task_lender");
}
