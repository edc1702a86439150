// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_proto_test.c: frames and images of tasks, as they may come and as they may not.
 */
// LINK: agent/task/proto.c agent/task/proto_remote.c
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "../../agent/task/proto.h"
#include "harness.h"
#include "superdev_cpu.h"

static const struct sdv_frame_rules rules = { .lease = 7, .epoch = 3 };

static int check(uint8_t op, uint16_t flags, uint64_t offset, uint32_t count, uint32_t length,
		 enum sdv_task_side side)
{
	const struct sdv_head head = {
		.class = SUPERDEV_CLASS_CPU,
		.op = op,
		.flags = flags,
		.lease = 7,
		.epoch = 3,
		.offset = offset,
		.count = count,
		.length = length,
	};
	struct superdev_frame frame;
	struct sdv_head got = { .op = 0 };
	int r;

	sdv_frame_build(&frame, &head);
	r = sdv_task_frame_check(&frame, &rules, side, &got);
	/* Written where it is good, and only there. */
	CHECK(r ? !got.op
		: got.op == op && got.offset == offset && got.count == count && got.length == length);
	return r;
}

TEST("each operation goes one way, or both")
{
	static const struct {
		uint8_t op;
		uint32_t length, count;
		bool to_home, to_lender;
	} ops[] = {
		{ SUPERDEV_TASK_EXEC, 100, 1000, false, true },
		{ SUPERDEV_TASK_READY, 0, 0, true, false },
		{ SUPERDEV_TASK_GO, 0, 0, false, true },
		{ SUPERDEV_TASK_DATA, 5, 0, true, true },
		{ SUPERDEV_TASK_EOF, 0, 0, true, true },
		{ SUPERDEV_TASK_CLOSE, 0, 0, true, true },
		{ SUPERDEV_TASK_CREDIT, 0, 1, true, true },
		{ SUPERDEV_TASK_MODES, sizeof(struct superdev_task_modes), 0, true, true },
		{ SUPERDEV_TASK_SIGNAL, 0, 15, false, true },
		{ SUPERDEV_TASK_STOPPED, 0, 19, true, false },
		{ SUPERDEV_TASK_EXIT, sizeof(struct superdev_task_exit), 0, true, false },
		{ SUPERDEV_TASK_GONE, 0, 0, true, false },
		{ SUPERDEV_TASK_REMOTE, sizeof(struct superdev_task_request), 0, true, false },
		{ SUPERDEV_TASK_ANSWER, sizeof(struct superdev_task_answer), 0, false, true },
		{ SUPERDEV_TASK_USED, sizeof(struct superdev_task_used), 0, true, false },
	};

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		CHECK(check(ops[i].op, 0, 0, ops[i].count, ops[i].length, SDV_TASK_HOME) ==
		      (ops[i].to_home ? 0 : -EPROTO));
		CHECK(check(ops[i].op, 0, 0, ops[i].count, ops[i].length, SDV_TASK_LENDER) ==
		      (ops[i].to_lender ? 0 : -EPROTO));
	}
	CHECK(check(SUPERDEV_TASK_EXEC - 1, 0, 0, 0, 0, SDV_TASK_LENDER) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_USED + 1, 0, 0, 0, 0, SDV_TASK_HOME) == -EPROTO);
}

TEST("EXEC alone has a reply, of one size, and only home gets it")
{
	const uint32_t size = sizeof(struct superdev_task_refusal);

	CHECK(!check(SUPERDEV_TASK_EXEC, SUPERDEV_F_REPLY, 0, 0, size, SDV_TASK_HOME));
	CHECK(check(SUPERDEV_TASK_EXEC, SUPERDEV_F_REPLY, 0, 0, size - 1, SDV_TASK_HOME) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_EXEC, SUPERDEV_F_REPLY, 0, 0, size, SDV_TASK_LENDER) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_DATA, SUPERDEV_F_REPLY, 0, 0, size, SDV_TASK_HOME) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_DATA, SUPERDEV_F_REPLAY, 0, 0, 5, SDV_TASK_HOME) == -EPROTO);
}

