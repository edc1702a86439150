// SPDX-License-Identifier: GPL-2.0-or-later
/* homefs_hostile_test.c: either end lies, or dies. */
// LINK: agent/homefs/proto.c
#include <dirent.h>
#include <endian.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "../../agent/homefs/proto.h"
#include "homefs_rig.h"

static int conn;
static uint8_t reply[SDV_FS_PAYLOAD_MAX];
static uint32_t reply_len;
static uint64_t root;

static void send_all(const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(conn, p, len, MSG_NOSIGNAL);

		CHECK(n > 0);
		p += n;
		len -= (size_t)n;
	}
}

/* False where the other side has closed. */
static bool recv_all(int fd, void *data, size_t len)
{
	char *p = data;

	while (len) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		CHECK(poll(&poll_fd, 1, 5000) == 1);
		n = recv(fd, p, len, 0);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* What the server answers; its errno, negative; -1000: the connection was closed. */
static int answer(uint8_t op)
{
	static const struct sdv_frame_rules rules = {
		.class = SUPERDEV_CLASS_CPU,
		.max_length = SUPERDEV_MAX_PAYLOAD,
	};
	struct superdev_frame frame;
	struct sdv_head head;

	do {
		if (!recv_all(conn, &frame, sizeof(frame)))
			return -1000;
		CHECK(!sdv_frame_check(&frame, &rules, &head));
		CHECK(!head.length || recv_all(conn, reply, head.length));
		reply_len = head.length;
	} while (head.op == SUPERDEV_FS_INVAL);
	CHECK(head.op == op);
	return -(int)head.count;
}

static int ask(struct sdv_fs_request request)
{
	uint8_t fixed[SDV_FS_FIXED_MAX];
	struct superdev_frame frame;
	size_t len;

	request.tag = 7;
	len = sdv_fs_request_build(&request, &frame, fixed);
	send_all(&frame, sizeof(frame));
	send_all(fixed, len);
	send_all(request.data, request.data_len);
	return sdv_fs_has_reply(request.op) ? answer(request.op) : 0;
}

/* A request whose payload is these very bytes. */
static int ask_raw(uint8_t op, const void *payload, uint32_t len, uint64_t offset, uint32_t count)
{
	struct sdv_head head = { .class = SUPERDEV_CLASS_CPU,
				 .op = op,
				 .tag = 9,
				 .length = len,
				 .offset = offset,
				 .count = count };
	struct superdev_frame frame;

	sdv_frame_build(&frame, &head);
	send_all(&frame, sizeof(frame));
	send_all(payload, len);
	return answer(op);
}

/* LOOKUP with a name of @len bytes, whatever they are. */
static int look_raw(uint64_t node, const char *name, size_t len)
{
	struct superdev_fs_request fixed = { .node = htole64(node), .name_len = htole16((uint16_t)len) };
	uint8_t payload[1024];

	memcpy(payload, &fixed, sizeof(fixed));
	memcpy(payload + sizeof(fixed), name, len < 512 ? len : 512);
	return ask_raw(SUPERDEV_FS_LOOKUP, payload, (uint32_t)(sizeof(fixed) + (len < 512 ? len : 512)), 0,
		       0);
}

static int look(uint64_t dir, const char *name, uint64_t *ret_node)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_LOOKUP, .node = dir };
	int r;

	strcpy(request.name, name);
	r = ask(request);
	if (!r)
		*ret_node = sdv_fs_u64_load(reply);
	return r;
}

static int read_node(uint64_t node)
{
	return ask((struct sdv_fs_request){ .op = SUPERDEV_FS_READ, .node = node, .count = 100 });
}

static int change(uint8_t op, uint64_t dir, const char *name)
{
	struct sdv_fs_request request = { .op = op, .node = dir };

	strcpy(request.name, name);
	if (op == SUPERDEV_FS_SYMLINK) {
		request.data = (const uint8_t *)"/etc/passwd";
		request.data_len = 11;
	}
	return ask(request);
}

static void lie_begin(const char *const *paths)
{
	int pair[2];

	if (!rig.is_prepared)
		rig_prepare();
	rig.is_prepared = false;
	if (conn)
		close(conn);
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	rig.serve = serve_begin(0, pair[0], paths);
	close(pair[0]);
	conn = pair[1];
	CHECK(!ask((struct sdv_fs_request){ .op = SUPERDEV_FS_HELLO }));
	root = sdv_fs_u64_load(reply);
}

