// SPDX-License-Identifier: GPL-2.0-or-later
/* homefs_coherence_test.c: what changes at home is seen at the lender, and what is kept costs nothing. */
#include <dirent.h>
#include <sys/socket.h>

#include "homefs_rig.h"

static bool is_listed(const char *path, const char *name)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir)))
		found = found || !strcmp(entry->d_name, name);
	if (dir)
		closedir(dir);
	return found;
}

TEST("a file that home writes, appends to or replaces is the new one here within a second")
{
	struct stat st;
	int fd;

	rig_begin(0, NULL);
	put(home("file"), "one");
	CHECK(!strcmp(get(here("file")), "one"));
	put(home("file"), "two");
	SOON(!strcmp(get(here("file")), "two"));
	fd = open(home("file"), O_WRONLY | O_APPEND);
	CHECK(write(fd, " and three", 10) == 10);
	SOON(!strcmp(get(here("file")), "two and three"));
	CHECK(write(fd, " and four", 9) == 9);
	SOON(!strcmp(get(here("file")), "two and three and four"));
	close(fd);
	put(home("other"), "another file");
	CHECK(!rename(home("other"), home("file")));
	SOON(!strcmp(get(here("file")), "another file"));
	CHECK(!truncate(home("file"), 3));
	SOON(!stat(here("file"), &st) && st.st_size == 3 && !strcmp(get(here("file")), "ano"));
	CHECK(!chmod(home("file"), 0600));
	SOON(!stat(here("file"), &st) && (st.st_mode & 0777) == 0600);
}

TEST("what is open and mapped here follows home's changes")
{
	char text[16] = "";
	int fd;

	rig_begin(0, NULL);
	put(home("file"), "first");
	fd = open(here("file"), O_RDONLY);
	CHECK(pread(fd, text, sizeof(text), 0) == 5);
	put(home("file"), "again");
	SOON(pread(fd, text, sizeof(text), 0) == 5 && !memcmp(text, "again", 5));
	close(fd);
}

TEST("a name that was not there, and that home makes, is there")
{
	struct stat st;

	rig_begin(0, NULL);
	CHECK(stat(here("late"), &st) < 0 && errno == ENOENT && stat(here("late"), &st) < 0);
	put(home("late"), "late");
	SOON(!strcmp(get(here("late")), "late"));
	CHECK(stat(here("dir/sub"), &st) < 0 && errno == ENOENT);
	CHECK(!mkdir(home("dir"), 0755) && !mkdir(home("dir/sub"), 0755));
	SOON(!stat(here("dir/sub"), &st));
	CHECK(!is_listed(here("dir/sub"), "x"));
	put(home("dir/sub/x"), "");
	SOON(is_listed(here("dir/sub"), "x"));
	CHECK(!unlink(home("dir/sub/x")));
	SOON(!is_listed(here("dir/sub"), "x") && access(here("dir/sub/x"), F_OK));
}

TEST("what home removes or moves is gone, and is where it went")
{
	rig_begin(0, NULL);
	CHECK(!mkdir(home("a"), 0755) && !mkdir(home("a/b"), 0755));
	put(home("a/b/c"), "c");
	put(home("gone"), "x");
	CHECK(!strcmp(get(here("a/b/c")), "c") && !strcmp(get(here("gone")), "x"));
	CHECK(!unlink(home("gone")));
	SOON(access(here("gone"), F_OK) && errno == ENOENT);
	CHECK(!rename(home("a"), home("z")));
	SOON(access(here("a"), F_OK) && !strcmp(get(here("z/b/c")), "c"));
	CHECK(!rename(home("z/b/c"), home("z/d")));
	SOON(access(here("z/b/c"), F_OK) && !strcmp(get(here("z/d")), "c"));
	put(here("z/d"), "written here");
	CHECK(!strcmp(get(home("z/d")), "written here"));
}

TEST("after a sync, what changed at home before is seen at once")
{
	char text[32];

	rig_begin(0, NULL);
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "step %d", i);
		put(home("file"), text);
		sync_here();
		CHECK(!strcmp(get(here("file")), text));
		snprintf(text, sizeof(text), "made %d", i);
		CHECK(access(here(text), F_OK));
		put(home(text), "");
		sync_here();
		CHECK(!access(here(text), F_OK));
	}
}

TEST("what is closed here is at home when close returns")
{
	char text[32];

	rig_begin(0, NULL);
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "step %d", i);
		put(here("file"), text);
		CHECK(!strcmp(get(home("file")), text));
	}
}

TEST("what one lender wrote, another sees")
{
	struct rig first;
	char second[80];
	int i;

	rig_begin(0, NULL);
	first = rig;
	snprintf(second, sizeof(second), "%s/second", rig.dir);
	CHECK(!mkdir(second, 0755));
	memset(&rig, 0, sizeof(rig));
	memcpy(rig.home, first.home, sizeof(rig.home));
	memcpy(rig.dir, first.dir, sizeof(rig.dir));
	memcpy(rig.here, second, sizeof(second));
	rig.is_prepared = true;
	rig_begin(0, NULL);
	for (i = 0; i < 50; i++) {
		char text[32];

		snprintf(text, sizeof(text), "turn %d", i);
		put(path_of(first.here, "shared"), text);
		sync_here();
		CHECK(!strcmp(get(here("shared")), text));
	}
	rig_end();
	CHECK(!rmdir(second));
	rig = first;
}

