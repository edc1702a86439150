// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remote-ready.c: poll() and epoll of remote files: no event is lost, none is told
 * that is over, and home is asked no more often than that takes.
 */
#include <sys/epoll.h>
#include <sys/select.h>

#include "remote-script.h"

static struct guest poller(int events, int timeout_ms)
{
	return (struct guest){ .act = do_poll, .size = (size_t)events, .argument = timeout_ms };
}

/* What was known at the last answer is not believed any more. */
static void let_it_age(void)
{
	usleep((SUPERDEV_REMOTE_FRESH_MS + 50) * 1000);
}

/* When this machine is slow, what was told is old before it is looked at, and asked for. */
static bool asked_again(uint64_t sequence, uint32_t ready)
{
	return !is_asked(100) || (next(SUPERDEV_REMOTE_POLL) && !answer_ready(0, sequence, ready));
}

TEST("the first poll() asks home and tells what it says")
{
	struct guest guest = poller(POLLIN | POLLOUT, PATIENCE_MS);

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL) && asked.cookie == 1);
	CHECK(!answer_ready(0, 1, POLLOUT) && guest_got(&guest, POLLOUT));
	close(guest.fd);
	end();
}

TEST("what replies say before the first poll() does not spare it")
{
	char c;
	struct guest guest = poller(POLLIN, PATIENCE_MS);
	struct guest writer = { .act = do_write, .data = &c, .size = 1 };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	writer.fd = guest.fd;
	CHECK(guest_begin(&writer) && next(SUPERDEV_REMOTE_WRITE));
	CHECK(!answer_ready(1, 1, POLLOUT) && guest_got(&writer, 1));
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL));
	CHECK(!answer_ready(0, 2, POLLIN) && guest_got(&guest, POLLIN));
	close(guest.fd);
	end();
}

TEST("that nothing is ready is not asked for again, and news end the wait")
{
	struct guest guest = poller(POLLIN, PATIENCE_MS);

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL) && !answer_ready(0, 1, POLLOUT));
	CHECK(is_quiet());
	CHECK(!news(1, 2, POLLIN | POLLOUT) && asked_again(3, POLLIN | POLLOUT));
	CHECK(guest_got(&guest, POLLIN) && is_quiet());
	close(guest.fd);
	end();
}

TEST("what was ready some time ago is asked for before it is told")
{
	struct guest guest = poller(POLLIN, 0);

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL));
	CHECK(!answer_ready(0, 1, POLLIN) && guest_got(&guest, POLLIN));
	let_it_age();
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL));
	CHECK(!answer_ready(0, 2, 0) && guest_got(&guest, 0));
	let_it_age();
	CHECK(guest_begin(&guest) && guest_got(&guest, 0) && is_quiet());
	close(guest.fd);
	end();
}

TEST("a reply tells what is ready after it, and an older observation changes nothing")
{
	char c;
	struct guest guest = poller(POLLIN | POLLOUT, 0);
	struct guest writer = { .act = do_write, .data = &c, .size = 1 };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_PIPE, O_RDWR);
	writer.fd = guest.fd;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL));
	CHECK(!answer_ready(0, 1, POLLOUT) && guest_got(&guest, POLLOUT));
	CHECK(guest_begin(&writer) && next(SUPERDEV_REMOTE_WRITE));
	CHECK(!answer_ready(1, 3, 0) && guest_got(&writer, 1));
	CHECK(!news(1, 2, POLLOUT | POLLIN));
	CHECK(guest_begin(&guest) && guest_got(&guest, 0) && is_quiet());
	close(guest.fd);
	end();
}

TEST("several pollers share one question")
{
	struct guest guests[5];
	int fd;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	for (int i = 0; i < 5; i++) {
		guests[i] = poller(POLLIN, PATIENCE_MS);
		guests[i].fd = fd;
		CHECK(guest_begin(&guests[i]));
	}
	CHECK(next(SUPERDEV_REMOTE_POLL) && is_quiet());
	CHECK(!answer_ready(0, 1, POLLIN));
	/* One that was late may have to ask by itself. */
	while (is_asked(200))
		CHECK(next(SUPERDEV_REMOTE_POLL) && !answer_ready(0, 2, POLLIN));
	for (int i = 0; i < 5; i++)
		CHECK(guest_got(&guests[i], POLLIN));
	close(fd);
	end();
}

TEST("poll() is interrupted while home is asked, and the answer is not lost")
{
	struct guest guest = poller(POLLIN, PATIENCE_MS);

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL));
	guest_signal(&guest);
	CHECK(guest_failed(&guest, EINTR));
	CHECK(guest_begin(&guest) && is_quiet());
	CHECK(!answer_ready(0, 1, POLLIN) && guest_got(&guest, POLLIN));
	close(guest.fd);
	end();
}

TEST("home's refusal to poll is POLLERR")
{
	struct guest guest = poller(POLLIN, PATIENCE_MS);

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL));
	CHECK(!answer(-EBADF, NULL, 0) && guest_got(&guest, POLLERR));
	close(guest.fd);
	end();
}

static long do_select(struct guest *guest)
{
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(guest->fd, &in);
	FD_SET(guest->fd, &out);
	if (select(guest->fd + 1, &in, &out, NULL, NULL) < 0)
		return -1;
	return FD_ISSET(guest->fd, &in) + FD_ISSET(guest->fd, &out) * 2;
}

TEST("select() sees the same")
{
	struct guest guest = { .act = do_select };

	begin();
	guest.fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL) && !answer_ready(0, 1, 0));
	CHECK(is_quiet() && !news(1, 2, POLLIN) && asked_again(3, POLLIN) && guest_got(&guest, 1));
	close(guest.fd);
	end();
}

/* epoll --------------------------------------------------------------------- */