TEST("names that lead elsewhere are refused: dots, slashes, zero bytes, too long, none")
{
	static const struct {
		const char *name;
		size_t len;
	} names[] = {
		{ "..", 2 },        { ".", 1 },    { "a/b", 3 }, { "/etc/passwd", 11 },
		{ "../../etc", 9 }, { "a\0b", 3 }, { "", 0 },    { "a/", 2 },
		{ "/", 1 },         { "..\0", 3 },
	};
	char name[512]; /* as much as look_raw() sends of a longer one */

	lie_begin(NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		CHECK(look_raw(root, names[i].name, names[i].len) == -EINVAL);
	memset(name, 'x', sizeof(name));
	CHECK(look_raw(root, name, 255) == -ENOENT && look_raw(root, name, 256) == -EINVAL);
	CHECK(look_raw(root, name, 60000) == -EINVAL);
}

TEST("numbers that were not told mean nothing, nor do those that were forgotten")
{
	struct superdev_fs_forget forget = { 0 };
	uint64_t node;

	rig_prepare();
	put(home("file"), "text");
	lie_begin(NULL);
	CHECK(read_node(1) == -ESTALE && read_node(2) == -ESTALE && read_node(UINT64_MAX) == -ESTALE);
	CHECK(read_node(root + (1ull << 32)) == -ESTALE && read_node(root & 0xffffffff) == -ESTALE);
	CHECK(!look(root, "file", &node) && !read_node(node) && reply_len == 4);
	forget.node = htole64(node);
	forget.count = htole64(UINT64_MAX);
	CHECK(!ask((struct sdv_fs_request){
		.op = SUPERDEV_FS_FORGET, .data = (const uint8_t *)&forget, .data_len = sizeof(forget) }));
	/* It has no answer: the next look tells a number of another generation. */
	SOON(read_node(node) == -ESTALE);
	CHECK(ask((struct sdv_fs_request){ .op = SUPERDEV_FS_GETATTR, .node = node }) == -ESTALE);
	CHECK(!look(root, "file", &node) && !read_node(node));
}

TEST("sizes that cannot be are refused, and what would be too long ends the connection")
{
	struct superdev_fs_request fixed = { .node = htole64(1) };
	struct sdv_head head = { .class = SUPERDEV_CLASS_CPU, .op = SUPERDEV_FS_WRITE };
	static _Alignas(struct superdev_frame) uint8_t large[SDV_FS_PAYLOAD_MAX + 1];
	uint64_t node;

	rig_prepare();
	put(home("file"), "text");
	lie_begin(NULL);
	CHECK(!look(root, "file", &node));
	fixed.node = htole64(node);
	CHECK(ask_raw(SUPERDEV_FS_READ, &fixed, sizeof(fixed), 0, SUPERDEV_FS_IO_MAX + 1) == -EINVAL);
	CHECK(ask_raw(SUPERDEV_FS_READ, &fixed, sizeof(fixed), INT64_MAX, 100) == -EINVAL);
	CHECK(ask_raw(SUPERDEV_FS_READ, &fixed, sizeof(fixed), UINT64_MAX, 0) == -EINVAL);
	CHECK(ask_raw(SUPERDEV_FS_READ, &fixed, 10, 0, 10) == -EINVAL);
	CHECK(ask_raw(SUPERDEV_FS_READ, &fixed, 0, 0, 10) == -EINVAL);
	CHECK(ask_raw(SUPERDEV_FS_FALLOCATE, &fixed, sizeof(fixed), INT64_MAX, 0) == -EINVAL);
	CHECK(ask_raw(SUPERDEV_FS_WRITE, &fixed, sizeof(fixed), 0, 0) == -EINVAL);
	CHECK(ask_raw(SUPERDEV_FS_END, &fixed, sizeof(fixed), 0, 0) == -ENOSYS);
	CHECK(ask_raw(1, &fixed, sizeof(fixed), 0, 0) == -ENOSYS);
	/* It goes on after all of them. */
	CHECK(!read_node(node));
	head.length = sizeof(large);
	sdv_frame_build((struct superdev_frame *)large, &head);
	send_all(large, sizeof(struct superdev_frame));
	CHECK(answer(SUPERDEV_FS_WRITE) == -1000);
	memset(large, 0, sizeof(struct superdev_frame));
	lie_begin(NULL);
	send_all(large, sizeof(struct superdev_frame));
	CHECK(answer(0) == -1000);
}

TEST("links are not followed, and devices, FIFOs and sockets not opened")
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct sdv_fs_request open_it = { .op = SUPERDEV_FS_OPEN, .flags = SUPERDEV_FS_O_WRITE };
	static const char *const names[] = { "link", "fifo", "socket", "device", "dir" };
	uint64_t node, inner;
	int fd;

	rig_prepare();
	CHECK(!symlink("/etc", home("link")) && !mkfifo(home("fifo"), 0666) && !mkdir(home("dir"), 0755));
	/* Where this may not be made it is missing. */
	mknod(home("device"), S_IFCHR | 0666, makedev(1, 3));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", home("socket"));
	CHECK(!bind(fd, (struct sockaddr *)&name, sizeof(name)));
	close(fd);
	lie_begin(NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int r = look(root, names[i], &node);

		if (r == -ENOENT && !strcmp(names[i], "device"))
			continue;
		CHECK(!r && read_node(node) < 0);
		open_it.node = node;
		CHECK(ask(open_it) < 0);
		if (strcmp(names[i], "dir"))
			CHECK(look(node, "passwd", &inner) == -ENOTDIR &&
			      change(SUPERDEV_FS_MKDIR, node, "x") == -ENOTDIR);
		/* Creating it "again" opens nothing either. */
		CHECK(change(SUPERDEV_FS_CREATE, root, names[i]) == -EEXIST);
	}
}

