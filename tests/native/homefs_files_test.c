// SPDX-License-Identifier: GPL-2.0-or-later
/* homefs_files_test.c: what programs do with files, through a mount of home's. */
#include <dirent.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "homefs_rig.h"

#define LARGE (3u << 20)

static void fill(uint8_t *data, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(seed + i * 7 + i / 4096);
}

static bool has_bytes(const char *path, const uint8_t *data, size_t len)
{
	static uint8_t found[LARGE + 1];
	int fd = open(path, O_RDONLY);
	size_t done = 0;
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, found + done, sizeof(found) - done)) > 0)
		done += (size_t)n;
	close(fd);
	return done == len && !memcmp(found, data, len);
}

TEST("what is written at either end is read at the other, of any size")
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 131072, 262145, LARGE };
	static uint8_t data[LARGE];

	rig_begin(0, NULL);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		fill(data, sizes[i], (unsigned int)i);
		put_at(here("there"), data, sizes[i]);
		CHECK(has_bytes(home("there"), data, sizes[i]));
		CHECK(has_bytes(here("there"), data, sizes[i]));
		put_at(home("back"), data, sizes[i]);
		sync_here();
		CHECK(has_bytes(here("back"), data, sizes[i]));
		CHECK(!unlink(here("there")) && !unlink(here("back")));
		CHECK(access(home("there"), F_OK) && access(home("back"), F_OK));
	}
}

TEST("small writes all over a file are in it when it is closed")
{
	static uint8_t data[300000];
	int fd;

	rig_begin(0, NULL);
	fd = open(here("pieces"), O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	for (unsigned int i = 0; i < 3000; i++) {
		size_t at = i * 7919u % (sizeof(data) - 500), len = i % 499 + 1;

		fill(data + at, len, i);
		CHECK(pwrite(fd, data + at, len, (off_t)at) == (ssize_t)len);
	}
	/* To its full length. */
	CHECK(pwrite(fd, data + sizeof(data) - 1, 1, sizeof(data) - 1) == 1);
	CHECK(!close(fd));
	CHECK(has_bytes(home("pieces"), data, sizeof(data)));
	CHECK(has_bytes(here("pieces"), data, sizeof(data)));
}

TEST("a size that is asked for while writes are on their way counts them")
{
	struct stat st;
	int fd;

	rig_begin(0, NULL);
	fd = open(here("growing"), O_WRONLY | O_CREAT, 0644);
	CHECK(fd >= 0);
	for (int i = 1; i <= 500; i++) {
		CHECK(write(fd, "0123456789", 10) == 10);
		CHECK(!stat(here("growing"), &st) && st.st_size == i * 10);
	}
	CHECK(!close(fd) && !stat(home("growing"), &st) && st.st_size == 5000);
}

TEST("files are mapped: private and shared, to read and to write")
{
	char *map;
	int fd;

	rig_begin(0, NULL);
	put(home("mapped"), "what is there");
	fd = open(here("mapped"), O_RDWR);
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED && !strcmp(map, "what is there") && !munmap(map, 4096));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	memcpy(map, "mine", 4);
	CHECK(!munmap(map, 4096) && !strcmp(get(here("mapped")), "what is there"));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	memcpy(map, "WHAT", 4);
	CHECK(!msync(map, 4096, MS_SYNC) && !strcmp(get(home("mapped")), "WHAT is there"));
	memcpy(map + 5, "WAS", 3);
	CHECK(!munmap(map, 4096) && !close(fd) && !strcmp(get(home("mapped")), "WHAT WASthere"));
}

