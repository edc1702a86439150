// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remote-hostile.c: workers that lie, die and drown, and guests that ask too much.
 */
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <asm/termbits.h>

#include "remote-script.h"

static char buffer[100];

static int new_fails(struct superdev_remote_new new)
{
	return ioctl(channel, SUPERDEV_REMOTE_NEW, &new) == -1 ? errno : 0;
}

#define NEW_WITH(field, value)                                                             \
	({                                                                                 \
		struct superdev_remote_new new_ = new_of(5, SUPERDEV_REMOTE_FILE, O_RDWR); \
		new_.field = (value);                                                      \
		new_fails(new_);                                                           \
	})

TEST("NEW refuses what is not in its manual")
{
	struct superdev_remote_new new = new_of(5, SUPERDEV_REMOTE_TTY, O_RDWR);
	int fd;

	begin();
	CHECK(NEW_WITH(cookie, 0) == EINVAL);
	CHECK(NEW_WITH(cookie, SUPERDEV_REMOTE_COOKIE_OURS | 1) == EINVAL);
	CHECK(NEW_WITH(kind, 0) == EINVAL && NEW_WITH(kind, 6) == EINVAL);
	CHECK(NEW_WITH(flags, O_ACCMODE) == EINVAL && NEW_WITH(flags, O_DIRECTORY) == EINVAL);
	CHECK(NEW_WITH(mode, S_IFBLK) == EINVAL && NEW_WITH(size, 1ull << 63) == EINVAL);
	CHECK(NEW_WITH(rdev_major, 4096) == EINVAL && NEW_WITH(dev_minor, 1u << 20) == EINVAL);
	CHECK(NEW_WITH(uid, UINT32_MAX) == EINVAL && NEW_WITH(reserved, 1) == EINVAL);
	CHECK(NEW_WITH(reserved2, 1) == EINVAL && NEW_WITH(name_length, 1) == EINVAL);
	CHECK(NEW_WITH(name, (uintptr_t)buffer) == EINVAL);
	new.name = 4096;
	new.name_length = 5;
	CHECK(new_fails(new) == EFAULT);
	new.name = (uintptr_t)"a\0b";
	new.name_length = 3;
	CHECK(new_fails(new) == EINVAL);
	CHECK(ioctl(channel, SUPERDEV_REMOTE_NEW, NULL) == -1 && errno == EFAULT);
	CHECK(ioctl(channel, TCGETS, &new) == -1 && errno == ENOTTY);
	CHECK(is_quiet());
	fd = new_file(5, SUPERDEV_REMOTE_FILE, O_RDWR);
	CHECK(fd >= 0 && new_fails(new_of(5, SUPERDEV_REMOTE_TTY, O_RDWR)) == EEXIST);
	close(fd);
	end();
}

TEST("a request that the worker could not take in is not lost")
{
	struct guest guest = { .act = do_read, .fd = -1, .data = buffer, .size = sizeof(buffer) };
	char *page = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	begin();
	CHECK(read(channel, buffer, sizeof(buffer)) == -1 && errno == EINVAL);
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && is_asked(PATIENCE_MS));
	CHECK(read(channel, page, 1 << 20) == -1 && errno == EFAULT);
	CHECK(next(SUPERDEV_REMOTE_READ) && !answer_text("x") && guest_got(&guest, 1));
	/* Nor is an INTERRUPT, nor who waits for what was never read. */
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	guest_signal(&guest);
	CHECK(is_asked(PATIENCE_MS) && read(channel, page, 1 << 20) == -1 && errno == EFAULT);
	CHECK(next(SUPERDEV_REMOTE_INTERRUPT) && !answer(-EINTR, NULL, 0) && guest_failed(&guest, EINTR));
	close(guest.fd);
	munmap(page, 1 << 20);
	end();
}

static struct superdev_remote_reply reply_of(int64_t result, uint32_t length)
{
	return (struct superdev_remote_reply){
		.id = asked.id,
		.type = SUPERDEV_REMOTE_REPLY,
		.result = result,
		.length = length,
	};
}

static int tell_with(int64_t result, uint32_t length, size_t real_length)
{
	struct superdev_remote_reply reply = reply_of(result, length);

	return tell(&reply, asked_data, real_length);
}

