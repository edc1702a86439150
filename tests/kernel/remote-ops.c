// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remote-ops.c: what a guest does with a remote file is what the worker reads, and
 * what the worker writes is what the guest gets.
 */
#include <asm/termbits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "remote-script.h"

TEST("fstat() tells the kind, and of a character device the number")
{
	static const struct {
		uint32_t kind;
		mode_t type;
	} kinds[] = {
		{ SUPERDEV_REMOTE_TTY, S_IFCHR },
		{ SUPERDEV_REMOTE_PIPE, S_IFIFO },
		{ SUPERDEV_REMOTE_SOCKET, S_IFSOCK },
		{ SUPERDEV_REMOTE_CHR, S_IFCHR },
	};
	struct superdev_remote_new new;
	struct stat st;
	int fd;

	begin();
	for (uint64_t i = 0; i < 4; i++) {
		new = new_of(i + 1, kinds[i].kind, O_RDWR);
		new.rdev_major = 136;
		new.rdev_minor = 300;
		new.mode = 0620;
		new.ino = 77;
		new.dev_major = 3;
		new.dev_minor = 4;
		fd = ioctl(channel, SUPERDEV_REMOTE_NEW, &new);
		CHECK(fd >= 0);
		CHECK(!fstat(fd, &st));
		CHECK(st.st_mode == (kinds[i].type | 0620));
		CHECK(st.st_rdev == (kinds[i].type == S_IFCHR ? makedev(136, 300) : 0));
		CHECK(st.st_ino == 77 && st.st_dev == makedev(3, 4));
		close(fd);
		CHECK(next(SUPERDEV_REMOTE_RELEASE) && asked.cookie == i + 1 && !asked.id);
	}
	end();
}

TEST("/proc/PID/fd shows the name that was given, however long, or a standard one")
{
	char long_name[1001], path[64], link[1100];
	struct superdev_remote_new new = new_of(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	int fd;

	begin();
	memset(long_name, 'x', 1000);
	long_name[0] = '/';
	long_name[1000] = 0;
	new.name = (uintptr_t)long_name;
	new.name_length = 1000;
	fd = ioctl(channel, SUPERDEV_REMOTE_NEW, &new);
	CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, link, sizeof(link)) == 1000 && !memcmp(link, long_name, 1000));
	close(fd);
	fd = new_file(2, SUPERDEV_REMOTE_PIPE, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, link, sizeof(link)) > 0 && !memcmp(link, "remote-pipe:[", 13));
	close(fd);
	end();
}

TEST("a descriptor has the flags that it was made with")
{
	int fd;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_PIPE, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	CHECK(fcntl(fd, F_GETFL) == (O_WRONLY | O_NONBLOCK) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(read(fd, asked_data, 1) == -1 && errno == EBADF);
	close(fd);
	fd = new_file(2, SUPERDEV_REMOTE_FILE, O_RDONLY);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY && fcntl(fd, F_GETFD) == 0);
	CHECK(write(fd, "x", 1) == -1 && errno == EBADF);
	close(fd);
	end();
}

TEST("a read gets what home has, the end, and errors")
{
	char buffer[100] = "";
	struct guest guest = { .act = do_read, .data = buffer, .size = sizeof(buffer) };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_PIPE, O_RDONLY);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	CHECK(asked.cookie == 1 && asked.length == 100 && !asked.flags && !asked.data_length);
	CHECK(asked.pid == (uint32_t)getpid() && asked.tid != asked.pid);
	CHECK(!answer_text("hello") && guest_got(&guest, 5) && !memcmp(buffer, "hello", 5));
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	CHECK(!answer(0, NULL, 0) && guest_got(&guest, 0));
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	CHECK(!answer(-EISDIR, NULL, 0) && guest_failed(&guest, EISDIR));
	close(guest.fd);
	end();
}

