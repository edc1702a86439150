// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_remote_test.c: home's files as a deputy serves them to a lender.
 *
 * The test is the lender: it asks for operations one by one and looks at what
 * became of the files.  Streams 0, 1 and 2 are input, output and errors.
 */
// LINK: agent/task/proto.c agent/task/proto_remote.c
#include <dirent.h>
#include <endian.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>

#include "../../agent/task/proto.h"
#include "superdev_cpu.h"
#include "task_job.h"

#define COOKIE_IN  1
#define COOKIE_OUT 2
#define COOKIE_ERR 3
#define NOTHING_MS 200

static uint8_t payload[SDV_TASK_MAX_PAYLOAD];
static struct {
	struct superdev_remote_reply reply;
	uint8_t data[SUPERDEV_TASK_MAX_REMOTE];
} got __attribute__((aligned(8)));
static uint64_t last_id;

static void put(uint8_t op, uint16_t flags, uint64_t offset, const void *bytes, uint32_t len)
{
	const struct sdv_head head = {
		.class = SUPERDEV_CLASS_CPU, .op = op, .flags = flags, .offset = offset, .length = len
	};
	struct superdev_frame frame;

	sdv_frame_build(&frame, &head);
	CHECK(send(job.lender, &frame, sizeof(frame), MSG_NOSIGNAL) == sizeof(frame));
	if (len)
		CHECK(send(job.lender, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
}

static bool is_heard(int timeout_ms)
{
	struct pollfd poller = { .fd = job.lender, .events = POLLIN };

	return poll(&poller, 1, timeout_ms) == 1;
}

static void get_bytes(void *ret_data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n;

		CHECK(is_heard(JOB_SECONDS * 1000));
		n = read(job.lender, (uint8_t *)ret_data + done, len - done);
		CHECK(n > 0);
		done += (size_t)n;
	}
}

static uint8_t get(struct sdv_head *ret_head)
{
	const struct sdv_frame_rules rules = { .lease = 0 };
	struct superdev_frame frame;

	get_bytes(&frame, sizeof(frame));
	CHECK(!sdv_task_frame_check(&frame, &rules, SDV_TASK_LENDER, ret_head));
	get_bytes(payload, ret_head->length);
	return ret_head->op;
}

/* Up to where it waits for READY. */
static void deputy_start(int input)
{
	struct sdv_task_parts parts = { .size = 0 };
	struct sdv_head head;

	job_new(NULL);
	job.has_no_lender = true;
	job.input = input;
	job.path = "/bin/true";
	job.argv = (const char *const[]){ "true", NULL };
	job_start();
	do
		CHECK(get(&head) == SUPERDEV_TASK_EXEC);
	while (!sdv_task_parts_add(&parts, &head));
}

/* Up to where the program runs, for all that the deputy knows. */
static void running(int input)
{
	struct superdev_task_refusal started;
	struct sdv_head head;

	deputy_start(input);
	put(SUPERDEV_TASK_READY, 0, 7, NULL, 0);
	CHECK(get(&head) == SUPERDEV_TASK_GO);
	sdv_task_refusal_put(&started, 0, "");
	put(SUPERDEV_TASK_EXEC, SUPERDEV_F_REPLY, 0, &started, sizeof(started));
}

static struct superdev_remote_request ask_of(uint64_t cookie, uint32_t op, uint32_t length)
{
	return (struct superdev_remote_request){
		.id = ++last_id, .cookie = cookie, .op = op, .length = length
	};
}

static uint64_t ask_put(const struct superdev_remote_request *ask, const void *data)
{
	uint32_t len = sdv_task_request_put(ask, data, payload);

	CHECK(len);
	put(SUPERDEV_TASK_REMOTE, 0, 0, payload, len);
	return ask->id;
}

/* The next answer or news, in got. */
static void answer_get(void)
{
	struct sdv_head head;
	uint64_t opened;

	CHECK(get(&head) == SUPERDEV_TASK_ANSWER);
	CHECK(!sdv_task_answer_get(payload, head.length, 0, &got.reply, &opened));
}

/* Asks, and takes the answer; the result. */
static int64_t done(const struct superdev_remote_request *ask, const void *data)
{
	uint64_t id = ask_put(ask, data);

	do
		answer_get();
	while (got.reply.type == SUPERDEV_REMOTE_READY);
	CHECK(got.reply.id == id);
	return got.reply.result;
}

static int64_t read_of(uint64_t cookie, uint32_t length, uint32_t flags)
{
	struct superdev_remote_request ask = ask_of(cookie, SUPERDEV_REMOTE_READ, length);

	ask.flags = flags;
	return done(&ask, NULL);
}

static int64_t write_of(uint64_t cookie, const char *text)
{
	struct superdev_remote_request ask = ask_of(cookie, SUPERDEV_REMOTE_WRITE, 0);

	ask.data_length = (uint32_t)strlen(text);
	return done(&ask, text);
}

static void release(uint64_t cookie)
{
	struct superdev_remote_request ask = { .op = SUPERDEV_REMOTE_RELEASE, .cookie = cookie };

	ask_put(&ask, NULL);
}

static int fds_of(pid_t pid)
{
	struct dirent *entry;
	char path[32];
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	CHECK(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void program_ends(void)
{
	const struct sdv_task_exit end = { .code = 5 };
	struct superdev_task_exit bytes;

	sdv_task_exit_put(&bytes, &end);
	put(SUPERDEV_TASK_EXIT, 0, 0, &bytes, sizeof(bytes));
	job_end();
	CHECK(job_exited(5));
}

TEST("of a pipe no more is read than was asked for: the rest is the next reader's")
{
	char text[16] = "";
	int fds[2];

	CHECK(!pipe2(fds, O_CLOEXEC) && write(fds[1], "abcdef", 6) == 6);
	running(fds[0]);
	CHECK(read_of(COOKIE_IN, 3, 0) == 3 && !memcmp(got.data, "abc", 3));
	CHECK(got.reply.sequence && got.reply.ready & POLLIN);
	program_ends();
	CHECK(read(fds[0], text, sizeof(text)) == 3 && !memcmp(text, "def", 3));
	close(fds[1]);
	close(fds[0]);
}

TEST("a read waits for a writer, can be interrupted, and loses nothing by it")
{
	struct superdev_remote_request interrupt = { .op = SUPERDEV_REMOTE_INTERRUPT }, ask;

	running(0);
	CHECK(read_of(COOKIE_IN, 10, SUPERDEV_REMOTE_F_NONBLOCK) == -EAGAIN);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_READ, 10);
	ask_put(&ask, NULL);
	CHECK(!is_heard(NOTHING_MS));
	interrupt.id = ask.id;
	ask_put(&interrupt, NULL);
	answer_get();
	CHECK(got.reply.id == ask.id && got.reply.result == -EINTR);
	/* It has been answered: nothing more comes of this. */
	ask_put(&interrupt, NULL);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_READ, 10);
	ask_put(&ask, NULL);
	CHECK(!is_heard(NOTHING_MS));
	CHECK(write(job.in, "later", 5) == 5);
	answer_get();
	CHECK(got.reply.id == ask.id && got.reply.result == 5 && !memcmp(got.data, "later", 5));
	job_close(&job.in);
	CHECK(read_of(COOKIE_IN, 10, 0) == 0);
	program_ends();
}

TEST("what is written arrives, a closed output has ended, and nobody reads what is written to nobody")
{
	char text[16];

	running(0);
	CHECK(write_of(COOKIE_OUT, "hello") == 5);
	job_read("hello");
	release(COOKIE_OUT);
	CHECK(read(job.out_fd, text, sizeof(text)) == 0);
	CHECK(write_of(COOKIE_OUT, "x") == -EBADF);
	job_close(&job.err_fd);
	CHECK(write_of(COOKIE_ERR, "x") == -EPIPE);
	program_ends();
}

TEST("a full pipe takes the rest when it is read")
{
	static char block[SUPERDEV_TASK_MAX_REMOTE];
	struct superdev_remote_request ask;
	int64_t total = 0, n;
	ssize_t taken;

	running(0);
	memset(block, 'x', sizeof(block));
	ask = ask_of(COOKIE_OUT, SUPERDEV_REMOTE_WRITE, 0);
	ask.data_length = sizeof(block);
	ask.flags = SUPERDEV_REMOTE_F_NONBLOCK;
	while ((n = done(&ask, block)) > 0) {
		total += n;
		ask.id = ++last_id;
	}
	CHECK(n == -EAGAIN && total > 0);
	ask.id = ++last_id;
	ask.flags = 0;
	ask_put(&ask, block);
	CHECK(!is_heard(NOTHING_MS));
	taken = read(job.out_fd, block, 8192);
	CHECK(taken == 8192);
	answer_get();
	CHECK(got.reply.id == ask.id && got.reply.result > 0);
	program_ends();
}

TEST("who polls is told what holds, and then what changes")
{
	struct superdev_remote_request ask;

	running(0);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_POLL, 0);
	CHECK(done(&ask, NULL) == 0 && got.reply.sequence && !(got.reply.ready & POLLIN));
	CHECK(write(job.in, "x", 1) == 1);
	answer_get();
	CHECK(got.reply.type == SUPERDEV_REMOTE_READY && got.reply.cookie == COOKIE_IN);
	CHECK(got.reply.ready & POLLIN);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_IOCTL, 4);
	ask.command = FIONREAD;
	CHECK(done(&ask, NULL) == 0 && *(int *)(void *)got.data == 1);
	program_ends();
}