TEST("lengths, streams and numbers have their limits")
{
	CHECK(!check(SUPERDEV_TASK_DATA, 0, 63, 0, SUPERDEV_TASK_MAX_DATA, SDV_TASK_LENDER));
	CHECK(check(SUPERDEV_TASK_DATA, 0, 63, 0, SUPERDEV_TASK_MAX_DATA + 1, SDV_TASK_LENDER) == -EMSGSIZE);
	CHECK(check(SUPERDEV_TASK_DATA, 0, 0, 0, 0, SDV_TASK_LENDER) == -EMSGSIZE);
	CHECK(check(SUPERDEV_TASK_DATA, 0, 64, 0, 5, SDV_TASK_LENDER) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_EOF, 0, 1ull << 40, 0, 0, SDV_TASK_LENDER) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_EOF, 0, 0, 0, 1, SDV_TASK_LENDER) == -EMSGSIZE);
	CHECK(check(SUPERDEV_TASK_CREDIT, 0, 0, 0, 0, SDV_TASK_LENDER) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_CREDIT, 0, 0, SUPERDEV_TASK_WINDOW + 1, 0, SDV_TASK_LENDER) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_SIGNAL, 0, 0, 0, 0, SDV_TASK_LENDER) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_SIGNAL, 0, 0, 65, 0, SDV_TASK_LENDER) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_SIGNAL, 0, 2, 15, 0, SDV_TASK_LENDER) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_EXEC, 0, 0, SUPERDEV_TASK_MAX_IMAGE + 1, 5, SDV_TASK_LENDER) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_EXEC, 0, 0, 100, 5, SDV_TASK_LENDER) == -EPROTO);
}

TEST("what was used is of one size, and of no stream")
{
	const uint32_t size = sizeof(struct superdev_task_used);

	CHECK(check(SUPERDEV_TASK_USED, 0, 0, 0, size - 8, SDV_TASK_HOME) == -EMSGSIZE);
	CHECK(check(SUPERDEV_TASK_USED, 0, 0, 0, size + 8, SDV_TASK_HOME) == -EMSGSIZE);
	CHECK(check(SUPERDEV_TASK_USED, 0, 1, 0, size, SDV_TASK_HOME) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_USED, 0, 0, 1, size, SDV_TASK_HOME) == -EPROTO);
	CHECK(check(SUPERDEV_TASK_USED, SUPERDEV_F_REPLY, 0, 0, size, SDV_TASK_HOME) == -EPROTO);
}

TEST("frames of another lease or epoch, and replies with a wrong status, are refused")
{
	struct sdv_head head = {
		.class = SUPERDEV_CLASS_CPU, .op = SUPERDEV_TASK_GO, .lease = 8, .epoch = 3
	};
	struct superdev_frame frame;

	sdv_frame_build(&frame, &head);
	CHECK(sdv_task_frame_check(&frame, &rules, SDV_TASK_LENDER, &head) == -ESTALE);
	head.lease = 7;
	head.class = SUPERDEV_CLASS_BLK;
	sdv_frame_build(&frame, &head);
	CHECK(sdv_task_frame_check(&frame, &rules, SDV_TASK_LENDER, &head) == -EPROTO);
}

TEST("an image comes in parts, in order, each once")
{
	struct sdv_task_parts parts = { 0, 0 };
	struct sdv_head head = { .offset = 0, .count = 1000, .length = 600 };

	CHECK(!sdv_task_parts_add(&parts, &head));
	CHECK(sdv_task_parts_add(&parts, &head) == -EPROTO);
	head.offset = 600;
	head.length = 401;
	CHECK(sdv_task_parts_add(&parts, &head) == -EPROTO);
	head.length = 400;
	head.count = 1001;
	CHECK(sdv_task_parts_add(&parts, &head) == -EPROTO);
	head.count = 1000;
	CHECK(sdv_task_parts_add(&parts, &head) == 1);
}

TEST("credit is never more than a window")
{
	uint32_t credit = 0;

	CHECK(!sdv_task_credit_add(&credit, SUPERDEV_TASK_WINDOW) && credit == SUPERDEV_TASK_WINDOW);
	CHECK(sdv_task_credit_add(&credit, 1) == -EPROTO && credit == SUPERDEV_TASK_WINDOW);
	CHECK(sdv_task_credit_add(&credit, UINT32_MAX) == -EPROTO);
}