TEST("O_NONBLOCK goes with each request, and EAGAIN comes back")
{
	char buffer[10];
	struct guest guest = { .act = do_read, .data = buffer, .size = sizeof(buffer) };
	int one = 1;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	fcntl(guest.fd, F_SETFL, O_NONBLOCK);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	CHECK(asked.flags == SUPERDEV_REMOTE_F_NONBLOCK);
	CHECK(!answer(-EAGAIN, NULL, 0) && guest_failed(&guest, EAGAIN));
	fcntl(guest.fd, F_SETFL, 0);
	CHECK(!ioctl(guest.fd, FIONBIO, &one) && fcntl(guest.fd, F_GETFL) & O_NONBLOCK);
	close(guest.fd);
	end();
}

TEST("a write brings its data, and goes on where home took a part")
{
	struct guest guest = { .act = do_write, .data = "hello, world", .size = 12 };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_PIPE, O_WRONLY);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_WRITE));
	CHECK(asked.data_length == 12 && !memcmp(asked_data, "hello, world", 12));
	CHECK(!answer(7, NULL, 0) && next(SUPERDEV_REMOTE_WRITE));
	CHECK(asked.data_length == 5 && !memcmp(asked_data, "world", 5));
	CHECK(!answer(5, NULL, 0) && guest_got(&guest, 12));
	/* What was written before an error counts. */
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_WRITE));
	CHECK(!answer(7, NULL, 0) && next(SUPERDEV_REMOTE_WRITE));
	CHECK(!answer(-EAGAIN, NULL, 0) && guest_got(&guest, 7));
	close(guest.fd);
	end();
}

TEST("a write to a pipe without readers is SIGPIPE")
{
	int status, fd;
	pid_t child;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_PIPE, O_WRONLY);
	child = fork();
	if (!child) {
		close(channel);
		signal(SIGPIPE, SIG_DFL);
		_exit(write(fd, "x", 1) < 0);
	}
	CHECK(next(SUPERDEV_REMOTE_WRITE) && !answer(-EPIPE, NULL, 0));
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	close(fd);
	end();
}

TEST("the position of a file is home's, and pread() does not touch it")
{
	char buffer[10];
	struct guest guest = { .act = do_read, .data = buffer, .size = 10 };
	struct guest at = { .act = do_pread, .data = buffer, .size = 10, .argument = 1L << 40 };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	at.fd = guest.fd;
	for (int i = 0; i < 3; i++) {
		CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ) && !asked.flags);
		CHECK(!answer_text("abc") && guest_got(&guest, 3));
		CHECK(guest_begin(&at) && next(SUPERDEV_REMOTE_READ));
		CHECK(asked.flags == SUPERDEV_REMOTE_F_OFFSET && asked.offset == 1LL << 40);
		CHECK(!answer_text("abc") && guest_got(&at, 3));
	}
	at.act = do_pwrite;
	at.argument = 0;
	CHECK(guest_begin(&at) && next(SUPERDEV_REMOTE_WRITE));
	CHECK(asked.flags == SUPERDEV_REMOTE_F_OFFSET && !asked.offset);
	CHECK(!answer(10, NULL, 0) && guest_got(&at, 10));
	CHECK(pread(guest.fd, buffer, 1, -5) == -1 && errno == EINVAL);
	close(guest.fd);
	guest.fd = new_file(2, SUPERDEV_REMOTE_PIPE, O_RDONLY);
	CHECK(pread(guest.fd, buffer, 1, 0) == -1 && errno == ESPIPE);
	CHECK(lseek(guest.fd, 0, SEEK_CUR) == -1 && errno == ESPIPE);
	close(guest.fd);
	end();
}

TEST("a file is read to the end of the buffer, in more than one request")
{
	static char buffer[300000];
	struct guest guest = { .act = do_pread, .data = buffer, .size = sizeof(buffer), .argument = 1000 };
	static char data[SUPERDEV_REMOTE_DATA_MAX];

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDONLY);
	CHECK(guest_begin(&guest));
	for (int i = 0; i < 2; i++) {
		CHECK(next(SUPERDEV_REMOTE_READ) && asked.length == sizeof(data));
		CHECK(asked.offset == (int64_t)(1000 + i * sizeof(data)));
		memset(data, 'a' + i, sizeof(data));
		CHECK(!answer(sizeof(data), data, sizeof(data)));
	}
	CHECK(next(SUPERDEV_REMOTE_READ) && !answer_text("end"));
	CHECK(guest_got(&guest, 2 * sizeof(data) + 3));
	CHECK(buffer[0] == 'a' && buffer[sizeof(data)] == 'b' &&
	      !memcmp(buffer + 2 * sizeof(data), "end", 3));
	close(guest.fd);
	end();
}

