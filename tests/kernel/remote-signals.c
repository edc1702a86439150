// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remote-signals.c: guests that get a signal while home is asked.  Nothing that home
 * has done is lost, and who is killed waits for nobody.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include "remote-script.h"

static char buffer[100];

TEST("a signal takes back a request that nobody has read")
{
	struct guest guest = { .act = do_read, .data = buffer, .size = sizeof(buffer) };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && is_asked(PATIENCE_MS));
	guest_signal(&guest);
	CHECK(guest_failed(&guest, EINTR) && is_quiet());
	close(guest.fd);
	end();
}

TEST("what home had read when the signal came is what the guest gets")
{
	struct guest guest = { .act = do_read, .data = buffer, .size = sizeof(buffer) };
	uint64_t id;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	id = asked.id;
	guest_signal(&guest);
	CHECK(next(SUPERDEV_REMOTE_INTERRUPT) && asked.id == id && asked.cookie == 1);
	guest_signal(&guest);
	CHECK(is_quiet());
	CHECK(!answer_id(id, 4, "data", 4) && guest_got(&guest, 4) && !memcmp(buffer, "data", 4));
	close(guest.fd);
	end();
}

TEST("a write that home took in part says so after a signal")
{
	struct guest guest = { .act = do_write, .data = buffer, .size = sizeof(buffer) };
	uint64_t id;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_PIPE, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_WRITE));
	id = asked.id;
	guest_signal(&guest);
	CHECK(next(SUPERDEV_REMOTE_INTERRUPT));
	CHECK(!answer_id(id, 60, NULL, 0) && guest_got(&guest, 60));
	close(guest.fd);
	end();
}

TEST("home's EINTR ends the call, or begins it anew with SA_RESTART")
{
	struct guest guest = { .act = do_read, .data = buffer, .size = sizeof(buffer) };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	uint64_t id;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	id = asked.id;
	guest_signal(&guest);
	CHECK(next(SUPERDEV_REMOTE_INTERRUPT) && !answer_id(id, -EINTR, NULL, 0));
	CHECK(guest_failed(&guest, EINTR));
	sigaction(SIGUSR1, &action, NULL);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	id = asked.id;
	guest_signal(&guest);
	CHECK(next(SUPERDEV_REMOTE_INTERRUPT) && !answer_id(id, -EINTR, NULL, 0));
	CHECK(next(SUPERDEV_REMOTE_READ) && asked.id != id && !answer_text("x") && guest_got(&guest, 1));
	close(guest.fd);
	end();
}

TEST("home's EINTR without a signal is passed on as it is")
{
	struct guest guest = { .act = do_read, .data = buffer, .size = sizeof(buffer) };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	CHECK(!answer(-EINTR, NULL, 0) && guest_failed(&guest, EINTR));
	close(guest.fd);
	end();
}

TEST("an INTERRUPT that was not read in time does not come")
{
	struct guest guest = { .act = do_read, .data = buffer, .size = sizeof(buffer) };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_READ));
	guest_signal(&guest);
	CHECK(is_asked(PATIENCE_MS));
	CHECK(!answer_text("x") && guest_got(&guest, 1) && is_quiet());
	close(guest.fd);
	end();
}

static long do_fsync(struct guest *guest)
{
	return fsync(guest->fd);
}

TEST("what is not interrupted locally is not interrupted: files, and most ioctls")
{
	struct winsize winsize = { 0 };
	struct guest guests[] = {
		{ .act = do_fsync },
		{ .act = do_read, .data = buffer, .size = sizeof(buffer) },
		{ .act = do_ioctl, .data = &winsize, .argument = TIOCGWINSZ },
	};
	uint32_t ops[] = { SUPERDEV_REMOTE_SYNC, SUPERDEV_REMOTE_READ, SUPERDEV_REMOTE_IOCTL };

	begin();
	guests[0].fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	guests[1].fd = guests[0].fd;
	guests[2].fd = new_file(2, SUPERDEV_REMOTE_TTY, O_RDWR);
	for (int i = 0; i < 3; i++) {
		CHECK(guest_begin(&guests[i]) && next(ops[i]));
		guest_signal(&guests[i]);
		CHECK(is_quiet());
		CHECK(!answer(0, &winsize, i == 2 ? sizeof(winsize) : 0) && guest_got(&guests[i], 0));
	}
	close(guests[0].fd);
	close(guests[2].fd);
	end();
}

/* A process that reads from @fd, or syncs it. */
static pid_t child_of(int fd, bool is_sync)
{
	pid_t child = fork();

	if (!child) {
		close(channel);
		if (is_sync)
			_exit(fsync(fd) < 0);
		_exit(read(fd, buffer, sizeof(buffer)) < 0);
	}
	return child;
}

static bool is_killed(pid_t child)
{
	int status;

	kill(child, SIGKILL);
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST("a guest that is killed ends at once, and the worker hears that the data reached nobody")
{
	pid_t child;
	uint64_t id;
	int fd;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	for (int is_sync = 0; is_sync < 2; is_sync++) {
		child = child_of(fd, is_sync);
		CHECK(next(is_sync ? SUPERDEV_REMOTE_SYNC : SUPERDEV_REMOTE_READ));
		CHECK(asked.pid == (uint32_t)child);
		id = asked.id;
		CHECK(is_killed(child));
		CHECK(next(SUPERDEV_REMOTE_INTERRUPT) && asked.id == id);
		CHECK(answer_id(id, is_sync ? 0 : 4, "data", is_sync ? 0 : 4) == ECANCELED);
		CHECK(answer_id(id, 0, NULL, 0) == ENOENT);
	}
	close(fd);
	end();
}

TEST("a guest that is killed before its request is read leaves nothing")
{
	pid_t child;
	int fd;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	child = child_of(fd, false);
	CHECK(is_asked(PATIENCE_MS) && is_killed(child) && is_quiet());
	close(fd);
	end();
}

TEST("a guest that is stopped while it reads reads on when it is continued")
{
	int status, fd;
	pid_t child;
	uint64_t id;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	child = child_of(fd, false);
	CHECK(next(SUPERDEV_REMOTE_READ));
	id = asked.id;
	kill(child, SIGSTOP);
	CHECK(next(SUPERDEV_REMOTE_INTERRUPT) && asked.id == id && !answer_id(id, -EINTR, NULL, 0));
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	CHECK(is_quiet());
	kill(child, SIGCONT);
	CHECK(next(SUPERDEV_REMOTE_READ) && !answer_text("x"));
	CHECK(waitpid(child, &status, 0) == child && !status);
	close(fd);
	end();
}

static long do_open(struct guest *guest)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", guest->fd);
	return open(path, O_RDONLY);
}

TEST("who is killed while a file is opened once more leaves no file")
{
	struct guest guest = { .act = do_open };
	pid_t child;

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_PIPE, O_RDONLY);
	child = fork();
	if (!child) {
		close(channel);
		_exit(do_open(&guest) < 0);
	}
	CHECK(next(SUPERDEV_REMOTE_OPEN) && is_killed(child));
	CHECK(answer(0, NULL, 0) == ECANCELED);
	CHECK(is_quiet());
	close(guest.fd);
	end();
}

int main(void)
{
	return test_main("remote-signals");
}