/* An image with something in every section. */
static struct superdev_task_fd fds[5];
static const __le32 groups[3] = { 4, 5, 6 };

static struct sdv_task_image example(void)
{
	static const struct sdv_task_fd table[5] = {
		{ .fd = 0, .stream = 0, .kind = SUPERDEV_TASK_TTY, .mode = 3 },
		{ .fd = 1, .stream = 1, .kind = SUPERDEV_TASK_PIPE, .mode = SUPERDEV_TASK_MODE_WRITE },
		{ .fd = 2, .stream = 1, .kind = SUPERDEV_TASK_PIPE, .mode = SUPERDEV_TASK_MODE_WRITE },
		{ .fd = 7, .stream = 0xffff, .kind = SUPERDEV_TASK_DEVICE, .mode = 1, .device = 3 },
		{ .fd = 9, .stream = 2, .kind = SUPERDEV_TASK_FILE, .mode = 1, .flags = 1 },
	};
	struct sdv_task_image image = {
		.path = "/bin/true",
		.cwd = "/tmp",
		.host = "home",
		.argv = "true\0x",
		.argc = 2,
		.argv_len = 7,
		.envp = "A=b",
		.envc = 1,
		.envp_len = 4,
		.groups = groups,
		.nr_groups = 3,
		.fds = fds,
		.nr_fds = 5,
		.flags = SUPERDEV_TASK_F_LEADER | SUPERDEV_TASK_F_TTY,
		.umask = 022,
		.nice = -3,
		.uid = 1000,
		.gid = 100,
		.pid = 4711,
		.sig_blocked = 1ull << 63,
		.modes = { .valid = 3, .rows = 24, .cols = 80, .cc = { 3 } },
	};

	for (int i = 0; i < 5; i++)
		sdv_task_fd_put(&fds[i], &table[i]);
	image.rlimits[7] = (struct sdv_task_rlimit){ 1024, 4096 };
	return image;
}

static uint8_t bytes[8192] __attribute__((aligned(8)));

static size_t build(const struct sdv_task_image *image)
{
	size_t size = sdv_task_image_size(image);

	CHECK(size && size <= sizeof(bytes));
	sdv_task_image_build(image, bytes);
	return size;
}

static int recheck(size_t size)
{
	struct sdv_task_streams streams;
	struct sdv_task_image got;

	return sdv_task_image_check(bytes, size, &got, &streams);
}

TEST("an image is read as it was written")
{
	struct sdv_task_image image = example(), got;
	struct sdv_task_streams streams;
	char *strings[3];

	CHECK(!sdv_task_image_check(bytes, build(&image), &got, &streams));
	CHECK(!strcmp(got.path, "/bin/true") && !strcmp(got.cwd, "/tmp") && !strcmp(got.host, "home"));
	CHECK(got.argc == 2 && got.envc == 1 && got.nr_groups == 3 && !memcmp(got.groups, groups, 12));
	sdv_task_strings(got.argv, got.argc, strings);
	CHECK(!strcmp(strings[0], "true") && !strcmp(strings[1], "x") && !strings[2]);
	CHECK(got.nice == -3 && got.uid == 1000 && got.pid == 4711 && got.sig_blocked == 1ull << 63);
	CHECK(got.rlimits[7].soft == 1024 && got.rlimits[7].hard == 4096 && got.umask == 022);
	CHECK(got.modes.rows == 24 && got.modes.cols == 80 && got.modes.cc[0] == 3);
	CHECK(streams.nr == 3 && streams.kind[0] == SUPERDEV_TASK_TTY && streams.mode[0] == 3);
	CHECK(streams.mode[1] == SUPERDEV_TASK_MODE_WRITE && streams.kind[2] == SUPERDEV_TASK_FILE);
	CHECK(sdv_task_fd_get(&got, 3).device == 3 && sdv_task_fd_get(&got, 4).flags == 1);
}

TEST("an image of any other length is none")
{
	struct sdv_task_image image = example();
	size_t size = build(&image);

	for (size_t len = 0; len < size; len++)
		CHECK(recheck(len) == -EBADMSG);
	CHECK(recheck(size + 8) == -EBADMSG);
}