TEST("readv() and writev() are one request")
{
	char first[4], second[4];
	struct iovec iov[2] = { { first, 4 }, { second, 4 } };
	int fd, status;
	pid_t child;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_SOCKET, O_RDWR);
	child = fork();
	if (!child) {
		close(channel);
		status = readv(fd, iov, 2) != 7 || memcmp(first, "abcd", 4) || memcmp(second, "efg", 3);
		_exit(status || writev(fd, iov, 2) != 8);
	}
	CHECK(next(SUPERDEV_REMOTE_READ) && asked.length == 8 && !answer_text("abcdefg"));
	CHECK(next(SUPERDEV_REMOTE_WRITE) && asked.data_length == 8 && !answer(8, NULL, 0));
	CHECK(waitpid(child, &status, 0) == child && !status);
	close(fd);
	end();
}

static long do_lseek(struct guest *guest)
{
	return lseek(guest->fd, guest->argument, SEEK_END);
}

static long do_fsync(struct guest *guest)
{
	return guest->argument ? fdatasync(guest->fd) : fsync(guest->fd);
}

static long do_truncate(struct guest *guest)
{
	return ftruncate(guest->fd, guest->argument);
}

static long do_allocate(struct guest *guest)
{
	return fallocate(guest->fd, FALLOC_FL_KEEP_SIZE, 100, 200);
}

TEST("lseek, fsync, ftruncate and fallocate are home's")
{
	struct guest guest = { .act = do_lseek, .argument = -1 };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_SEEK));
	CHECK(asked.offset == -1 && asked.command == SEEK_END);
	CHECK(!answer(1L << 41, NULL, 0) && guest_got(&guest, 1L << 41));
	guest.act = do_fsync;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_SYNC) && asked.command == 1);
	CHECK(!answer(-ENOSPC, NULL, 0) && guest_failed(&guest, ENOSPC));
	guest.argument = 0;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_SYNC) && asked.command == 0);
	CHECK(!answer(0, NULL, 0) && guest_got(&guest, 0));
	guest.act = do_truncate;
	guest.argument = 4711;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_TRUNCATE) && asked.offset == 4711);
	CHECK(!answer(0, NULL, 0) && guest_got(&guest, 0));
	guest.act = do_allocate;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_ALLOCATE));
	CHECK(asked.offset == 100 && asked.argument == 200 && asked.command == FALLOC_FL_KEEP_SIZE);
	CHECK(!answer(-EOPNOTSUPP, NULL, 0) && guest_failed(&guest, EOPNOTSUPP));
	CHECK(fchmod(guest.fd, 0777) == -1 && errno == EOPNOTSUPP);
	close(guest.fd);
	end();
}

static long do_stat(struct guest *guest)
{
	return fstat(guest->fd, guest->data);
}

TEST("fstat() of a file asks home")
{
	struct stat st;
	struct superdev_remote_attr attr = {
		.size = 12345,
		.blocks = 32,
		.mtime = 1000000,
		.mtime_ns = 5,
		.mode = 0644,
		.nlink = 3,
		.uid = 7,
		.gid = 8,
		.blksize = 4096,
	};
	struct guest guest = { .act = do_stat, .data = &st };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_GETATTR) && asked.length == sizeof(attr));
	CHECK(!answer(0, &attr, sizeof(attr)) && guest_got(&guest, 0));
	CHECK(st.st_size == 12345 && st.st_blocks == 32 && st.st_mtim.tv_sec == 1000000);
	CHECK(st.st_mode == (S_IFREG | 0644) && st.st_nlink == 3 && st.st_uid == 7 && st.st_gid == 8);
	attr.mtime_ns = 1000000000;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_GETATTR));
	CHECK(!answer(0, &attr, sizeof(attr)) && guest_failed(&guest, EIO));
	close(guest.fd);
	end();
}

