// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remote-locks.c: locks of remote files are home's, and end when those of the
 * original would.
 */
#include <sys/file.h>
#include <sys/wait.h>

#include "remote-script.h"

static struct superdev_remote_lock *lock = (void *)asked_data;

/* fcntl() @argument with a lock of type @size at 100 to 109; the rest is in @data. */
static long do_fcntl(struct guest *guest)
{
	struct flock *flock = guest->data;

	*flock = (struct flock){ .l_type = (short)guest->size, .l_start = 100, .l_len = 10 };
	return fcntl(guest->fd, (int)guest->argument, flock);
}

static bool asks_lock(int command, uint32_t type)
{
	return next(SUPERDEV_REMOTE_LOCK) && (int)asked.command == command && lock->type == type &&
	       asked.data_length == sizeof(*lock);
}

TEST("fcntl() locks are asked of home with range, type and owner")
{
	struct flock flock;
	struct guest guest = { .act = do_fcntl, .data = &flock, .size = F_WRLCK, .argument = F_SETLK };
	uint64_t owner;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	CHECK(guest_begin(&guest) && asks_lock(F_SETLK, F_WRLCK));
	CHECK(lock->start == 100 && lock->end == 109 && lock->pid == (uint32_t)getpid());
	owner = lock->owner;
	CHECK(owner && !answer(-EAGAIN, NULL, 0) && guest_failed(&guest, EAGAIN));
	guest.argument = F_OFD_SETLK;
	CHECK(guest_begin(&guest) && asks_lock(F_SETLK, F_WRLCK));
	CHECK(lock->owner && lock->owner != owner && !answer(-EAGAIN, NULL, 0) &&
	      guest_failed(&guest, EAGAIN));
	/* One that was not granted need not be given back. */
	close(guest.fd);
	CHECK(next(SUPERDEV_REMOTE_RELEASE));
	end();
}

TEST("F_GETLK shows the lock that home names, or none")
{
	struct flock flock;
	struct guest guest = { .act = do_fcntl, .data = &flock, .size = F_WRLCK, .argument = F_GETLK };
	struct superdev_remote_lock other = { .type = F_RDLCK, .start = 105, .end = INT64_MAX, .pid = 77 };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	CHECK(guest_begin(&guest) && asks_lock(F_GETLK, F_WRLCK) && asked.length == sizeof(other));
	CHECK(!answer(0, &other, sizeof(other)) && guest_got(&guest, 0));
	CHECK(flock.l_type == F_RDLCK && flock.l_start == 105 && flock.l_len == 0 && flock.l_pid == -77);
	other.type = F_UNLCK;
	CHECK(guest_begin(&guest) && asks_lock(F_GETLK, F_WRLCK));
	CHECK(!answer(0, &other, sizeof(other)) && guest_got(&guest, 0) && flock.l_type == F_UNLCK);
	other.type = 7;
	CHECK(guest_begin(&guest) && asks_lock(F_GETLK, F_WRLCK));
	CHECK(!answer(0, &other, sizeof(other)) && guest_failed(&guest, EIO));
	other.type = F_WRLCK;
	other.start = -1;
	CHECK(guest_begin(&guest) && asks_lock(F_GETLK, F_WRLCK));
	CHECK(!answer(0, &other, sizeof(other)) && guest_failed(&guest, EIO));
	close(guest.fd);
	end();
}

TEST("a wait for a lock is interrupted by a signal")
{
	struct flock flock;
	struct guest guest = { .act = do_fcntl, .data = &flock, .size = F_WRLCK, .argument = F_SETLKW };
	uint64_t id;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	CHECK(guest_begin(&guest) && asks_lock(F_SETLKW, F_WRLCK));
	id = asked.id;
	guest_signal(&guest);
	CHECK(next(SUPERDEV_REMOTE_INTERRUPT) && !answer_id(id, -EINTR, NULL, 0));
	CHECK(guest_failed(&guest, EINTR));
	close(guest.fd);
	end();
}