TEST("rename replaces, refuses to, and exchanges")
{
	rig_begin(0, NULL);
	put(here("a"), "a");
	put(here("b"), "b");
	CHECK(renameat2(AT_FDCWD, here("a"), AT_FDCWD, here("b"), RENAME_NOREPLACE) < 0 && errno == EEXIST);
	CHECK(!renameat2(AT_FDCWD, here("a"), AT_FDCWD, here("b"), RENAME_EXCHANGE));
	CHECK(!strcmp(get(here("a")), "b") && !strcmp(get(home("b")), "a"));
	CHECK(!rename(here("a"), here("b")));
	CHECK(!strcmp(get(here("b")), "b") && access(here("a"), F_OK) && access(home("a"), F_OK));
	CHECK(!mkdir(here("d"), 0755) && !rename(here("b"), here("d/c")) && !rename(here("d"), here("e")));
	CHECK(!strcmp(get(here("e/c")), "b") && !strcmp(get(home("e/c")), "b") && access(here("d"), F_OK));
	CHECK(rmdir(here("e")) < 0 && errno == ENOTEMPTY);
	CHECK(!unlink(here("e/c")) && !rmdir(here("e")) && access(home("e"), F_OK));
}

TEST("links of a file are one file, whichever name home writes to")
{
	struct stat a, b;

	rig_begin(0, NULL);
	CHECK(!mkdir(home("x"), 0755) && !mkdir(home("y"), 0755));
	put(home("x/one"), "first");
	CHECK(!strcmp(get(here("x/one")), "first"));
	CHECK(!link(here("x/one"), here("x/two")));
	CHECK(!stat(here("x/one"), &a) && !stat(here("x/two"), &b));
	CHECK(a.st_ino == b.st_ino && a.st_nlink == 2 && b.st_nlink == 2);
	CHECK(!link(home("x/one"), home("y/three")));
	SOON(!stat(here("x/one"), &a) && a.st_nlink == 3);
	put(home("y/three"), "second");
	SOON(!strcmp(get(here("x/one")), "second") && !strcmp(get(here("x/two")), "second"));
	CHECK(!unlink(here("x/two")) && !stat(here("x/one"), &a) && a.st_nlink == 2);
}

TEST("symbolic links are what they say, and lead where they say here")
{
	char target[64] = "";

	rig_begin(0, NULL);
	put(home("file"), "text");
	CHECK(!symlink("file", here("link")) && readlink(home("link"), target, sizeof(target)) == 4);
	CHECK(!strcmp(get(here("link")), "text"));
	CHECK(readlink(here("link"), target, sizeof(target)) == 4 && !memcmp(target, "file", 4));
	CHECK(!symlink("nowhere", here("dangling")) && access(here("dangling"), F_OK) && errno == ENOENT);
	CHECK(!unlink(here("link")) && !unlink(here("dangling")) && !access(home("file"), F_OK));
}

TEST("extended attributes are set, listed, read and removed at home")
{
	char value[64];

	rig_begin(0, NULL);
	put(home("file"), "");
	CHECK(listxattr(here("file"), NULL, 0) == 0);
	CHECK(getxattr(here("file"), "user.a", value, sizeof(value)) < 0 && errno == ENODATA);
	if (setxattr(here("file"), "user.a", "value", 5, XATTR_CREATE)) {
		CHECK(errno == EOPNOTSUPP);
		return;
	}
	CHECK(setxattr(here("file"), "user.a", "v", 1, XATTR_CREATE) < 0 && errno == EEXIST);
	CHECK(getxattr(home("file"), "user.a", value, sizeof(value)) == 5);
	CHECK(getxattr(here("file"), "user.a", NULL, 0) == 5 &&
	      getxattr(here("file"), "user.a", value, 64) == 5);
	CHECK(!memcmp(value, "value", 5) && getxattr(here("file"), "user.a", value, 2) < 0 &&
	      errno == ERANGE);
	CHECK(listxattr(here("file"), value, sizeof(value)) == 7 && !strcmp(value, "user.a"));
	CHECK(!removexattr(here("file"), "user.a") && listxattr(home("file"), NULL, 0) == 0);
	CHECK(!setxattr(home("file"), "user.b", "x", 1, 0));
	SOON(getxattr(here("file"), "user.b", value, sizeof(value)) == 1);
}