static void set32(size_t offset, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes + offset, &value, sizeof(value));
}

#define AT(field) offsetof(struct superdev_task_image, field)

TEST("lengths that lie are found")
{
	static const size_t fields[] = {
		AT(size),     AT(path_len), AT(cwd_len),  AT(host_len),  AT(argc),
		AT(argv_len), AT(envc),     AT(envp_len), AT(nr_groups), AT(nr_fds)
	};
	static const uint32_t lies[] = { 0, 3, 8, 4096, 4097, 1u << 20, 0x7fffffff, 0xfffffff0, 0xffffffff };
	struct sdv_task_image image = example();
	size_t size = build(&image);

	for (size_t f = 0; f < sizeof(fields) / sizeof(*fields); f++) {
		for (size_t l = 0; l < sizeof(lies) / sizeof(*lies); l++) {
			uint32_t was;

			memcpy(&was, bytes + fields[f], sizeof(was));
			if (le32toh(was) == lies[l])
				continue;
			set32(fields[f], lies[l]);
			CHECK(recheck(size) == -EBADMSG);
			memcpy(bytes + fields[f], &was, sizeof(was));
		}
	}
	CHECK(!recheck(size));
}

TEST("strings end where they say, and what pads is zero")
{
	struct sdv_task_image image = example();
	size_t size = build(&image);

	/* path: 10 bytes and 6 of padding, right behind the header */
	bytes[sizeof(struct superdev_task_image) + 4] = 0;
	CHECK(recheck(size) == -EBADMSG);
	build(&image);
	bytes[sizeof(struct superdev_task_image) + 9] = 'x';
	CHECK(recheck(size) == -EBADMSG);
	build(&image);
	bytes[sizeof(struct superdev_task_image) + 15] = 1;
	CHECK(recheck(size) == -EBADMSG);
}

TEST("numbers outside of their range are refused")
{
	static const struct {
		size_t field;
		uint32_t value;
	} bad[] = {
		{ AT(umask), 01000 },          { AT(nice), 20 },
		{ AT(nice), (uint32_t)-21 },   { AT(flags), 4 },
		{ AT(pid), (1u << 22) + 1 },   { AT(sid), 0xffffffff },
		{ AT(reserved), 1 },           { AT(modes.valid), 4 },
		{ AT(rlimits[7].soft), 5000 },
	};
	struct sdv_task_image image = example();
	size_t size;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		size = build(&image);
		set32(bad[i].field, bad[i].value);
		CHECK(recheck(size) == -EINVAL);
	}
	image.cwd = "tmp";
	CHECK(recheck(build(&image)) == -EINVAL);
}

static int with_fd(int index, struct sdv_task_fd fd)
{
	struct sdv_task_image image = example();

	sdv_task_fd_put(&fds[index], &fd);
	return recheck(build(&image));
}