TEST("a reply that does not fit its request is refused, and the true one taken")
{
	struct guest guest = { .act = do_read, .data = buffer, .size = sizeof(buffer) };
	struct superdev_remote_reply reply;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	CHECK(write(channel, buffer, 47) == -1 && errno == EINVAL);
	CHECK(tell_with(101, 101, 101) == EINVAL); /* more than was asked for */
	CHECK(tell_with(1 << 30, 10, 10) == EINVAL);
	CHECK(tell_with(10, 10, 9) == EINVAL && tell_with(10, 9, 10) == EINVAL);
	CHECK(tell_with(10, 9, 9) == EINVAL && tell_with(9, 10, 10) == EINVAL);
	CHECK(tell_with(10, UINT32_MAX, 10) == EINVAL && tell_with(10, 0x80000000, 10) == EINVAL);
	CHECK(tell_with(-5, 10, 10) == EINVAL); /* an error has no data */
	CHECK(tell_with(-134, 0, 0) == EINVAL && tell_with(-512, 0, 0) == EINVAL);
	CHECK(tell_with(INT64_MIN, 0, 0) == EINVAL && tell_with(INT64_MAX, 0, 0) == EINVAL);
	reply = reply_of(0, 0);
	reply.reserved = 1;
	CHECK(tell(&reply, "", 0) == EINVAL);
	reply = reply_of(0, 0);
	reply.type = 3;
	CHECK(tell(&reply, "", 0) == EINVAL);
	reply = reply_of(0, 0);
	reply.cookie = 1;
	CHECK(tell(&reply, "", 0) == EINVAL);
	reply = reply_of(0, 0);
	reply.sequence = 1;
	reply.ready = 1u << 31;
	CHECK(tell(&reply, "", 0) == EINVAL);
	reply.sequence = 0;
	reply.ready = POLLIN;
	CHECK(tell(&reply, "", 0) == EINVAL);
	CHECK(answer_id(asked.id + 1, 0, NULL, 0) == ENOENT && answer_id(0, 0, NULL, 0) == EINVAL);
	CHECK(news(1, 0, 0) == EINVAL && news(0, 1, 0) == EINVAL && news(2, 1, 0) == ENOENT);
	CHECK(!answer_text("true") && guest_got(&guest, 4) && !memcmp(buffer, "true", 4));
	CHECK(answer_text("true") == ENOENT);
	close(guest.fd);
	end();
}

TEST("other ops have limits as well")
{
	struct termios termios;
	struct guest writer = { .act = do_write, .data = buffer, .size = 10 };
	struct guest getter = { .act = do_ioctl, .data = &termios, .argument = TCGETS };
	struct guest poller = { .act = do_poll, .size = POLLIN, .argument = PATIENCE_MS };

	begin();
	writer.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	getter.fd = writer.fd;
	poller.fd = writer.fd;
	CHECK(guest_begin(&writer) && next(SUPERDEV_REMOTE_WRITE));
	CHECK(tell_with(11, 0, 0) == EINVAL && tell_with(0, 0, 0) == EINVAL && tell_with(1, 1, 1) == EINVAL);
	CHECK(!answer(10, NULL, 0) && guest_got(&writer, 10));
	CHECK(guest_begin(&getter) && next(SUPERDEV_REMOTE_IOCTL));
	CHECK(tell_with(0, 0, 0) == EINVAL && tell_with(0, 35, 35) == EINVAL &&
	      tell_with(0, 37, 37) == EINVAL);
	CHECK(tell_with(1l << 31, 36, 36) == EINVAL);
	CHECK(!answer(0, &termios, sizeof(termios)) && guest_got(&getter, 0));
	CHECK(guest_begin(&poller) && next(SUPERDEV_REMOTE_POLL));
	CHECK(tell_with(0, 0, 0) == EINVAL); /* without a readiness */
	CHECK(answer_ready(1, 1, POLLIN) == EINVAL);
	CHECK(!answer_ready(0, 1, POLLIN) && guest_got(&poller, POLLIN));
	close(writer.fd);
	end();
}

TEST("an answer before the question was read is refused")
{
	struct guest guest = { .act = do_read, .data = buffer, .size = sizeof(buffer) };
	uint64_t id;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ) && !answer_text("x"));
	id = asked.id + 1;
	CHECK(guest_got(&guest, 1) && guest_begin(&guest) && is_asked(PATIENCE_MS));
	CHECK(answer_id(id, 0, NULL, 0) == ENOENT);
	CHECK(next(SUPERDEV_REMOTE_READ) && asked.id == id && !answer_text("x") && guest_got(&guest, 1));
	close(guest.fd);
	end();
}

TEST("a reply whose data can not be read is not a reply")
{
	struct guest guest = { .act = do_read, .data = buffer, .size = sizeof(buffer) };
	struct superdev_remote_reply reply;
	struct iovec iov[2] = { { &reply, sizeof(reply) }, { (void *)4096, 50 } };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	reply = reply_of(50, 50);
	CHECK(writev(channel, iov, 2) == -1 && errno == EFAULT);
	CHECK(writev(channel, iov + 1, 1) == -1 && errno == EFAULT);
	CHECK(!answer_text("true") && guest_got(&guest, 4) && !memcmp(buffer, "true", 4));
	close(guest.fd);
	end();
}