TEST("devices and sockets are not made")
{
	struct sdv_fs_request make = { .op = SUPERDEV_FS_MKNOD, .name = "x" };

	lie_begin(NULL);
	make.node = root;
	make.mode = S_IFCHR | 0666;
	CHECK(ask(make) == -EINVAL);
	make.mode = S_IFSOCK | 0666;
	CHECK(ask(make) == -EINVAL);
	make.mode = S_IFDIR | 0755;
	CHECK(ask(make) == -EINVAL);
	make.mode = S_IFIFO | 0666;
	CHECK(!ask(make));
}

TEST("of a narrowed tree only what is allowed is seen, and what leads there not changed")
{
	static const char *const paths[] = { "/work/project", NULL };
	struct sdv_fs_request request = { .op = SUPERDEV_FS_RENAME, .name = "inside" };
	uint64_t work, project, node;

	rig_prepare();
	CHECK(!mkdir(home("work"), 0755) && !mkdir(home("work/project"), 0755));
	CHECK(!mkdir(home("work/private"), 0755) && !symlink("../private/key", home("work/project/link")));
	CHECK(!symlink("/secret", home("work/project/away")));
	put(home("work/private/key"), "key");
	put(home("secret"), "secret");
	put(home("work/project/inside"), "inside");
	lie_begin(paths);
	CHECK(look(root, "secret", &node) == -ENOENT && !look(root, "work", &work));
	CHECK(look(work, "private", &node) == -ENOENT && !look(work, "project", &project));
	CHECK(!look(project, "inside", &node) && !read_node(node) && reply_len == 6);
	CHECK(!look(project, "away", &node) && read_node(node) < 0);
	CHECK(change(SUPERDEV_FS_CREATE, root, "new") == -EACCES);
	CHECK(change(SUPERDEV_FS_MKDIR, work, "new") == -EACCES);
	CHECK(change(SUPERDEV_FS_UNLINK, root, "secret") == -EACCES);
	CHECK(change(SUPERDEV_FS_RMDIR, work, "project") == -EACCES);
	request.node = project;
	request.node2 = work;
	strcpy(request.name2, "outside");
	CHECK(ask(request) == -EACCES);
	/* What leads there is listed as nothing else. */
	CHECK(!ask((struct sdv_fs_request){
		.op = SUPERDEV_FS_READDIR, .node = root, .count = SUPERDEV_FS_IO_MAX }));
	CHECK(reply_len == 128 && !memcmp(reply + sizeof(struct superdev_fs_dirent), "work", 4));
	/* A link in the mount leads nowhere here, for that part of the tree is not here. */
	rig_end();
	rig.is_prepared = true;
	rig_begin(0, paths);
	CHECK(!strcmp(get(here("work/project/inside")), "inside"));
	CHECK(open(here("work/project/link"), O_RDONLY) < 0 && errno == ENOENT);
	CHECK(access(here("work/private"), F_OK) && errno == ENOENT);
	put(here("work/project/made"), "made");
	CHECK(!strcmp(get(home("work/project/made")), "made"));
	CHECK(mkdir(here("work/other"), 0755) < 0 && errno == EACCES);
}