TEST("a table of descriptors that contradicts itself is refused")
{
	const uint8_t pipe = SUPERDEV_TASK_PIPE, tty = SUPERDEV_TASK_TTY, device = SUPERDEV_TASK_DEVICE;

	/* not ascending, twice */
	CHECK(with_fd(1, (struct sdv_task_fd){ .fd = 2, .stream = 1, .kind = pipe, .mode = 2 }) == -EPROTO);
	CHECK(with_fd(2, (struct sdv_task_fd){ .fd = 0, .stream = 1, .kind = pipe, .mode = 2 }) == -EPROTO);
	/* a stream that was not there, or was of another kind */
	CHECK(with_fd(1, (struct sdv_task_fd){ .fd = 1, .stream = 5, .kind = pipe, .mode = 2 }) == -EPROTO);
	CHECK(with_fd(1, (struct sdv_task_fd){ .fd = 1, .stream = 0, .kind = pipe, .mode = 2 }) == -EPROTO);
	/* a second terminal; none where one was announced */
	CHECK(with_fd(4, (struct sdv_task_fd){ .fd = 9, .stream = 2, .kind = tty, .mode = 2 }) == -EPROTO);
	CHECK(with_fd(0, (struct sdv_task_fd){ .fd = 0, .stream = 0, .kind = pipe, .mode = 2 }) == -EPROTO);
	/* modes, kinds, flags, numbers */
	CHECK(with_fd(1, (struct sdv_task_fd){ .fd = 1, .stream = 1, .kind = pipe, .mode = 0 }) == -EPROTO);
	CHECK(with_fd(1, (struct sdv_task_fd){ .fd = 1, .stream = 1, .kind = pipe, .mode = 4 }) == -EPROTO);
	CHECK(with_fd(1, (struct sdv_task_fd){ .fd = 1, .stream = 1, .kind = 0, .mode = 2 }) == -EPROTO);
	CHECK(with_fd(1, (struct sdv_task_fd){ .fd = 1, .stream = 1, .kind = 6, .mode = 2 }) == -EPROTO);
	CHECK(with_fd(4, (struct sdv_task_fd){ .fd = 70000, .stream = 2, .kind = pipe, .mode = 2 }) ==
	      -EPROTO);
	/* a device that is none of the five, or that has a stream */
	CHECK(with_fd(3,
		      (struct sdv_task_fd){
			      .fd = 7, .stream = 0xffff, .kind = device, .mode = 1, .device = 1 }) ==
	      -EPROTO);
	CHECK(with_fd(3, (struct sdv_task_fd){
				 .fd = 7, .stream = 2, .kind = device, .mode = 1, .device = 3 }) == -EPROTO);
}

TEST("what ends, refuses and modes carry comes back, and nonsense does not")
{
	struct sdv_task_exit end = { .code = 255,
				     .flags = 2,
				     .used = { .utime_us = 1ull << 40, .nivcsw = 3 } },
			     got;
	struct sdv_task_used used = { 1, 2, 3, 4, 5, 6, 7, 8, UINT64_MAX }, got_used;
	struct superdev_task_exit exit_bytes;
	struct superdev_task_used used_bytes;
	struct superdev_task_refusal refusal;
	char text[124];

	sdv_task_exit_put(&exit_bytes, &end);
	CHECK(!sdv_task_exit_get(&exit_bytes, &got) && !memcmp(&got, &end, sizeof(end)));
	exit_bytes.signal = htole32(65);
	CHECK(sdv_task_exit_get(&exit_bytes, &got) == -EINVAL);
	exit_bytes.signal = 0;
	exit_bytes.code = htole32(256);
	CHECK(sdv_task_exit_get(&exit_bytes, &got) == -EINVAL);

	sdv_task_used_put(&used_bytes, &used);
	sdv_task_used_get(&used_bytes, &got_used);
	CHECK(!memcmp(&got_used, &used, sizeof(used)) && used_bytes.nvcsw == htole64(8));

	sdv_task_refusal_put(&refusal, ENOENT, "no \033[2Jsuch");
	CHECK(sdv_task_refusal_get(&refusal, text) == ENOENT && !strcmp(text, "no ?[2Jsuch"));
	memset(refusal.text, 'x', sizeof(refusal.text));
	refusal.error = htole32(100000);
	CHECK(sdv_task_refusal_get(&refusal, text) == EPROTO && strlen(text) == 123);
}

static uint8_t remote_payload[SDV_TASK_MAX_PAYLOAD],
	remote_data[SUPERDEV_TASK_MAX_REMOTE] __attribute__((aligned(8)));

static struct superdev_remote_request ask_of(uint32_t op)
{
	return (struct superdev_remote_request){ .id = 7, .cookie = 1, .op = op };
}

static int ask_check(const struct superdev_remote_request *ask, uint32_t data_length)
{
	struct superdev_remote_request got;
	uint32_t len = sdv_task_request_put(ask, remote_data, remote_payload);

	CHECK(len);
	return sdv_task_request_get(remote_payload,
				    (uint32_t)sizeof(struct superdev_task_request) + data_length, &got,
				    remote_data);
}