TEST("a file's position is the one that others at home have")
{
	struct superdev_remote_request ask;
	int fd = job_file("0123456789");
	struct superdev_remote_attr attr;

	running(fd);
	CHECK(read_of(COOKIE_IN, 4, 0) == 4 && !memcmp(got.data, "0123", 4));
	CHECK(lseek(fd, 0, SEEK_CUR) == 4);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_READ, 2);
	ask.flags = SUPERDEV_REMOTE_F_OFFSET;
	ask.offset = 8;
	CHECK(done(&ask, NULL) == 2 && !memcmp(got.data, "89", 2));
	CHECK(lseek(fd, 0, SEEK_CUR) == 4);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_SEEK, 0);
	ask.offset = -1;
	ask.command = SEEK_END;
	CHECK(done(&ask, NULL) == 9 && lseek(fd, 0, SEEK_CUR) == 9);
	CHECK(write_of(COOKIE_IN, "XY") == 2);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_WRITE, 0);
	ask.flags = SUPERDEV_REMOTE_F_APPEND | SUPERDEV_REMOTE_F_SYNC;
	ask.data_length = 1;
	CHECK(!lseek(fd, 0, SEEK_SET) && done(&ask, "Z") == 1);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_GETATTR, sizeof(attr));
	CHECK(!done(&ask, NULL));
	memcpy(&attr, got.data, sizeof(attr));
	CHECK(attr.size == 12 && attr.nlink == 0);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_TRUNCATE, 0);
	ask.offset = 3;
	CHECK(!done(&ask, NULL) && lseek(fd, 0, SEEK_END) == 3);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_SYNC, 0);
	CHECK(!done(&ask, NULL));
	program_ends();
	close(fd);
}