TEST("home's kernel speaks to nobody through its own file systems")
{
	uint64_t node, inner;
	char proc[96];

	rig_prepare();
	CHECK(!mkdir(home("proc"), 0755));
	snprintf(proc, sizeof(proc), "%s/proc", rig.home);
	CHECK(!mount("proc", proc, "proc", 0, NULL));
	lie_begin(NULL);
	CHECK(!look(root, "proc", &node) && look(node, "self", &inner) == -ENOENT);
	CHECK(change(SUPERDEV_FS_CREATE, node, "x") == -EROFS);
	CHECK(!ask((struct sdv_fs_request){
		.op = SUPERDEV_FS_READDIR, .node = node, .count = SUPERDEV_FS_IO_MAX }));
	CHECK(reply_len == 0);
	rig_end();
	CHECK(!umount(proc));
}

TEST("a directory that is swapped for a link while it is used leads nowhere else")
{
	uint64_t dir, file;

	rig_prepare();
	CHECK(!mkdir(home("dir"), 0755) && !mkdir(home("other"), 0755));
	put(home("dir/file"), "file");
	put(home("other/file"), "other");
	lie_begin(NULL);
	CHECK(!look(root, "dir", &dir) && !look(dir, "file", &file));
	CHECK(!rename(home("dir"), home("moved")) && !symlink("other", home("dir")));
	/* The directory itself is meant, and not what its name has become. */
	CHECK(!read_node(file) && reply_len == 4 && !memcmp(reply, "file", 4));
	CHECK(look(root, "dir", &dir) == 0 && look(dir, "file", &file) == -ENOTDIR);
}

static bool is_gone(int error)
{
	return error == ENOTCONN || error == EIO || error == ECONNABORTED;
}

TEST("a server that is killed lets nobody wait")
{
	static char data[1 << 20];
	double began;
	int fd, status;
	pid_t reader;

	rig_begin(0, NULL);
	put_at(home("file"), data, sizeof(data));
	CHECK(!mkdir(home("dir"), 0755));
	fd = open(here("file"), O_RDWR);
	CHECK(pread(fd, data, 10, 0) == 10);
	kill(rig.serve, SIGSTOP);
	CHECK(waitpid(rig.serve, &status, WUNTRACED) == rig.serve && WIFSTOPPED(status));
	reader = fork();
	if (!reader) {
		/* Asked while it does not answer, and answered when it dies. */
		ssize_t n = pread(fd, data, 4096, 900000);

		_exit(n < 0 ? errno : 0);
	}
	usleep(100000);
	began = now();
	end_one(&rig.serve);
	CHECK(waitpid(reader, &status, 0) == reader && is_gone(WEXITSTATUS(status)));
	CHECK(open(here("dir/new"), O_CREAT | O_RDWR, 0600) < 0);
	CHECK(pwrite(fd, "x", 1, 0) < 0 || fsync(fd) < 0);
	CHECK(mkdir(here("dir/x"), 0700) < 0 && is_gone(errno));
	CHECK(now() - began < 2);
	close(fd);
	CHECK(waitpid(rig.mount, &(int){ 0 }, 0) == rig.mount);
	rig.mount = 0;
}

/* Makes and removes names, one after the other, until it is killed. */
static pid_t churn(const char *dir)
{
	pid_t pid = fork();
	char name[32];

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int i = 0;; i++) {
		int fd;

		snprintf(name, sizeof(name), "churn/%u", i % 50);
		fd = open(path_of(dir, name), O_RDWR | O_CREAT, 0600);
		if (fd >= 0)
			close(fd);
		snprintf(name, sizeof(name), "churn/%u", i * 7 % 50);
		unlink(path_of(dir, name));
	}
}

TEST("a mount ends with its server while both ends change the same directory")
{
	double began;
	pid_t pids[3];

	rig_prepare();
	CHECK(!mkdir(home("churn"), 0755));
	rig_begin(0, NULL);
	pids[0] = churn(rig.home);
	pids[1] = churn(rig.here);
	pids[2] = churn(rig.here);
	usleep(700000);
	end_one(&rig.serve);
	began = now();
	while (waitpid(rig.mount, NULL, WNOHANG) == 0 && now() < began + 5)
		usleep(1000);
	CHECK(now() < began + 5);
	rig.mount = 0;
	for (int i = 0; i < 3; i++)
		end_one(&pids[i]);
}