TEST("what a kernel asks for is what home reads")
{
	struct superdev_remote_request ask = ask_of(SUPERDEV_REMOTE_WRITE), got;
	struct superdev_remote_lock lock = { .owner = 5, .start = 10, .end = INT64_MAX, .type = F_WRLCK },
				    same;
	uint32_t len;

	ask.flags = SUPERDEV_REMOTE_F_OFFSET | SUPERDEV_REMOTE_F_APPEND | SUPERDEV_REMOTE_F_DETACHED;
	ask.offset = 1ll << 40;
	ask.data_length = 3;
	len = sdv_task_request_put(&ask, "abc", remote_payload);
	CHECK(len == sizeof(struct superdev_task_request) + 3);
	CHECK(!sdv_task_request_get(remote_payload, len, &got, remote_data));
	CHECK(got.id == 7 && got.cookie == 1 && got.op == ask.op && got.offset == ask.offset);
	CHECK(got.flags == (SUPERDEV_REMOTE_F_OFFSET | SUPERDEV_REMOTE_F_APPEND));
	CHECK(got.data_length == 3 && !memcmp(remote_data, "abc", 3));

	ask = ask_of(SUPERDEV_REMOTE_LOCK);
	ask.command = F_SETLKW;
	ask.data_length = sizeof(lock);
	len = sdv_task_request_put(&ask, &lock, remote_payload);
	CHECK(!sdv_task_request_get(remote_payload, len, &got, remote_data));
	memcpy(&same, remote_data, sizeof(same));
	CHECK(got.command == F_SETLKW && !memcmp(&lock, &same, sizeof(lock)));

	ask = ask_of(SUPERDEV_REMOTE_IOCTL);
	ask.command = FIONREAD;
	ask.length = 4;
	len = sdv_task_request_put(&ask, NULL, remote_payload);
	CHECK(!sdv_task_request_get(remote_payload, len, &got, remote_data) && got.command == FIONREAD);
	ask.command = TCGETS;
	CHECK(!sdv_task_request_put(&ask, NULL, remote_payload));

	ask = ask_of(SUPERDEV_REMOTE_INTERRUPT);
	len = sdv_task_request_put(&ask, NULL, remote_payload);
	CHECK(!sdv_task_request_get(remote_payload, len, &got, remote_data) && got.id == 7 && !got.cookie);
}

TEST("operations that can't be, and numbers that they can't have, are refused")
{
	struct superdev_remote_request ask = ask_of(SUPERDEV_REMOTE_READ);

	CHECK(!ask_check(&ask, 0));
	CHECK(ask_check(&ask, 1) == -EPROTO);
	ask.length = SUPERDEV_TASK_MAX_REMOTE + 1;
	CHECK(ask_check(&ask, 0) == -EPROTO);
	ask = ask_of(SUPERDEV_REMOTE_READ);
	ask.offset = -1;
	CHECK(ask_check(&ask, 0) == -EPROTO);
	ask = ask_of(SUPERDEV_REMOTE_READ);
	ask.flags = SUPERDEV_REMOTE_F_APPEND;
	CHECK(ask_check(&ask, 0) == -EPROTO);
	ask = ask_of(SUPERDEV_REMOTE_READ);
	ask.cookie = 0;
	CHECK(ask_check(&ask, 0) == -EPROTO);
	ask = ask_of(SUPERDEV_REMOTE_READ);
	ask.id = 0;
	CHECK(ask_check(&ask, 0) == -EPROTO);
	ask = ask_of(SUPERDEV_REMOTE_SEEK);
	ask.offset = -1;
	ask.command = 2;
	CHECK(!ask_check(&ask, 0));
	ask.command = 8;
	CHECK(ask_check(&ask, 0) == -EPROTO);
	ask = ask_of(SUPERDEV_REMOTE_OPEN);
	ask.argument = SUPERDEV_REMOTE_COOKIE_OURS | 1;
	CHECK(!ask_check(&ask, 0));
	/* It is not for a lender to make a file that truncates. */
	ask.command = O_TRUNC;
	CHECK(ask_check(&ask, 0) == -EPROTO);
	ask.command = 0;
	ask.argument = 1;
	CHECK(ask_check(&ask, 0) == -EPROTO);
	ask = ask_of(SUPERDEV_REMOTE_RELEASE);
	CHECK(ask_check(&ask, 0) == -EPROTO);
	ask.id = 0;
	CHECK(!ask_check(&ask, 0));
	ask = ask_of(SUPERDEV_REMOTE_INTERRUPT + 1);
	CHECK(ask_check(&ask, 0) == -EPROTO);
	ask = ask_of(0);
	CHECK(ask_check(&ask, 0) == -EPROTO);
}