static uint64_t lock_put(uint64_t owner, uint32_t type, int command, int64_t start, int64_t end)
{
	const struct superdev_remote_lock lock = { .owner = owner, .start = start, .end = end, .type = type };
	struct superdev_remote_request ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_LOCK, 0);

	ask.command = (uint32_t)command;
	ask.length = command == F_GETLK ? sizeof(lock) : 0;
	ask.data_length = sizeof(lock);
	return ask_put(&ask, &lock);
}

static int64_t locked(uint64_t owner, uint32_t type, int command, int64_t start, int64_t end)
{
	lock_put(owner, type, command, start, end);
	answer_get();
	return got.reply.result;
}

TEST("locks have owners, also among those at the lender, and one that is waited for is had in the end")
{
	int fd = job_file("0123456789");
	struct superdev_remote_lock lock;
	struct flock own = { .l_type = F_WRLCK, .l_start = 5, .l_len = 1 };
	uint64_t id;

	running(fd);
	CHECK(!locked(1, F_WRLCK, F_SETLK, 0, 3));
	CHECK(!locked(1, F_RDLCK, F_SETLK, 2, 3));
	CHECK(locked(2, F_WRLCK, F_SETLK, 3, 3) == -EAGAIN);
	CHECK(!locked(2, F_WRLCK, F_GETLK, 1, 1));
	memcpy(&lock, got.data, sizeof(lock));
	CHECK(lock.type == F_WRLCK && lock.start == 0 && lock.end == 1);
	/* A process of home has one, too. */
	CHECK(!fcntl(fd, F_SETLK, &own));
	CHECK(locked(1, F_RDLCK, F_SETLK, 5, INT64_MAX) == -EAGAIN);
	id = lock_put(2, F_WRLCK, F_SETLKW, 0, 0);
	CHECK(!is_heard(NOTHING_MS));
	lock_put(1, F_UNLCK, F_SETLK, 0, INT64_MAX);
	answer_get();
	answer_get();
	CHECK(got.reply.id == id && !got.reply.result);
	/* flock() is the file's own, and so is everybody's who has it. */
	CHECK(!locked(0, F_WRLCK, F_SETLK, 0, INT64_MAX) && !flock(fd, LOCK_EX | LOCK_NB));
	program_ends();
	close(fd);
}