static long do_close(struct guest *guest)
{
	return close(guest->fd);
}

TEST("closing any descriptor of the file gives a process's locks back")
{
	struct flock flock;
	struct guest guest = { .act = do_fcntl, .data = &flock, .size = F_WRLCK, .argument = F_SETLK };
	struct guest closer = { .act = do_close };
	uint64_t owner;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	closer.fd = dup(guest.fd);
	CHECK(guest_begin(&guest) && asks_lock(F_SETLK, F_WRLCK));
	owner = lock->owner;
	CHECK(!answer(0, NULL, 0) && guest_got(&guest, 0));
	CHECK(guest_begin(&closer) && asks_lock(F_SETLK, F_UNLCK));
	CHECK(lock->owner == owner && lock->start == 0 && lock->end == INT64_MAX);
	CHECK(!answer(0, NULL, 0) && guest_got(&closer, 0));
	close(guest.fd);
	CHECK(next(SUPERDEV_REMOTE_RELEASE));
	end();
}

TEST("when the channel dies locks end with it, and closing the file is no matter")
{
	struct flock flock;
	struct guest guest = { .act = do_fcntl, .data = &flock, .size = F_WRLCK, .argument = F_SETLK };
	struct guest closer = { .act = do_close };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	for (int ofd = 0; ofd < 2; ofd++) {
		guest.argument = ofd ? F_OFD_SETLK : F_SETLK;
		CHECK(guest_begin(&guest) && asks_lock(F_SETLK, F_WRLCK));
		CHECK(!answer(0, NULL, 0) && guest_got(&guest, 0));
	}
	closer.fd = dup(guest.fd);
	CHECK(guest_begin(&closer) && asks_lock(F_SETLK, F_UNLCK));
	end();
	CHECK(guest_got(&closer, 0));
	CHECK(guest_begin(&guest) && guest_failed(&guest, EIO));
	close(guest.fd);
}

TEST("a process that ends with locks does not wait for home to take them back")
{
	struct flock flock;
	struct guest guest = { .act = do_fcntl, .data = &flock, .size = F_WRLCK, .argument = F_SETLK };
	uint64_t owner;
	int status;
	pid_t child;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	child = fork();
	if (!child) {
		close(channel);
		do_fcntl(&guest);
		pause();
		_exit(0);
	}
	CHECK(asks_lock(F_SETLK, F_WRLCK));
	owner = lock->owner;
	CHECK(!answer(0, NULL, 0));
	usleep(100000);
	kill(child, SIGKILL);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	CHECK(asks_lock(F_SETLK, F_UNLCK) && lock->owner == owner);
	CHECK(asked.flags & SUPERDEV_REMOTE_F_DETACHED && !answer(0, NULL, 0));
	CHECK(is_quiet());
	close(guest.fd);
	end();
}

static long do_flock(struct guest *guest)
{
	return flock(guest->fd, (int)guest->argument);
}

TEST("flock() belongs to the file and to nobody, and is home's to end")
{
	struct guest guest = { .act = do_flock, .argument = LOCK_EX | LOCK_NB };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	CHECK(guest_begin(&guest) && asks_lock(F_SETLK, F_WRLCK) && !lock->owner);
	CHECK(!answer(-EAGAIN, NULL, 0) && guest_failed(&guest, EWOULDBLOCK));
	guest.argument = LOCK_SH;
	CHECK(guest_begin(&guest) && asks_lock(F_SETLKW, F_RDLCK) && !answer(0, NULL, 0));
	CHECK(guest_got(&guest, 0));
	guest.argument = LOCK_UN;
	CHECK(guest_begin(&guest) && asks_lock(F_SETLKW, F_UNLCK) && !answer(0, NULL, 0));
	CHECK(guest_got(&guest, 0));
	close(guest.fd);
	CHECK(next(SUPERDEV_REMOTE_RELEASE));
	end();
}

int main(void)
{
	return test_main("remote-locks");
}