TEST("ioctls of a terminal go to home and back, by their sizes")
{
	struct termios termios = { .c_iflag = 0x1234 };
	struct winsize winsize = { 0 };
	struct guest guest = { .act = do_ioctl, .data = &termios, .argument = TCGETS };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_IOCTL));
	CHECK(asked.command == TCGETS && asked.length == sizeof(termios) && !asked.data_length);
	termios.c_oflag = 0x5678;
	CHECK(!answer(0, &termios, sizeof(termios)) && guest_got(&guest, 0) && termios.c_oflag == 0x5678);
	guest.argument = TCSETSW;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_IOCTL));
	CHECK(asked.data_length == sizeof(termios) && !asked.length);
	CHECK(!memcmp(asked_data, &termios, sizeof(termios)));
	CHECK(!answer(0, NULL, 0) && guest_got(&guest, 0));
	guest.argument = TIOCGWINSZ;
	guest.data = &winsize;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_IOCTL) && asked.length == sizeof(winsize));
	winsize.ws_col = 132;
	CHECK(!answer(0, &winsize, sizeof(winsize)) && guest_got(&guest, 0) && winsize.ws_col == 132);
	guest.argument = TCFLSH;
	guest.data = (void *)TCIOFLUSH;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_IOCTL));
	CHECK(asked.argument == TCIOFLUSH && !asked.length && !asked.data_length);
	CHECK(!answer(-EIO, NULL, 0) && guest_failed(&guest, EIO));
	guest.argument = TCGETS;
	guest.data = NULL;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_IOCTL));
	CHECK(!answer(0, &termios, sizeof(termios)) && guest_failed(&guest, EFAULT));
	close(guest.fd);
	end();
}

TEST("an ioctl that is not known, or not of that kind, is refused without asking")
{
	char c = 'x';
	int tty, pipe, n;

	begin();
	tty = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	pipe = new_file(2, SUPERDEV_REMOTE_PIPE, O_RDWR);
	CHECK(ioctl(tty, TIOCSTI, &c) == -1 && errno == ENOTTY);
	CHECK(ioctl(tty, 0x12345678, &c) == -1 && errno == ENOTTY);
	CHECK(ioctl(pipe, TIOCGPGRP, &n) == -1 && errno == ENOTTY);
	CHECK(!isatty(pipe) && fsync(pipe) == -1 && is_quiet());
	close(tty);
	close(pipe);
	end();
}

TEST("mmap() is refused, and so is sendfile() from home's position")
{
	char buffer[4096];
	struct guest guest = { .act = do_pread, .data = buffer, .size = sizeof(buffer) };
	int fds[2];

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, guest.fd, 0) == MAP_FAILED && errno == ENODEV);
	CHECK(!pipe(fds));
	CHECK(sendfile(fds[1], guest.fd, NULL, 10) == -1 && errno == EINVAL);
	CHECK(fcntl(guest.fd, F_SETLEASE, F_RDLCK) == -1 && errno == EINVAL);
	CHECK(is_quiet());
	close(guest.fd);
	end();
}

static long do_sendfile(struct guest *guest)
{
	off_t offset = guest->argument;

	return sendfile((int)guest->size, guest->fd, &offset, 100) * 1000 + offset;
}

static long do_splice(struct guest *guest)
{
	return splice(guest->fd, NULL, (int)guest->size, NULL, 100, 0);
}