TEST("a lender that goes away ends its server")
{
	int status;

	rig_begin(0, NULL);
	CHECK(!umount2(rig.here, MNT_DETACH));
	CHECK(waitpid(rig.mount, &status, 0) == rig.mount && WIFEXITED(status) && !WEXITSTATUS(status));
	CHECK(waitpid(rig.serve, &status, 0) == rig.serve && WIFEXITED(status) && !WEXITSTATUS(status));
	rig.mount = rig.serve = 0;
}

/* A home that answers HELLO as it should, and LOOKUP with what it likes. */
static void false_home(int fd, const struct sdv_fs_entry *entry, uint32_t tag_off, uint32_t len)
{
	struct superdev_fs_hello hello = { 0 };
	struct sdv_fs_entry top = { .node = 1, .attr = { .mode = S_IFDIR | 0755, .access = 7 } };
	uint8_t bytes[sizeof(struct superdev_fs_entry)];
	struct superdev_frame frame;
	struct sdv_head head;

	while (recv_all(fd, &frame, sizeof(frame))) {
		if (sdv_fs_head_check(&frame, false, &head) || !recv_all(fd, reply, head.length))
			_exit(1);
		sdv_fs_entry_store((uint8_t *)&hello.root, &top);
		sdv_fs_entry_store(bytes, entry);
		head.flags = SUPERDEV_F_REPLY;
		head.offset = head.count = 0;
		if (head.op == SUPERDEV_FS_HELLO || head.op == SUPERDEV_FS_GETATTR) {
			bool is_hello = head.op == SUPERDEV_FS_HELLO;

			head.length = is_hello ? sizeof(hello) : sizeof(struct superdev_fs_attr);
			sdv_frame_build(&frame, &head);
			send(fd, &frame, sizeof(frame), MSG_NOSIGNAL);
			send(fd, is_hello ? (void *)&hello : (void *)&hello.root.attr, head.length,
			     MSG_NOSIGNAL);
		} else if (sdv_fs_has_reply(head.op)) {
			head.tag += tag_off;
			head.length = len;
			sdv_frame_build(&frame, &head);
			send(fd, &frame, sizeof(frame), MSG_NOSIGNAL);
			send(fd, bytes, len < sizeof(bytes) ? len : sizeof(bytes), MSG_NOSIGNAL);
		}
	}
	_exit(0);
}

/* Looks a name up in a mount of a false home; the errno, or 0. */
static int look_at_false_home(const struct sdv_fs_entry *entry, uint32_t tag_off, uint32_t len)
{
	struct stat st;
	int pair[2], r;

	rig_prepare();
	rig.is_prepared = false;
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	rig.serve = fork();
	if (!rig.serve) {
		close(pair[1]);
		false_home(pair[0], entry, tag_off, len);
	}
	close(pair[0]);
	mount_begin(pair[1]);
	CHECK(!strcmp(control_line(), "ready"));
	r = stat(here("name"), &st) ? errno : 0;
	/* It may end, but not by a signal. */
	end_one(&rig.serve);
	CHECK(waitpid(rig.mount, &(int){ 0 }, 0) == rig.mount);
	rig.mount = 0;
	return r;
}

TEST("a home that lies gets an error to its programs, and nothing else")
{
	struct sdv_fs_entry entry = { .node = 5,
				      .attr = { .mode = S_IFREG | 0644, .flags = SUPERDEV_FS_A_LEASED } };
	uint32_t len = sizeof(struct superdev_fs_entry);

	CHECK(look_at_false_home(&entry, 0, len) == 0);
	CHECK(look_at_false_home(&entry, 1, len) == ENOTCONN);
	CHECK(look_at_false_home(&entry, 0, len - 1) != 0);
	CHECK(look_at_false_home(&entry, 0, 0) != 0);
	CHECK(look_at_false_home(&entry, 0, UINT32_MAX) != 0);
	entry.node = 0;
	CHECK(look_at_false_home(&entry, 0, len) == EIO);
	entry.node = 1; /* the root, as a file */
	CHECK(look_at_false_home(&entry, 0, len) == EIO);
	entry.node = 5;
	entry.attr.mode = 0170000;
	CHECK(look_at_false_home(&entry, 0, len) == EIO);
	entry.attr.mode = S_IFREG;
	entry.attr.mtime_nsec = 1000000000;
	CHECK(look_at_false_home(&entry, 0, len) == EIO);
}

int main(void)
{
	int failed = rig_open();

	if (failed)
		return failed;
	failed = test_main("homefs-hostile");
	return rig_remove() || failed;
}