TEST("an answer is what home said, with its users as they are here")
{
	static uint8_t message[SUPERDEV_REMOTE_MESSAGE_MAX] __attribute__((aligned(8)));
	struct superdev_remote_reply *got = (void *)message,
				     reply = { .id = 9, .result = 2, .length = 2, .sequence = 4, .ready = 5 };
	struct superdev_remote_attr attr = { .size = 99, .uid = 1000, .gid = 70000, .blksize = 4096 }, same;
	uint64_t opened = 1;
	uint32_t len = sdv_task_answer_put(SUPERDEV_REMOTE_READ, &reply, "hi", remote_payload);

	CHECK(!sdv_task_answer_get(remote_payload, len, 1u << 20, got, &opened) && !opened);
	CHECK(got->id == 9 && got->type == SUPERDEV_REMOTE_REPLY && got->result == 2 && got->length == 2);
	CHECK(got->sequence == 4 && got->ready == 5 && !memcmp(got + 1, "hi", 2));

	reply = (struct superdev_remote_reply){ .id = 9, .length = sizeof(attr) };
	len = sdv_task_answer_put(SUPERDEV_REMOTE_GETATTR, &reply, &attr, remote_payload);
	CHECK(!sdv_task_answer_get(remote_payload, len, 1u << 20, got, &opened));
	memcpy(&same, got + 1, sizeof(same));
	CHECK(same.size == 99 && same.uid == (1u << 20) + 1000 && same.gid > (1u << 20) + 65535);

	reply = (struct superdev_remote_reply){ .id = 9, .cookie = SUPERDEV_REMOTE_COOKIE_OURS | 3 };
	len = sdv_task_answer_put(SUPERDEV_REMOTE_OPEN, &reply, NULL, remote_payload);
	CHECK(!sdv_task_answer_get(remote_payload, len, 0, got, &opened));
	CHECK(!got->cookie && opened == (SUPERDEV_REMOTE_COOKIE_OURS | 3));

	/* News. */
	reply = (struct superdev_remote_reply){ .cookie = 2, .sequence = 1, .ready = 1 };
	len = sdv_task_answer_put(0, &reply, NULL, remote_payload);
	CHECK(!sdv_task_answer_get(remote_payload, len, 0, got, &opened));
	CHECK(got->type == SUPERDEV_REMOTE_READY && got->cookie == 2 && !got->id);
}

TEST("answers that can't be are refused")
{
	static uint8_t message[SUPERDEV_REMOTE_MESSAGE_MAX] __attribute__((aligned(8)));
	const struct {
		uint32_t op;
		struct superdev_remote_reply reply;
	} bad[] = {
		{ SUPERDEV_REMOTE_READ, { .id = 0 } },
		{ 0, { .id = 1 } },
		{ SUPERDEV_REMOTE_RELEASE, { .id = 1 } },
		{ 99, { .id = 1 } },
		{ SUPERDEV_REMOTE_READ, { .id = 1, .result = -134 } },
		{ SUPERDEV_REMOTE_READ, { .id = 1, .result = INT64_MIN } },
		{ SUPERDEV_REMOTE_READ, { .id = 1, .ready = 1u << 20, .sequence = 1 } },
		{ SUPERDEV_REMOTE_READ, { .id = 1, .result = -1, .length = 1 } },
		{ SUPERDEV_REMOTE_WRITE, { .id = 1, .result = 1, .length = 1 } },
		{ SUPERDEV_REMOTE_GETATTR, { .id = 1, .length = 0 } },
	};
	struct superdev_remote_reply *got = (void *)message;
	uint64_t opened;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint32_t len = sdv_task_answer_put(bad[i].op, &bad[i].reply, "x", remote_payload);

		CHECK(sdv_task_answer_get(remote_payload, len, 0, got, &opened) == -EPROTO);
	}
	CHECK(sdv_task_answer_get(remote_payload, 39, 0, got, &opened) == -EPROTO);
}

int main(void)
{
	return test_main("task_proto");
}