#define MANY 100

TEST("a hundred requests of as many threads are answered in any order, each with its own")
{
	static struct guest guests[MANY];
	static uint64_t ids[MANY], offsets[MANY];
	static char data[MANY][16];
	int fd;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	for (int i = 0; i < MANY; i++) {
		guests[i] = (struct guest){
			.act = do_pread, .fd = fd, .data = data[i], .size = 16, .argument = i
		};
		CHECK(guest_begin(&guests[i]));
	}
	for (int i = 0; i < MANY; i++) {
		CHECK(next(SUPERDEV_REMOTE_READ));
		ids[i] = asked.id;
		offsets[i] = (uint64_t)asked.offset;
	}
	for (int i = 0; i < MANY; i++) {
		int turn = (i * 37) % MANY;
		char text[16] = { 0 };

		snprintf(text, sizeof(text), "at %llu", (unsigned long long)offsets[turn]);
		CHECK(!answer_id(ids[turn], 15, text, 15));
	}
	for (int i = 0; i < MANY; i++) {
		char text[16];

		snprintf(text, sizeof(text), "at %d", i);
		CHECK(guest_got(&guests[i], 15) && !strcmp(data[i], text));
	}
	close(fd);
	end();
}

TEST("what would be too much waits until there is room, and may be interrupted")
{
	enum { CHUNK = 64 << 10, ROOM = (16 << 20) / CHUNK, GUESTS = ROOM + 3 };
	static struct guest guests[GUESTS];
	static char sink[CHUNK];
	static uint64_t ids[ROOM];
	int fd, interrupted = 0;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_PIPE, O_RDWR);
	for (int i = 0; i < GUESTS; i++) {
		guests[i] = (struct guest){ .act = do_read, .fd = fd, .data = sink, .size = sizeof(sink) };
		CHECK(guest_begin(&guests[i]));
	}
	for (int i = 0; i < ROOM; i++) {
		CHECK(next(SUPERDEV_REMOTE_READ));
		ids[i] = asked.id;
	}
	CHECK(is_quiet());
	CHECK(!answer_id(ids[0], 0, NULL, 0));
	CHECK(next(SUPERDEV_REMOTE_READ) && is_quiet());
	ids[0] = asked.id;
	/* Who waits for room has asked nobody. */
	for (int i = 0; i < GUESTS; i++)
		guest_signal(&guests[i]);
	while (is_asked(500)) {
		CHECK(next(SUPERDEV_REMOTE_INTERRUPT));
		interrupted++;
	}
	CHECK(interrupted == ROOM);
	for (int i = 0; i < ROOM; i++)
		CHECK(!answer_id(ids[i], -EINTR, NULL, 0));
	for (int i = 0; i < GUESTS; i++)
		CHECK(guest_end(&guests[i]));
	CHECK(is_quiet());
	close(fd);
	end();
}

TEST("a channel has so many files and no more, and dies with all their releases unread")
{
	struct rlimit limit = { SUPERDEV_REMOTE_FILES_MAX + 100, SUPERDEV_REMOTE_FILES_MAX + 100 };
	int first, fd = -1;

	begin();
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	first = new_file(1, SUPERDEV_REMOTE_PIPE, O_RDONLY);
	for (uint64_t cookie = 2; cookie <= SUPERDEV_REMOTE_FILES_MAX; cookie++) {
		fd = new_file(cookie, SUPERDEV_REMOTE_PIPE, O_RDONLY);
		CHECK(fd >= 0);
	}
	CHECK(new_fails(new_of(UINT32_MAX, SUPERDEV_REMOTE_PIPE, O_RDONLY)) == ENOSPC);
	close(fd);
	fd = new_file(UINT32_MAX, SUPERDEV_REMOTE_PIPE, O_RDONLY);
	CHECK(fd >= 0);
	/* All but the channel, which was open before. */
	CHECK(channel < first && !close_range((unsigned int)first, ~0u, 0));
	CHECK(next(SUPERDEV_REMOTE_RELEASE) && is_asked(0));
	end();
}

static long do_stat(struct guest *guest)
{
	return fstat(guest->fd, guest->data);
}

static long do_flock(struct guest *guest)
{
	return flock(guest->fd, LOCK_EX);
}

static long do_open(struct guest *guest)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", guest->fd);
	return open(path, O_RDONLY);
}

static long do_lseek(struct guest *guest)
{
	return lseek(guest->fd, 0, SEEK_SET);
}

static int users(void)
{
	FILE *file = fopen("/sys/module/superdev_cpu/refcnt", "r");
	int count = -1;

	if (!file || fscanf(file, "%d", &count) != 1)
		count = -1;
	if (file)
		fclose(file);
	return count;
}