static int lock_try(int fd, short type, int command)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };

	return fcntl(fd, command, &lock);
}

/* In a process of its own, for a process does not exclude itself. */
static int in_child(int (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(run() & 255);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int child_locks_here(void)
{
	int fd = open(here("locked"), O_RDWR);

	return lock_try(fd, F_WRLCK, F_SETLK) ? errno : 0;
}

static int child_waits_here(void)
{
	int fd = open(here("locked"), O_RDWR);

	alarm(5);
	return lock_try(fd, F_WRLCK, F_SETLKW) ? errno : 0;
}

static void nothing(int number)
{
	(void)number;
}

static int child_is_interrupted(void)
{
	struct sigaction action = { .sa_handler = nothing };
	int fd = open(here("locked"), O_RDWR);

	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	return lock_try(fd, F_WRLCK, F_SETLKW) ? errno : 0;
}

static int child_flocks_here(void)
{
	int fd = open(here("locked"), O_RDWR);

	return flock(fd, LOCK_EX | LOCK_NB) ? errno : 0;
}

TEST("record locks exclude each other at both ends, wait, and can be given up")
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd, status;
	pid_t waiting;

	rig_begin(0, NULL);
	put(home("locked"), "0123456789012345678901234567890");
	fd = open(home("locked"), O_RDWR);
	CHECK(!lock_try(fd, F_WRLCK, F_SETLK));
	CHECK(in_child(child_locks_here) == EAGAIN);
	CHECK(in_child(child_is_interrupted) == EINTR);
	waiting = fork();
	if (!waiting)
		_exit(child_waits_here());
	usleep(100000);
	CHECK(waitpid(waiting, &status, WNOHANG) == 0);
	CHECK(!lock_try(fd, F_UNLCK, F_SETLK));
	CHECK(waitpid(waiting, &status, 0) == waiting && WIFEXITED(status) && !WEXITSTATUS(status));
	/* What the child held went with it. */
	SOON(!lock_try(fd, F_WRLCK, F_SETLK));
	CHECK(!lock_try(fd, F_UNLCK, F_SETLK));
	close(fd);
	fd = open(here("locked"), O_RDWR);
	CHECK(!lock_try(fd, F_WRLCK, F_SETLK) && in_child(child_locks_here) == EAGAIN);
	CHECK(!fcntl(fd, F_GETLK, &lock) && lock.l_type == F_UNLCK);
	close(fd);
	SOON(in_child(child_locks_here) == 0);
}

TEST("a read lock by a descriptor for reading excludes, and goes with its last copy")
{
	int fd, writer;

	put(home("read-locked"), "0123456789012345678901234567890");
	sync_here();
	fd = open(here("read-locked"), O_RDONLY);
	writer = open(home("read-locked"), O_RDWR);
	CHECK(fd >= 0 && writer >= 0);
	CHECK(!lock_try(fd, F_RDLCK, F_SETLK));
	CHECK(lock_try(writer, F_WRLCK, F_SETLK) && errno == EAGAIN);
	CHECK(!close(fd));
	SOON(!lock_try(writer, F_WRLCK, F_SETLK));
	/* It has had locks now: each close of a process gives its own back. */
	CHECK(!lock_try(writer, F_UNLCK, F_SETLK));
	fd = open(here("read-locked"), O_RDONLY);
	CHECK(!lock_try(fd, F_RDLCK, F_SETLK) && lock_try(writer, F_WRLCK, F_SETLK) && errno == EAGAIN);
	CHECK(!close(dup(fd)));
	SOON(!lock_try(writer, F_WRLCK, F_SETLK));
	CHECK(!close(fd) && !close(writer));
}

TEST("programs are asked to write in large pieces")
{
	struct stat st;

	put(home("pieces"), "x");
	sync_here();
	CHECK(!stat(here("pieces"), &st) && st.st_blksize >= 64 << 10);
}

TEST("flock excludes at both ends, until the last close")
{
	int fd, copy;

	rig_begin(0, NULL);
	put(home("locked"), "");
	fd = open(home("locked"), O_RDWR);
	CHECK(!flock(fd, LOCK_EX) && in_child(child_flocks_here) == EAGAIN && !close(fd));
	CHECK(in_child(child_flocks_here) == 0);
	fd = open(here("locked"), O_RDWR);
	SOON(!flock(fd, LOCK_EX | LOCK_NB));
	copy = dup(fd);
	CHECK(!close(fd) && in_child(child_flocks_here) == EAGAIN && !close(copy));
	SOON(in_child(child_flocks_here) == 0);
}

TEST("a lock that went with its descriptor is not in the way of the next one")
{
	struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd, next;

	rig_begin(0, NULL);
	put(home("locked"), "");
	for (int i = 0; i < 300; i++) {
		fd = open(here("locked"), O_RDWR);
		next = open(here("locked"), O_RDWR);
		CHECK(!flock(fd, LOCK_EX | LOCK_NB) && flock(next, LOCK_EX | LOCK_NB) && errno == EAGAIN);
		CHECK(!close(fd) && !flock(next, LOCK_EX | LOCK_NB) && !close(next));
		/* The kernel does not tell of each close of what is open for reading. */
		range.l_type = F_RDLCK;
		fd = open(here("locked"), O_RDONLY);
		CHECK(!fcntl(fd, F_SETLK, &range) && !close(fd));
		range.l_type = F_WRLCK;
		CHECK(in_child(child_locks_here) == 0);
	}
}

TEST("a file that was removed or replaced stays usable while it is open")
{
	char text[16] = "";
	struct stat st;
	int fd;

	rig_begin(0, NULL);
	put(home("gone"), "before");
	fd = open(here("gone"), O_RDWR);
	CHECK(!unlink(here("gone")) && pwrite(fd, "after!", 6, 0) == 6 && !fsync(fd));
	CHECK(pread(fd, text, 16, 0) == 6 && !strcmp(text, "after!"));
	CHECK(!fstat(fd, &st) && st.st_size == 6 && st.st_nlink == 0);
	CHECK(!ftruncate(fd, 3) && !fstat(fd, &st) && st.st_size == 3 && !close(fd));

	put(home("gone"), "before");
	sync_here();
	fd = open(here("gone"), O_RDWR);
	CHECK(fd >= 0 && !unlink(home("gone")));
	sync_here();
	CHECK(access(here("gone"), F_OK) && pwrite(fd, "still", 5, 0) == 5 && !fsync(fd));
	CHECK(pread(fd, text, 16, 0) == 6 && !memcmp(text, "stille", 6) && !close(fd));

	put(here("old"), "old");
	put(here("new"), "new");
	fd = open(here("old"), O_RDONLY);
	CHECK(!rename(here("new"), here("old")));
	CHECK(pread(fd, text, 16, 0) == 3 && !memcmp(text, "old", 3) && !close(fd));
	CHECK(!strcmp(get(here("old")), "new"));
}

TEST("10,000 entries are listed once each, and looked at without a round trip")
{
	static uint8_t seen[10000];
	unsigned long before;
	struct dirent *entry;
	unsigned int number;
	char name[32];
	struct stat st;
	DIR *dir;

	rig_begin(0, NULL);
	memset(seen, 0, sizeof(seen));
	CHECK(!mkdir(home("many"), 0755));
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "many/entry-%05d", i);
		CHECK(!mknod(home(name), S_IFREG | 0644, 0));
	}
	dir = opendir(here("many"));
	CHECK(dir);
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "entry-%u", &number) == 1 && number < 10000)
			seen[number]++;
	closedir(dir);
	for (int i = 0; i < 10000; i++)
		CHECK(seen[i] == 1);
	before = round_trips();
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "many/entry-%05d", i);
		CHECK(!stat(here(name), &st) && S_ISREG(st.st_mode));
		name[5] = 'E';
		CHECK(stat(here(name), &st) < 0 && errno == ENOENT);
	}
	CHECK(round_trips() == before);
	CHECK(!mknod(here("many/another"), S_IFREG | 0600, 0) && !access(home("many/another"), F_OK));
	CHECK(!unlink(home("many/entry-00000")));
	sync_here();
	number = 0;
	dir = opendir(here("many"));
	while ((entry = readdir(dir)))
		number += *entry->d_name != '.';
	closedir(dir);
	CHECK(number == 10000);
}

