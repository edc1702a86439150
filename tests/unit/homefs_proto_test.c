// SPDX-License-Identifier: GPL-2.0-or-later
/* homefs_proto_test.c: operations on home's files, as bytes. */
// LINK: agent/homefs/proto.c
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "../../agent/homefs/proto.h"
#include "harness.h"

static uint8_t payload[SDV_FS_PAYLOAD_MAX];

static struct sdv_head build(const struct sdv_fs_request *request)
{
	struct superdev_frame frame;
	struct sdv_head head;
	size_t len = sdv_fs_request_build(request, &frame, payload);

	if (request->data_len)
		memcpy(payload + len, request->data, request->data_len);
	CHECK(!sdv_fs_head_check(&frame, request->op == SUPERDEV_FS_INVAL, &head));
	CHECK(head.length == len + request->data_len);
	return head;
}

static int parse(const struct sdv_fs_request *request)
{
	struct sdv_head head = build(request);
	struct sdv_fs_request found;

	return sdv_fs_request_parse(&head, payload, &found);
}

TEST("a request that was built is parsed into the same")
{
	struct sdv_fs_request found, request = {
		.op = SUPERDEV_FS_RENAME,
		.tag = 77,
		.node = 5,
		.node2 = 6,
		.flags = SUPERDEV_FS_RENAME_EXCHANGE,
		.name = "from",
		.name2 = "to here",
	};
	struct sdv_head head = build(&request);

	CHECK(!sdv_fs_request_parse(&head, payload, &found));
	CHECK(found.op == request.op && found.tag == 77 && found.node == 5 && found.node2 == 6);
	CHECK(found.flags == request.flags && !strcmp(found.name, "from") && !strcmp(found.name2, "to here"));
	CHECK(!found.data_len && !found.offset && !found.count);
	request = (struct sdv_fs_request){ .op = SUPERDEV_FS_WRITE,
					   .node = 9,
					   .offset = 4096,
					   .data = (const uint8_t *)"bytes",
					   .data_len = 5 };
	head = build(&request);
	CHECK(!sdv_fs_request_parse(&head, payload, &found));
	CHECK(found.offset == 4096 && found.data_len == 5 && !memcmp(found.data, "bytes", 5));
}

TEST("a name is one component: not empty, no slash, no zero byte, neither dot")
{
	char name[257];

	CHECK(sdv_fs_is_name("a", 1) && sdv_fs_is_name("...", 3) && sdv_fs_is_name(".a", 2));
	CHECK(sdv_fs_is_name("\xff\n ", 3));
	CHECK(!sdv_fs_is_name("", 0) && !sdv_fs_is_name(".", 1) && !sdv_fs_is_name("..", 2));
	CHECK(!sdv_fs_is_name("a/b", 3) && !sdv_fs_is_name("/", 1) && !sdv_fs_is_name("a\0b", 3));
	memset(name, 'x', sizeof(name));
	CHECK(sdv_fs_is_name(name, 255) && !sdv_fs_is_name(name, 256));
}

TEST("fields that an operation does not use must be zero, and those it needs must not")
{
	struct sdv_fs_request look = { .op = SUPERDEV_FS_LOOKUP, .node = 1, .name = "x" };
	struct sdv_fs_request request = look;

	CHECK(!parse(&request));
	request.node = 0;
	CHECK(parse(&request) == -EINVAL);
	request = look, request.node2 = 1;
	CHECK(parse(&request) == -EINVAL);
	request = look, request.arg = 1;
	CHECK(parse(&request) == -EINVAL);
	request = look, request.flags = 1;
	CHECK(parse(&request) == -EINVAL);
	request = look, request.mode = 0644;
	CHECK(parse(&request) == -EINVAL);
	request = look, request.umask = 022;
	CHECK(parse(&request) == -EINVAL);
	request = look, request.offset = 1;
	CHECK(parse(&request) == -EINVAL);
	request = look, request.count = 1;
	CHECK(parse(&request) == -EINVAL);
	request = look, request.name[0] = 0;
	CHECK(parse(&request) == -EINVAL);
	request = look, strcpy(request.name2, "y");
	CHECK(parse(&request) == -EINVAL);
	request = look, request.data = (const uint8_t *)"", request.data_len = 1;
	CHECK(parse(&request) == -EINVAL);
}