TEST("what is known costs no round trip: names, absent names, links, attributes, contents")
{
	unsigned long before;
	struct stat st;
	char text[64];

	rig_begin(0, NULL);
	CHECK(!mkdir(home("inc"), 0755) && !symlink("inc", home("include")));
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "inc/h%d", i);
		put(home(text), text);
	}
	for (int round = 0; round < 3; round++) {
		/* In the second round, directories get their attributes leased. */
		before = round_trips();
		for (int i = 0; i < 20; i++) {
			snprintf(text, sizeof(text), "include/h%d", i);
			CHECK(!stat(here(text), &st) && !strncmp(get(here(text)), "inc/h", 5));
			snprintf(text, sizeof(text), "include/absent%d", i);
			CHECK(open(here(text), O_RDONLY) < 0 && errno == ENOENT);
		}
		CHECK(!stat(here("inc"), &st) && is_listed(here("inc"), "h3"));
	}
	CHECK(round_trips() == before);
}

TEST("own changes are known here without asking")
{
	unsigned long before;
	struct stat st;

	rig_begin(0, NULL);
	CHECK(!mkdir(here("own"), 0755) && !is_listed(here("own"), "x"));
	put(here("own/x"), "text");
	before = round_trips();
	CHECK(!stat(here("own/x"), &st) && st.st_size == 4 && is_listed(here("own"), "x"));
	CHECK(!unlink(here("own/x")));
	CHECK(stat(here("own/x"), &st) < 0 && errno == ENOENT && !is_listed(here("own"), "x"));
	/* The unlink itself, and attributes of the directory. */
	CHECK(round_trips() <= before + 3);
}

/* One end of a pair to the mount, as the agent gives one to each guest; the other end is left to us. */
static int channel_make(void)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { "guest\n", 6 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &pair[1], sizeof(int));
	CHECK(sendmsg(rig.control, &msg, 0) == 6);
	close(pair[1]);
	return pair[0];
}

static bool channel_answers(int fd, const char *question)
{
	char answer[16];

	return send(fd, question, strlen(question), MSG_NOSIGNAL) > 0 &&
	       recv(fd, answer, sizeof(answer), 0) == 7 && !memcmp(answer, "synced\n", 7);
}

TEST("a guest has a way of its own to ask whether all is told, and no other question")
{
	int one, two, many[700];

	rig_begin(0, NULL);
	one = channel_make();
	two = channel_make();
	for (int i = 0; i < 20; i++) {
		char text[8];

		snprintf(text, sizeof(text), "%d", i);
		put(home("turn"), text);
		CHECK(channel_answers(i & 1 ? one : two, "sync\n") && !strcmp(get(here("turn")), text));
	}
	CHECK(!channel_answers(one, "round-trips\n") && !channel_answers(one, "sync\n"));
	CHECK(!channel_answers(two, "sync\nsync\n"));
	/* More than there may be at once are closed, and those that went make room. */
	for (int i = 0; i < 700; i++)
		many[i] = channel_make();
	CHECK(channel_answers(many[0], "sync\n") && !channel_answers(many[699], "sync\n"));
	for (int i = 0; i < 700; i++)
		close(many[i]);
	sync_here();
	one = channel_make();
	CHECK(channel_answers(one, "sync\n"));
	close(one);
	close(two);
}

TEST("mounted for guests, home's users have their numbers, and the mount is nobody's process")
{
	const unsigned int first = 1u << 20;
	char path[64], status[4096];
	struct stat st;
	ssize_t n;
	int fd;

	rig.first_id = "1048576";
	rig_prepare();
	put(home("file"), "text");
	CHECK(!chown(home("file"), 1000, 1001));
	rig_begin(0, NULL);
	rig.first_id = NULL;
	CHECK(!stat(here("file"), &st) && st.st_uid == first + 1000 && st.st_gid == first + 1001);
	CHECK(!chown(here("file"), first + 7, (gid_t)-1));
	CHECK(!stat(home("file"), &st) && st.st_uid == 7 && st.st_gid == 1001);
	/* The lender's own, and what is no number of home's. */
	CHECK(chown(here("file"), 0, 0) < 0 && errno == EINVAL);
	CHECK(chown(here("file"), first + 65536, (gid_t)-1) < 0 && errno == EINVAL);
	snprintf(path, sizeof(path), "/proc/%d/status", rig.mount);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, status, sizeof(status) - 1);
	close(fd);
	status[n > 0 ? n : 0] = 0;
	CHECK(strstr(status, "Uid:\t1114113\t1114113\t1114113\t1114113\n"));
	CHECK(strstr(status, "CapEff:\t0000000000000000\n") && strstr(status, "CapPrm:\t0000000000000000\n"));
	CHECK(strstr(status, "NoNewPrivs:\t1\n"));
}

int main(void)
{
	int failed = rig_open();

	if (failed)
		return failed;
	failed = test_main("homefs-coherence");
	return rig_remove() || failed;
}