TEST("holes of sparse files are found, punched and filled")
{
	struct stat st;
	off_t hole;
	int fd;

	rig_begin(0, NULL);
	fd = open(here("sparse"), O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0 && !ftruncate(fd, 8 << 20) && pwrite(fd, "x", 1, 4 << 20) == 1);
	CHECK(!stat(here("sparse"), &st) && st.st_size == 8 << 20 && st.st_blocks * 512 < 1 << 20);
	CHECK(lseek(fd, 0, SEEK_DATA) == 4 << 20);
	hole = lseek(fd, 4 << 20, SEEK_HOLE);
	CHECK(hole > 4 << 20 && hole <= (4 << 20) + 65536);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 << 20, 65536))
		CHECK(errno == EOPNOTSUPP);
	else
		CHECK(lseek(fd, 0, SEEK_DATA) < 0 && errno == ENXIO);
	if (fallocate(fd, 0, 8 << 20, 4096))
		CHECK(errno == EOPNOTSUPP);
	else
		CHECK(!fstat(fd, &st) && st.st_size == (8 << 20) + 4096);
	CHECK(!close(fd));
}

TEST("times are home's, to the nanosecond, and can be set")
{
	struct timespec times[2] = { { 1000000001, 123456789 }, { 1000000002, 987654321 } };
	struct stat a, b;

	rig_begin(0, NULL);
	put(here("file"), "text");
	CHECK(!stat(here("file"), &a) && !stat(home("file"), &b));
	CHECK(!memcmp(&a.st_mtim, &b.st_mtim, sizeof(a.st_mtim)));
	CHECK(!memcmp(&a.st_ctim, &b.st_ctim, sizeof(a.st_ctim)) && a.st_mode == b.st_mode);
	CHECK(!utimensat(AT_FDCWD, here("file"), times, 0) && !stat(home("file"), &b) &&
	      !stat(here("file"), &a));
	CHECK(!memcmp(&b.st_mtim, &times[1], sizeof(*times)) &&
	      !memcmp(&a.st_mtim, &times[1], sizeof(*times)));
	CHECK(!memcmp(&b.st_atim, &times[0], sizeof(*times)));
	put(here("file"), "more");
	CHECK(!stat(here("file"), &a) && a.st_mtim.tv_sec > times[1].tv_sec);
}