TEST("lengths of names are within the payload")
{
	struct sdv_fs_request found, look = { .op = SUPERDEV_FS_LOOKUP, .node = 1, .name = "abc" };
	struct superdev_fs_request *fixed = (void *)payload;
	struct sdv_head head = build(&look);

	fixed->name_len = htole16(4);
	CHECK(sdv_fs_request_parse(&head, payload, &found) == -EINVAL);
	fixed->name_len = htole16(65535);
	CHECK(sdv_fs_request_parse(&head, payload, &found) == -EINVAL);
	fixed->name_len = htole16(3);
	fixed->name2_len = htole16(65535);
	CHECK(sdv_fs_request_parse(&head, payload, &found) == -EINVAL);
	fixed->name2_len = 0;
	CHECK(!sdv_fs_request_parse(&head, payload, &found));
	for (head.length = 0; head.length < sizeof(*fixed); head.length++)
		CHECK(sdv_fs_request_parse(&head, payload, &found) == -EINVAL);
}

TEST("ranges do not wrap, and only what can be made is")
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_READ, .node = 1, .count = SUPERDEV_FS_IO_MAX };

	CHECK(!parse(&request));
	request.count++;
	CHECK(parse(&request) == -EINVAL);
	request.count = 100, request.offset = INT64_MAX - 99;
	CHECK(parse(&request) == -EINVAL);
	request.offset--;
	CHECK(!parse(&request));
	request = (struct sdv_fs_request){
		.op = SUPERDEV_FS_FALLOCATE, .node = 1, .arg = 1, .offset = INT64_MAX
	};
	CHECK(parse(&request) == -EINVAL);
	request = (struct sdv_fs_request){ .op = SUPERDEV_FS_MKNOD, .node = 1, .name = "x", .mode = S_IFIFO };
	CHECK(!parse(&request));
	request.mode = S_IFCHR;
	CHECK(parse(&request) == -EINVAL);
	request = (struct sdv_fs_request){ .op = SUPERDEV_FS_MKDIR, .node = 1, .name = "x", .mode = 0100755 };
	CHECK(parse(&request) == -EINVAL);
	request = (struct sdv_fs_request){ .op = SUPERDEV_FS_SYMLINK,
					   .node = 1,
					   .name = "x",
					   .data = (const uint8_t *)"a\0b",
					   .data_len = 3 };
	CHECK(parse(&request) == -EINVAL);
}

TEST("an INVAL is of a name, of a file, or of everything")
{
	struct sdv_fs_request inval = { .op = SUPERDEV_FS_INVAL, .flags = SUPERDEV_FS_I_ALL };

	CHECK(!parse(&inval));
	inval.node = 3;
	CHECK(parse(&inval) == -EINVAL);
	inval.flags = SUPERDEV_FS_I_ATTR | SUPERDEV_FS_I_DATA;
	CHECK(!parse(&inval));
	inval.flags |= SUPERDEV_FS_I_NAME;
	CHECK(parse(&inval) == -EINVAL);
	strcpy(inval.name, "x");
	CHECK(!parse(&inval));
	inval.flags = SUPERDEV_FS_I_ATTR;
	CHECK(parse(&inval) == -EINVAL);
	inval.flags = 0;
	CHECK(parse(&inval) == -EINVAL);
}