static long do_add(struct guest *guest)
{
	struct epoll_event event = { .events = (uint32_t)guest->argument };

	return epoll_ctl((int)guest->size, EPOLL_CTL_ADD, guest->fd, &event);
}

/* Result: the events, -1 when there are none in so many milliseconds. */
static long do_wait(struct guest *guest)
{
	struct epoll_event event;

	return epoll_wait((int)guest->size, &event, 1, (int)guest->argument) == 1 ? (long)event.events : -1;
}

static int epoll_of(int fd, uint32_t events, uint32_t ready)
{
	struct guest guest = { .act = do_add, .fd = fd, .argument = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	guest.size = (size_t)epoll;
	if (!guest_begin(&guest) || !next(SUPERDEV_REMOTE_POLL) || answer_ready(0, 1, ready) ||
	    !guest_got(&guest, 0))
		return -1;
	return epoll;
}

/* The events of @epoll are these. */
static bool waits(int epoll, int timeout_ms, uint64_t sequence, uint32_t ready, long events)
{
	struct guest guest = { .act = do_wait, .size = (size_t)epoll, .argument = timeout_ms };

	return guest_begin(&guest) && asked_again(sequence, ready) && guest_got(&guest, events);
}

TEST("level-triggered epoll reports as long as home says so")
{
	struct guest guest = { .act = do_wait, .argument = PATIENCE_MS };
	int fd, epoll;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	epoll = epoll_of(fd, EPOLLIN, 0);
	guest.size = (size_t)epoll;
	CHECK(epoll >= 0 && guest_begin(&guest) && is_quiet());
	CHECK(!news(1, 2, POLLIN) && asked_again(2, POLLIN) && guest_got(&guest, EPOLLIN));
	for (uint64_t sequence = 3; sequence < 6; sequence++) {
		let_it_age();
		CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL));
		CHECK(!answer_ready(0, sequence, POLLIN) && guest_got(&guest, EPOLLIN));
	}
	let_it_age();
	guest.argument = 1000;
	CHECK(guest_begin(&guest) && next(SUPERDEV_REMOTE_POLL));
	CHECK(!answer_ready(0, 6, 0) && guest_got(&guest, -1));
	close(epoll);
	close(fd);
	end();
}

TEST("edge-triggered epoll has an event for each of the news, and for nothing else")
{
	int fd, epoll;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	epoll = epoll_of(fd, EPOLLIN | EPOLLET, POLLIN);
	CHECK(epoll >= 0 && waits(epoll, PATIENCE_MS, 2, POLLIN, EPOLLIN));
	CHECK(waits(epoll, 0, 3, POLLIN, -1));
	for (uint64_t sequence = 4; sequence < 13; sequence += 3) {
		CHECK(!news(1, sequence, POLLIN));
		CHECK(waits(epoll, PATIENCE_MS, sequence + 1, POLLIN, EPOLLIN));
		CHECK(waits(epoll, 0, sequence + 2, POLLIN, -1));
	}
	close(epoll);
	close(fd);
	end();
}

TEST("news that arrive after a younger reply are an event all the same")
{
	char c;
	struct guest writer = { .act = do_write, .data = &c, .size = 1 };
	int fd, epoll;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	epoll = epoll_of(fd, EPOLLIN | EPOLLET, POLLIN);
	writer.fd = fd;
	CHECK(epoll >= 0 && waits(epoll, PATIENCE_MS, 2, POLLIN, EPOLLIN));
	CHECK(guest_begin(&writer) && next(SUPERDEV_REMOTE_WRITE));
	CHECK(!answer_ready(1, 9, POLLIN) && guest_got(&writer, 1));
	CHECK(waits(epoll, 0, 10, POLLIN, -1));
	CHECK(!news(1, 8, POLLIN));
	CHECK(waits(epoll, PATIENCE_MS, 11, POLLIN, EPOLLIN));
	close(epoll);
	close(fd);
	end();
}

TEST("a file is always ready, and nothing for epoll")
{
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd pollfd = { .events = POLLIN | POLLOUT };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	begin();
	pollfd.fd = new_file(1, SUPERDEV_REMOTE_FILE, O_RDWR);
	CHECK(poll(&pollfd, 1, 0) == 1 && pollfd.revents == (POLLIN | POLLOUT));
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, pollfd.fd, &event) == -1 && errno == EPERM && is_quiet());
	close(epoll);
	close(pollfd.fd);
	end();
}

TEST("when the channel dies, who polls hears of it")
{
	struct guest guest = poller(POLLIN, PATIENCE_MS), asker = poller(POLLIN, PATIENCE_MS);
	struct guest waiter = { .act = do_wait, .argument = PATIENCE_MS };
	int fd, other, epoll;

	begin();
	fd = new_file(1, SUPERDEV_REMOTE_TTY, O_RDWR);
	other = new_file(2, SUPERDEV_REMOTE_TTY, O_RDWR);
	epoll = epoll_of(fd, EPOLLIN | EPOLLET, 0);
	guest.fd = fd;
	asker.fd = other;
	waiter.size = (size_t)epoll;
	CHECK(epoll >= 0 && guest_begin(&guest) && guest_begin(&waiter) && guest_begin(&asker));
	CHECK(next(SUPERDEV_REMOTE_POLL) && is_quiet());
	end();
	CHECK(guest_got(&guest, POLLHUP | POLLERR));
	CHECK(guest_got(&asker, POLLHUP | POLLERR));
	CHECK(guest_got(&waiter, EPOLLHUP | EPOLLERR));
	CHECK(guest_begin(&guest) && guest_got(&guest, POLLHUP | POLLERR));
	close(epoll);
	close(fd);
	close(other);
}

int main(void)
{
	return test_main("remote-ready");
}