TEST("mode and umask are what the program asked for")
{
	struct stat st;
	int fd;

	rig_begin(0, NULL);
	umask(027);
	CHECK(!mkdir(here("dir"), 0777) && !stat(home("dir"), &st) && (st.st_mode & 07777) == 0750);
	fd = open(here("file"), O_RDWR | O_CREAT | O_EXCL, 0400);
	umask(022);
	CHECK(fd >= 0 && !stat(home("file"), &st) && (st.st_mode & 07777) == 0400);
	CHECK(write(fd, "mine", 4) == 4 && !close(fd) && !strcmp(get(home("file")), "mine"));
	CHECK(open(here("file"), O_RDWR | O_CREAT | O_EXCL, 0400) < 0 && errno == EEXIST);
	CHECK(!chmod(here("file"), 0640) && !stat(home("file"), &st) && (st.st_mode & 07777) == 0640);
	CHECK(!mkfifo(here("fifo"), 0600) && !stat(home("fifo"), &st) && S_ISFIFO(st.st_mode));
	CHECK(mknod(here("device"), S_IFCHR | 0600, 0x103) < 0);
}

TEST("a user who may not, may not: home decides by its own rights")
{
	struct stat st;

	rig_prepare();
	put(home("secret"), "secret");
	CHECK(!chmod(home("secret"), 0600) && !mkdir(home("closed"), 0700) && !mkdir(home("open"), 0777));
	put(home("closed/file"), "x");
	put(home("public"), "public");
	CHECK(!chmod(home("open"), 0777));
	rig_begin(65534, NULL);
	CHECK(!strcmp(get(here("public")), "public"));
	CHECK(open(here("secret"), O_RDONLY) < 0 && errno == EACCES && !stat(here("secret"), &st));
	CHECK(stat(here("closed/file"), &st) < 0 && errno == EACCES && !opendir(here("closed")));
	CHECK(open(here("public"), O_WRONLY) < 0 && errno == EACCES && unlink(here("public")) < 0);
	CHECK(access(here("public"), W_OK) < 0 && errno == EACCES && !access(here("public"), R_OK));
	CHECK(chmod(here("public"), 0777) < 0 && errno == EPERM);
	CHECK(open(here("new"), O_RDWR | O_CREAT, 0600) < 0 && errno == EACCES);
	put(here("open/mine"), "mine");
	CHECK(!stat(home("open/mine"), &st) && st.st_uid == 65534 && st.st_gid == 65534);
	/* Who closes a directory does not find what was known of it. */
	CHECK(!mkdir(here("open/dir"), 0700));
	put(here("open/dir/file"), "mine");
	CHECK(!stat(here("open/dir/file"), &st) && !chmod(here("open/dir"), 0));
	SOON(stat(here("open/dir/file"), &st) < 0 && errno == EACCES);
	CHECK(!chmod(here("open/dir"), 0700) && !strcmp(get(here("open/dir/file")), "mine"));
	/* And what was allowed once is not for ever. */
	CHECK(!chmod(home("public"), 0600));
	sync_here();
	CHECK(open(here("public"), O_RDONLY) < 0 && errno == EACCES);
}