TEST("who answers and who asks is not mixed up")
{
	struct sdv_fs_request look = { .op = SUPERDEV_FS_LOOKUP, .node = 1, .name = "x" };
	struct sdv_fs_request inval = { .op = SUPERDEV_FS_INVAL, .flags = SUPERDEV_FS_I_ALL };
	struct superdev_frame frame;
	struct sdv_head head;

	sdv_fs_request_build(&look, &frame, payload);
	CHECK(!sdv_fs_head_check(&frame, false, &head) && sdv_fs_head_check(&frame, true, &head) == -EPROTO);
	sdv_fs_reply_build(&look, 0, 0, 0, &frame);
	CHECK(!sdv_fs_head_check(&frame, true, &head) && sdv_fs_head_check(&frame, false, &head) == -EPROTO);
	sdv_fs_request_build(&inval, &frame, payload);
	CHECK(!sdv_fs_head_check(&frame, true, &head));
	sdv_fs_reply_build(&inval, 0, 0, 0, &frame);
	CHECK(sdv_fs_head_check(&frame, true, &head) == -EPROTO);
	sdv_fs_request_build(&look, &frame, payload);
	frame.length = htole32(SDV_FS_PAYLOAD_MAX + 1);
	CHECK(sdv_fs_head_check(&frame, false, &head) == -EMSGSIZE);
	frame.length = 0;
	frame.lease = htole64(1);
	CHECK(sdv_fs_head_check(&frame, false, &head) == -EPROTO);
}

static int reply_check(uint8_t op, int error, uint32_t length, uint32_t count)
{
	struct sdv_fs_request request = { .op = op };
	struct superdev_frame frame;
	struct sdv_head head;

	sdv_fs_reply_build(&request, error, 0, length, &frame);
	CHECK(!sdv_fs_head_check(&frame, true, &head));
	return sdv_fs_reply_check(&head, count);
}

TEST("an answer has the length of its operation, or an errno and nothing else")
{
	CHECK(!reply_check(SUPERDEV_FS_GETATTR, 0, sizeof(struct superdev_fs_attr), 0));
	CHECK(reply_check(SUPERDEV_FS_GETATTR, 0, sizeof(struct superdev_fs_attr) - 1, 0) == -EPROTO);
	CHECK(reply_check(SUPERDEV_FS_LOOKUP, 0, 0, 0) == -EPROTO);
	CHECK(reply_check(SUPERDEV_FS_LOOKUP, -ENOENT, 0, 0) == -ENOENT);
	CHECK(reply_check(SUPERDEV_FS_LOOKUP, -ENODATA, 0, 0) == -ENODATA);
	CHECK(reply_check(SUPERDEV_FS_LOOKUP, -ENOENT, 8, 0) == -EPROTO);
	CHECK(reply_check(SUPERDEV_FS_LOOKUP, -512, 0, 0) == -EPROTO);
	CHECK(!reply_check(SUPERDEV_FS_READ, 0, 100, 100) && !reply_check(SUPERDEV_FS_READ, 0, 0, 100));
	CHECK(reply_check(SUPERDEV_FS_READ, 0, 101, 100) == -EPROTO);
	CHECK(reply_check(SUPERDEV_FS_UNLINK, 0, 1, 0) == -EPROTO &&
	      !reply_check(SUPERDEV_FS_UNLINK, 0, 0, 0));
	CHECK(reply_check(SUPERDEV_FS_READLINK, 0, 0, 0) == -EPROTO);
}

TEST("attributes are stored and loaded, and those that cannot be are refused")
{
	struct sdv_fs_attr found, attr = {
		.ino = 1,
		.size = 2,
		.blocks = 3,
		.atime = -4,
		.mtime = 5,
		.ctime = 6,
		.atime_nsec = 7,
		.mtime_nsec = 8,
		.ctime_nsec = 999999999,
		.mode = S_IFREG | 04755,
		.nlink = 9,
		.uid = 10,
		.gid = 11,
		.rdev = 12,
		.blksize = 13,
		.access = 7,
		.flags = SUPERDEV_FS_A_LEASED,
	};
	struct sdv_fs_attr bad = attr;
	uint8_t data[sizeof(struct superdev_fs_attr)];

	sdv_fs_attr_store(data, &attr);
	CHECK(!sdv_fs_attr_load(data, &found) && !memcmp(&found, &attr, sizeof(attr)));
	bad.mode = 0644;
	sdv_fs_attr_store(data, &bad);
	CHECK(sdv_fs_attr_load(data, &found) == -EPROTO);
	bad = attr, bad.size = UINT64_MAX;
	sdv_fs_attr_store(data, &bad);
	CHECK(sdv_fs_attr_load(data, &found) == -EPROTO);
	bad = attr, bad.mtime_nsec = 1000000000;
	sdv_fs_attr_store(data, &bad);
	CHECK(sdv_fs_attr_load(data, &found) == -EPROTO);
	bad = attr, bad.flags = 1u << 31;
	sdv_fs_attr_store(data, &bad);
	CHECK(sdv_fs_attr_load(data, &found) == -EPROTO);
	sdv_fs_attr_store(data, &attr);
	data[sizeof(data) - 1] = 1;
	CHECK(sdv_fs_attr_load(data, &found) == -EPROTO);
}