TEST("when the channel dies every operation fails with EIO, those under way and those to come")
{
	struct stat st;
	struct winsize winsize;
	struct guest guests[] = {
		{ .act = do_read, .data = buffer, .size = 10 },
		{ .act = do_write, .data = buffer, .size = 10 },
		{ .act = do_stat, .data = &st },
		{ .act = do_flock },
		{ .act = do_open },
		{ .act = do_lseek },
		{ .act = do_read, .data = buffer, .size = 10 },
		{ .act = do_write, .data = buffer, .size = 10 },
		{ .act = do_ioctl, .data = &winsize, .argument = TIOCGWINSZ },
	};
	enum { GUESTS = sizeof(guests) / sizeof(guests[0]) };
	int file, tty;

	/* Once they are read by the worker, once they are not, once they come later. */
	for (int how = 0; how < 3; how++) {
		begin();
		file = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
		tty = new_file(2, SUPERDEV_REMOTE_TTY, O_RDWR);
		if (how == 2)
			end();
		for (int i = 0; i < GUESTS; i++) {
			guests[i].fd = i < 6 ? file : tty;
			CHECK(guest_begin(&guests[i]));
		}
		for (int i = 0; i < GUESTS && !how; i++) {
			CHECK(is_asked(PATIENCE_MS));
			next(0);
		}
		if (how == 1)
			usleep(300000);
		if (how < 2)
			end();
		for (int i = 0; i < GUESTS; i++)
			CHECK(guest_failed(&guests[i], EIO));
		CHECK(users() > 0);
		close(file);
		close(tty);
	}
}

/* A guest that goes on whatever happens, until the channel is dead. */
static long do_anything(struct guest *guest)
{
	static char data[10000];
	struct stat st;

	for (int i = 0;; i++) {
		long result;

		errno = 0;
		switch (i % 5) {
		case 0: result = read(guest->fd, data, sizeof(data)); break;
		case 1: result = pwrite(guest->fd, data, sizeof(data), i); break;
		case 2: result = fstat(guest->fd, &st); break;
		case 3: result = lseek(guest->fd, i, SEEK_CUR); break;
		default: result = flock(guest->fd, LOCK_SH); break;
		}
		if (result < 0 && errno == EBADFD)
			return i;
	}
}

TEST("a worker that writes at random harms nobody")
{
	struct guest guests[4];
	uint64_t first = 0;
	int fd, taken = 0, nr_ended = 0;

	begin();
	srand(1);
	fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	for (int i = 0; i < 4; i++) {
		guests[i] = (struct guest){ .act = do_anything, .fd = fd };
		CHECK(guest_begin(&guests[i]));
	}
	for (int i = 0; i < 5000; i++) {
		struct superdev_remote_reply reply = {
			.id = asked.id - (uint64_t)(rand() % 6),
			.type = (uint32_t)(rand() % 20 ? SUPERDEV_REMOTE_REPLY : rand() % 4),
		};
		uint32_t length = rand() % 3 ? 0 : (uint32_t)rand() % 200;

		if (is_asked(rand() % 2))
			next(0);
		if (!first)
			first = asked.id;
		switch (rand() % 6) {
		case 0: reply.result = rand() - RAND_MAX / 2; break;
		case 1: reply.result = -(rand() % 140); break;
		case 2:
			reply.result = asked.length;
			length = asked.length;
			break;
		case 3: reply.result = (int64_t)((uint64_t)rand() << 33); break;
		default: reply.result = length; break;
		}
		reply.length = rand() % 10 ? length : (uint32_t)rand();
		if (!(rand() % 4)) {
			reply.sequence = (uint64_t)rand();
			reply.ready = (uint32_t)rand() & (rand() % 2 ? 0x3fff : UINT32_MAX);
			reply.cookie = reply.type == SUPERDEV_REMOTE_READY;
		}
		taken += !tell(&reply, asked_data, length);
	}
	CHECK(taken > 100);
	/* The truth ends them, a number that no random reply had: what they asked, and ask yet. */
	for (uint64_t id = first; id <= asked.id; id++)
		answer_id(id, -EBADFD, NULL, 0);
	for (int i = 0, idle_ms = 0; i < 4 && idle_ms < PATIENCE_S * 1000;) {
		if (!pthread_tryjoin_np(guests[i].thread, NULL)) {
			i++;
		} else if (is_asked(100)) {
			next(0);
			answer(-EBADFD, NULL, 0);
			idle_ms = 0;
		} else {
			idle_ms += 100;
		}
		nr_ended = i;
	}
	CHECK(nr_ended == 4);
	close(fd);
	end();
}

int main(void)
{
	return test_main("remote-hostile");
}