TEST("an error of a write that was not waited for is reported at close")
{
	static uint8_t data[LARGE];
	char small[96];
	int fd;

	rig_prepare();
	snprintf(small, sizeof(small), "%s/small", rig.home);
	CHECK(!mkdir(small, 0755) && !mount("none", small, "tmpfs", 0, "size=1m"));
	rig_begin(0, NULL);
	fd = open(here("small/file"), O_WRONLY | O_CREAT, 0644);
	CHECK(fd >= 0);
	for (size_t done = 0; done < sizeof(data); done += 65536)
		if (write(fd, data + done, 65536) < 0)
			break;
	CHECK(close(fd) < 0 && errno == ENOSPC);
	fd = open(here("small/file"), O_WRONLY);
	CHECK(pwrite(fd, data, 65536, 4 << 20) == 65536 && fsync(fd) < 0 && errno == ENOSPC);
	CHECK(!close(fd));
	rig_end();
	CHECK(!umount(small));
}

TEST("what both ends append is all there")
{
	char line[32];
	struct stat st;
	int fd, other;

	rig_begin(0, NULL);
	put(home("log"), "");
	fd = open(here("log"), O_WRONLY | O_APPEND);
	other = open(home("log"), O_WRONLY | O_APPEND);
	for (int i = 0; i < 200; i++) {
		snprintf(line, sizeof(line), "line %03d\n", i);
		CHECK(write(i % 3 ? fd : other, line, 9) == 9);
	}
	CHECK(!close(fd) && !close(other) && !stat(home("log"), &st) && st.st_size == 200 * 9);
	SOON(!stat(here("log"), &st) && st.st_size == 200 * 9);
}

int main(void)
{
	int failed = rig_open();

	if (failed)
		return failed;
	failed = test_main("homefs-files");
	return rig_remove() || failed;
}