TEST("entries of a directory follow each other, and one that is cut or of a bad name ends it")
{
	struct sdv_fs_entry found, entry = { .node = 3, .attr = { .mode = S_IFREG | 0644 } };
	uint8_t data[512];
	char name[SUPERDEV_FS_NAME_MAX + 1];
	uint64_t cookie;
	size_t len = 0, pos = 0;

	CHECK(sdv_fs_dirent_add(data, sizeof(data), &len, &entry, 11, "first"));
	entry.node = 0;
	CHECK(sdv_fs_dirent_add(data, sizeof(data), &len, &entry, 22, "12345678"));
	CHECK(len == 256 && !sdv_fs_dirent_add(data, 300, &len, &entry, 33, "third") && len == 256);
	CHECK(sdv_fs_dirent_next(data, len, &pos, &found, &cookie, name) == 1);
	CHECK(found.node == 3 && cookie == 11 && !strcmp(name, "first"));
	CHECK(sdv_fs_dirent_next(data, len, &pos, &found, &cookie, name) == 1);
	CHECK(!found.node && cookie == 22 && !strcmp(name, "12345678"));
	CHECK(sdv_fs_dirent_next(data, len, &pos, &found, &cookie, name) == 0);
	for (size_t cut = 1; cut < 128; cut++) {
		pos = 0;
		CHECK(sdv_fs_dirent_next(data, cut, &pos, &found, &cookie, name) == -EPROTO);
	}
	pos = 0;
	data[sizeof(struct superdev_fs_dirent)] = '/';
	CHECK(sdv_fs_dirent_next(data, len, &pos, &found, &cookie, name) == -EPROTO);
}

TEST("what is to be set, and locks, are checked")
{
	struct sdv_fs_setattr set = { .valid = SUPERDEV_FS_S_SIZE, .size = INT64_MAX };
	struct sdv_fs_lock lock = { .owner = 1, .start = 5, .end = 5, .type = SUPERDEV_FS_L_WRITE };
	uint8_t data[64];

	sdv_fs_setattr_store(data, &set);
	CHECK(!sdv_fs_setattr_load(data, &set) && set.size == INT64_MAX);
	set.size++;
	sdv_fs_setattr_store(data, &set);
	CHECK(sdv_fs_setattr_load(data, &set) == -EINVAL);
	set = (struct sdv_fs_setattr){ .valid = 1u << 20 };
	sdv_fs_setattr_store(data, &set);
	CHECK(sdv_fs_setattr_load(data, &set) == -EINVAL);
	sdv_fs_lock_store(data, &lock);
	CHECK(!sdv_fs_lock_load(data, &lock) && lock.start == 5 && lock.end == 5);
	lock.start = 6;
	sdv_fs_lock_store(data, &lock);
	CHECK(sdv_fs_lock_load(data, &lock) == -EINVAL);
	lock = (struct sdv_fs_lock){ .type = 3 };
	sdv_fs_lock_store(data, &lock);
	CHECK(sdv_fs_lock_load(data, &lock) == -EINVAL);
	lock = (struct sdv_fs_lock){ .end = UINT64_MAX };
	sdv_fs_lock_store(data, &lock);
	CHECK(sdv_fs_lock_load(data, &lock) == -EINVAL);
}

int main(void)
{
	return test_main("homefs-proto");
}