TEST("a file that is opened once more has a position of its own")
{
	struct superdev_remote_request ask;
	int fd = job_file("0123456789");
	const uint64_t cookie = SUPERDEV_REMOTE_COOKIE_OURS | 1;

	running(fd);
	CHECK(read_of(COOKIE_IN, 4, 0) == 4);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_OPEN, 0);
	ask.argument = cookie;
	ask.command = O_RDONLY;
	CHECK(!done(&ask, NULL));
	CHECK(read_of(cookie, 2, 0) == 2 && !memcmp(got.data, "01", 2));
	/* A number that is taken. */
	ask.id = ++last_id;
	CHECK(done(&ask, NULL) == -ENFILE);
	release(cookie);
	CHECK(read_of(cookie, 2, 0) == -EBADF);
	CHECK(read_of(COOKIE_IN, 2, 0) == 2 && !memcmp(got.data, "45", 2));
	program_ends();
	close(fd);
}

TEST("what was opened once more is closed when the lender has no use for it, however often that is")
{
	const uint64_t cookie = SUPERDEV_REMOTE_COOKIE_OURS | 1;
	int fd = job_file("0123456789"), before;
	struct superdev_remote_request ask;

	running(fd);
	CHECK(read_of(COOKIE_IN, 1, 0) == 1);
	before = fds_of(job.deputy);
	for (unsigned int i = 0; i < 2000; i++) {
		ask = ask_of(i % 2 ? COOKIE_IN : COOKIE_OUT, SUPERDEV_REMOTE_OPEN, 0);
		ask.argument = cookie + i;
		ask.command = i % 2 ? O_RDONLY : O_WRONLY;
		CHECK(!done(&ask, NULL));
		/* As it would be polled by who was killed. */
		ask = ask_of(cookie + i, SUPERDEV_REMOTE_POLL, 0);
		CHECK(!done(&ask, NULL));
		release(cookie + i);
	}
	CHECK(read_of(COOKIE_IN, 1, 0) == 1);
	CHECK(fds_of(job.deputy) == before);
	program_ends();
	close(fd);
}

TEST("a lender that calls a stream remote which can't be has not been asked to run anything")
{
	deputy_start(0);
	put(SUPERDEV_TASK_READY, 0, 1ull << 63, NULL, 0);
	job_end();
	CHECK(job_exited(0) && strstr(job.err, "runs here"));
}

static void is_lost(void)
{
	/* Its input stays open until then: its end would be an answer to all that waits. */
	job.status = job_reap(job.deputy);
	job.deputy = 0;
	job_read(NULL);
	job_close(&job.in);
	job_close(&job.cut);
	job_close(&job.lender);
	CHECK(job_signalled(SIGKILL) && strstr(job.err, "lost the lender"));
}

TEST("what a lost program would have been told on a stream that it had closed goes to no file of its own")
{
	struct superdev_remote_request ask;
	int fd = job_file("0123456789");
	char text[32] = "";

	running(fd);
	release(COOKIE_ERR);
	CHECK(read(job.err_fd, text, sizeof(text)) == 0);
	/* They take the numbers that are free. */
	for (uint64_t i = 1; i < 4; i++) {
		ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_OPEN, 0);
		ask.argument = SUPERDEV_REMOTE_COOKIE_OURS | i;
		ask.command = O_RDWR;
		CHECK(!done(&ask, NULL));
	}
	shutdown(job.lender, SHUT_RDWR);
	job.status = job_reap(job.deputy);
	job.deputy = 0;
	CHECK(job_signalled(SIGKILL));
	CHECK(pread(fd, text, sizeof(text), 0) == 10 && !memcmp(text, "0123456789", 10));
	job_close(&job.in);
	job_close(&job.cut);
	job_close(&job.lender);
	close(fd);
}

TEST("operations that can't be end the connection, and with it the program")
{
	struct superdev_remote_request ask;

	running(0);
	memset(payload, 0xa5, sizeof(payload));
	put(SUPERDEV_TASK_REMOTE, 0, 0, payload, sizeof(struct superdev_task_request));
	is_lost();
	running(0);
	/* More than its kernel has under way. */
	for (unsigned int i = 0; i <= SUPERDEV_TASK_MAX_REQUESTS; i++) {
		ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_READ, 1);
		ask_put(&ask, NULL);
	}
	is_lost();
}

TEST("operations on what is not there harm nobody")
{
	struct superdev_remote_request ask;

	running(0);
	release(77);
	CHECK(read_of(77, 1, 0) == -EBADF);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_SEEK, 0);
	CHECK(done(&ask, NULL) == -ESPIPE);
	ask = ask_of(COOKIE_IN, SUPERDEV_REMOTE_TRUNCATE, 0);
	CHECK(done(&ask, NULL) < 0);
	CHECK(write_of(COOKIE_IN, "x") == -EBADF);
	CHECK(read_of(COOKIE_OUT, 1, 0) == -EBADF);
	program_ends();
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	return test_main("task_remote");
}