TEST("sendfile() from an offset and splice() both ways work")
{
	struct guest guest = { .act = do_sendfile, .argument = 50 };
	char buffer[10];
	int fds[2];

	begin();
	CHECK(!pipe(fds));
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	guest.size = (size_t)fds[1];
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ) && asked.offset == 50);
	CHECK(!answer_text("hello"));
	/* It tries once more, for the rest. */
	if (is_asked(1000))
		CHECK(next(SUPERDEV_REMOTE_READ) && asked.offset == 55 && !answer(0, NULL, 0));
	CHECK(guest_got(&guest, 5055));
	CHECK(read(fds[0], buffer, 10) == 5 && !memcmp(buffer, "hello", 5));
	close(guest.fd);
	CHECK(next(SUPERDEV_REMOTE_RELEASE));

	guest.act = do_splice;
	guest.fd = new_file(2, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ) && !asked.flags);
	CHECK(!answer_text("stream") && guest_got(&guest, 6));
	CHECK(read(fds[0], buffer, 10) == 6 && !memcmp(buffer, "stream", 6));
	CHECK(write(fds[1], "back", 4) == 4);
	guest.size = (size_t)guest.fd;
	close(guest.fd);
	CHECK(next(SUPERDEV_REMOTE_RELEASE));
	guest.size = (size_t)new_file(3, SUPERDEV_REMOTE_TTY, O_RDWR);
	guest.fd = fds[0];
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_WRITE));
	CHECK(asked.data_length == 4 && !memcmp(asked_data, "back", 4));
	CHECK(!answer(4, NULL, 0) && guest_got(&guest, 4));
	close((int)guest.size);
	close(fds[0]);
	close(fds[1]);
	end();
}

TEST("a file that two descriptors and a child share is released with the last of them")
{
	int fd, copy;
	pid_t child;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_PIPE, O_RDONLY);
	copy = dup(fd);
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	close(fd);
	close(copy);
	CHECK(is_quiet());
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(next(SUPERDEV_REMOTE_RELEASE) && asked.cookie == 1);
	/* Its cookie is free. */
	fd = new_file(1, SUPERDEV_REMOTE_PIPE, O_RDONLY);
	CHECK(fd >= 0);
	close(fd);
	end();
}

static long do_open(struct guest *guest)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", guest->fd);
	return open(path, (int)guest->argument);
}

TEST("a file that is opened once more by /proc is another of home's")
{
	char buffer[10];
	struct guest guest = { .act = do_open, .argument = O_RDWR | O_APPEND };
	struct guest reader = { .act = do_read, .data = buffer, .size = 10 };
	uint64_t cookie;
	int handle;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_OPEN) && asked.cookie == 1);
	CHECK(asked.command == (O_RDWR | O_APPEND) && asked.argument & SUPERDEV_REMOTE_COOKIE_OURS);
	cookie = asked.argument;
	CHECK(!answer(0, NULL, 0) && guest_end(&guest) && guest.result >= 0);
	reader.fd = (int)guest.result;
	CHECK(guest_begin(&reader) && next(SUPERDEV_REMOTE_READ) && asked.cookie == cookie);
	CHECK(!answer_text("x") && guest_got(&reader, 1));
	/* The first is home's to hold as long as there is any. */
	close(guest.fd);
	CHECK(is_quiet());
	close(reader.fd);
	CHECK(next(SUPERDEV_REMOTE_RELEASE) && asked.cookie == cookie);
	CHECK(next(SUPERDEV_REMOTE_RELEASE) && asked.cookie == 1);

	guest.fd = new_file(2, SUPERDEV_REMOTE_PIPE, O_RDONLY);
	guest.argument = O_WRONLY;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_OPEN));
	CHECK(!answer(-EACCES, NULL, 0) && guest_failed(&guest, EACCES));
	guest.argument = O_PATH;
	handle = (int)do_open(&guest);
	CHECK(handle >= 0);
	close(guest.fd);
	CHECK(is_quiet());
	close(handle);
	CHECK(next(SUPERDEV_REMOTE_RELEASE) && asked.cookie == 2);
	guest.fd = new_file(3, SUPERDEV_REMOTE_SOCKET, O_RDWR);
	guest.argument = O_RDWR;
	CHECK(do_open(&guest) == -1 && errno == ENXIO);
	close(guest.fd);
	end();
}

int main(void)
{
	return test_main("remote-ops");
}
