// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * deputy_remote.c: what the program does to home's files, which are remote files for it.
 *
 * Each operation comes by itself and is done on the descriptor that the program
 * would have had, so that what it does not ask for stays where it is.  Nothing
 * waits here: what can't be done yet is kept, and tried again when the file
 * says that something has changed.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "deputy.h"
#include "superdev_cpu.h"

#define MAX_FILES     1024
#define MAX_OWNERS    256
/* All that a lender's kernel has under way, in buffers, and one more. */
#define MAX_BYTES     (17u << 20)
/* How often a lock is tried that another holds: the kernel tells nobody when it could be had. */
#define LOCK_MS       20
#define RWF_NO_APPEND 0x20 /* RWF_NOAPPEND, of Linux 6.9 */
#define EVENTS        (POLLIN | POLLPRI | POLLOUT | POLLRDHUP)

/* fcntl() locks of one owner at the lender: an open file of its own, as home's kernel tells them apart. */
struct owner {
	struct owner *next;
	uint64_t number;
	int fd;
};

/**
 * struct file - a file that the program has open
 * @fd:		the program's, or for a stream one of our own that does not wait
 * @is_own:	@fd is ours to close
 * @is_stream:	a pipe: no position, and it may have to be waited for
 * @stream:	whose descriptors are closed with it; -1: none
 * @sequence:	of the last look
 * @is_watched:	news are wanted
 * @is_polled:	it is in the set
 * @is_due:	something has changed: what waits is tried again
 */
struct file {
	uint64_t cookie;
	int fd, stream;
	bool is_own, is_stream, is_watched, is_polled, is_due, has_news;
	uint64_t sequence;
	struct owner *owners;
};

struct pending {
	struct pending *next;
	struct superdev_remote_request ask;
	uint8_t data[];
};

static struct {
	struct sdv_pump *pump;
	struct file files[MAX_FILES];
	unsigned int nr_files, nr_pending, nr_owners; /* of files: those that were ever used */
	size_t pending_bytes;
	struct pending *pending, **last;
	int epoll;
	bool is_any_due, has_lock;
} remote = { .epoll = -1 };

static uint8_t buffer[SUPERDEV_TASK_MAX_REMOTE] __attribute__((aligned(8)));

static struct file *file_find(uint64_t cookie)
{
	for (unsigned int i = 0; i < remote.nr_files; i++)
		if (cookie && remote.files[i].cookie == cookie)
			return &remote.files[i];
	return NULL;
}

static struct file *file_add(uint64_t cookie, int fd)
{
	struct file *file = remote.files;

	while (file < remote.files + remote.nr_files && file->cookie)
		file++;
	if (file == remote.files + MAX_FILES)
		return NULL;
	if (file == remote.files + remote.nr_files)
		remote.nr_files++;
	*file = (struct file){ .cookie = cookie, .fd = fd, .stream = -1 };
	return file;
}

int sdv_deputy_remote_add(struct sdv_pump *pump, unsigned int stream, int fd, int kind)
{
	int flags = fcntl(fd, F_GETFL), again;
	struct file *file;

	if (remote.epoll < 0) {
		remote.pump = pump;
		remote.last = &remote.pending;
		remote.epoll = epoll_create1(EPOLL_CLOEXEC);
		if (remote.epoll < 0)
			return -errno;
		pump->extra[pump->nr_extra++] = (struct pollfd){ .fd = remote.epoll, .events = POLLIN };
	}
	file = file_add(stream + 1ull, fd);
	if (!file)
		return -ENFILE;
	file->stream = (int)stream;
	file->is_stream = kind == SUPERDEV_TASK_PIPE;
	if (!file->is_stream)
		return 0;
	/* The flags of the program's own are shared with others, who may want to wait. */
	again = sdv_deputy_open_again(fd, (flags & O_ACCMODE) | O_NONBLOCK);
	if (again >= 0) {
		file->fd = again;
		file->is_own = true;
	}
	return 0;
}

/* Answers -------------------------------------------------------------------- */

/* What holds now, and which look that was. */
static void look(struct file *file, struct superdev_remote_reply *reply)
{
	struct pollfd poller = { .fd = file->fd, .events = EVENTS };

	if (poll(&poller, 1, 0) < 0)
		return;
	reply->ready = (uint32_t)poller.revents & ~(uint32_t)POLLNVAL & 0x3fff;
	reply->sequence = ++file->sequence;
}

static void put(uint32_t op, const struct superdev_remote_reply *reply, const void *data)
{
	static uint8_t payload[SDV_TASK_MAX_PAYLOAD];
	uint32_t len = sdv_task_answer_put(op, reply, data, payload);

	/* There is room: whoever calls has looked. */
	sdv_pump_put(remote.pump, SUPERDEV_TASK_ANSWER, 0, 0, 0, payload, len);
}

static void answer(const struct superdev_remote_request *ask, int64_t result, const void *data, size_t len)
{
	struct superdev_remote_reply reply = {
		.id = ask->id,
		.type = SUPERDEV_REMOTE_REPLY,
		.result = result,
		.length = result < 0 ? 0 : (uint32_t)len,
	};
	struct file *file = file_find(ask->cookie);

	if (file)
		look(file, &reply);
	if (ask->op == SUPERDEV_REMOTE_OPEN && result >= 0)
		reply.cookie = ask->argument;
	put(ask->op, &reply, data);
}

static int64_t outcome(int64_t result)
{
	return result < 0 ? -errno : result;
}

/* Reading and writing ---------------------------------------------------------- */

/* Of a pipe that could not be opened again: without waiting all the same. */
static ssize_t shared_rw(const struct file *file, void *data, size_t len, bool is_write)
{
	struct iovec iov = { data, len };
	ssize_t n = is_write ? pwritev2(file->fd, &iov, 1, -1, RWF_NOWAIT)
			     : preadv2(file->fd, &iov, 1, -1, RWF_NOWAIT);

	if (n >= 0 || errno != EOPNOTSUPP)
		return n;
	if (!sdv_deputy_can_now(file->fd, is_write ? POLLOUT : POLLIN)) {
		errno = EAGAIN;
		return -1;
	}
	return is_write ? write(file->fd, data, len < SDV_DEPUTY_SHARED_WRITE ? len : SDV_DEPUTY_SHARED_WRITE)
			: read(file->fd, data, len);
}

static ssize_t file_read(const struct file *file, const struct superdev_remote_request *ask)
{
	if (ask->flags & SUPERDEV_REMOTE_F_OFFSET)
		return pread(file->fd, buffer, ask->length, ask->offset);
	if (file->is_stream && !file->is_own)
		return shared_rw(file, buffer, ask->length, false);
	return read(file->fd, buffer, ask->length);
}

static ssize_t file_write(const struct file *file, const struct superdev_remote_request *ask, uint8_t *data)
{
	struct iovec iov = { data, ask->data_length };
	bool is_at_end = !file->is_stream && fcntl(file->fd, F_GETFL) & O_APPEND;
	int flags = ask->flags & SUPERDEV_REMOTE_F_SYNC ? RWF_SYNC : 0;

	if (file->is_stream)
		return file->is_own ? write(file->fd, data, iov.iov_len)
				    : shared_rw(file, data, iov.iov_len, true);
	/* The program may have set this for itself. */
	if (ask->flags & SUPERDEV_REMOTE_F_APPEND)
		flags |= RWF_APPEND;
	else if (is_at_end)
		flags |= RWF_NO_APPEND;
	return pwritev2(file->fd, &iov, 1, ask->flags & SUPERDEV_REMOTE_F_OFFSET ? ask->offset : -1, flags);
}

/* Locks ------------------------------------------------------------------------ */

static struct owner *owner_find(struct file *file, uint64_t number, bool may_add)
{
	struct owner *owner = file->owners;

	while (owner && owner->number != number)
		owner = owner->next;
	if (owner || !may_add)
		return owner;
	owner = remote.nr_owners < MAX_OWNERS ? calloc(1, sizeof(*owner)) : NULL;
	if (!owner) {
		errno = ENOLCK;
		return NULL;
	}
	owner->number = number;
	owner->fd = sdv_deputy_open_again(file->fd, fcntl(file->fd, F_GETFL) & O_ACCMODE);
	if (owner->fd < 0) {
		free(owner);
		return NULL;
	}
	owner->next = file->owners;
	file->owners = owner;
	remote.nr_owners++;
	return owner;
}

static void owner_drop(struct file *file, const struct owner *gone)
{
	struct owner **link = &file->owners, *owner;

	while ((owner = *link)) {
		if (gone && owner != gone) {
			link = &owner->next;
			continue;
		}
		*link = owner->next;
		close(owner->fd);
		free(owner);
		remote.nr_owners--;
	}
}

static int64_t range_lock(struct file *file, const struct superdev_remote_request *ask,
			  struct superdev_remote_lock *lock)
{
	bool is_unlock = lock->type == F_UNLCK && ask->command != F_GETLK;
	struct owner *owner = owner_find(file, lock->owner, !is_unlock);
	struct flock range = {
		.l_type = (short)lock->type,
		.l_start = lock->start,
		.l_len = lock->end == INT64_MAX ? 0 : lock->end - lock->start + 1,
	};
	int64_t result;

	if (!owner)
		return is_unlock ? 0 : -errno;
	result = outcome(fcntl(owner->fd, ask->command == F_GETLK ? F_OFD_GETLK : F_OFD_SETLK, &range));
	if (ask->command != F_GETLK) {
		if (is_unlock && !lock->start && lock->end == INT64_MAX)
			owner_drop(file, owner);
		return result;
	}
	*lock = (struct superdev_remote_lock){
		.start = range.l_start,
		.end = range.l_len ? range.l_start + range.l_len - 1 : INT64_MAX,
		.type = (uint32_t)range.l_type,
		.pid = range.l_pid > 0 ? (uint32_t)range.l_pid : 0,
	};
	return result;
}

static int64_t do_lock(struct file *file, const struct superdev_remote_request *ask,
		       struct superdev_remote_lock *lock)
{
	int64_t result;

	if (lock->owner)
		result = range_lock(file, ask, lock);
	else
		result = outcome(flock(file->fd, LOCK_NB | (lock->type == F_UNLCK   ? LOCK_UN
							    : lock->type == F_RDLCK ? LOCK_SH
										    : LOCK_EX)));
	return result == -EACCES ? -EAGAIN : result;
}

/* The others ------------------------------------------------------------------- */

static void attr_fill(const struct stat *st, struct superdev_remote_attr *ret_attr)
{
	*ret_attr = (struct superdev_remote_attr){
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = st->st_atim.tv_sec,
		.mtime = st->st_mtim.tv_sec,
		.ctime = st->st_ctim.tv_sec,
		.atime_ns = (uint32_t)st->st_atim.tv_nsec,
		.mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
		.ctime_ns = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode & 07777,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.blksize = (uint32_t)st->st_blksize,
	};
}

/* Events come from now on, beginning with what is the case. */
static void file_watch(struct file *file)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.u64 = file->cookie,
	};

	/* A regular file is always ready, and not to be watched. */
	if (!file->is_polled)
		file->is_polled = !epoll_ctl(remote.epoll, EPOLL_CTL_ADD, file->fd, &event);
}

static int64_t do_open(const struct file *file, const struct superdev_remote_request *ask)
{
	/* A FIFO would be waited for; what is there already has both ends, or one that is gone. */
	int fd = sdv_deputy_open_again(file->fd, (int)ask->command | (file->is_stream ? O_NONBLOCK : 0));
	struct file *opened;

	if (fd < 0)
		return -errno;
	opened = file_find(ask->argument) ? NULL : file_add(ask->argument, fd);
	if (!opened) {
		close(fd);
		return -ENFILE;
	}
	opened->is_own = true;
	opened->is_stream = file->is_stream;
	return 0;
}

static void do_release(uint64_t cookie)
{
	struct file *file = file_find(cookie);

	if (!file)
		return;
	owner_drop(file, NULL);
	if (file->is_own)
		close(file->fd);
	else if (file->is_polled)
		epoll_ctl(remote.epoll, EPOLL_CTL_DEL, file->fd, NULL);
	/* Who reads what the program wrote sees its end. */
	if (file->stream >= 0)
		sdv_deputy_stream_close((unsigned int)file->stream);
	*file = (struct file){ .cookie = 0 };
}

/* What does not wait, on a file that is there. */
static void do_now(struct file *file, const struct superdev_remote_request *ask)
{
	struct superdev_remote_attr attr = { .size = 0 };
	struct stat st;
	int64_t result = 0;
	int bytes = 0;

	switch (ask->op) {
	case SUPERDEV_REMOTE_POLL:
		file->is_watched = true;
		file_watch(file);
		answer(ask, 0, NULL, 0);
		return;
	case SUPERDEV_REMOTE_IOCTL:
		result = outcome(ioctl(file->fd, FIONREAD, &bytes));
		answer(ask, result, &bytes, ask->length);
		return;
	case SUPERDEV_REMOTE_GETATTR:
		result = outcome(fstat(file->fd, &st));
		if (!result)
			attr_fill(&st, &attr);
		answer(ask, result, &attr, ask->length);
		return;
	case SUPERDEV_REMOTE_SEEK: result = outcome(lseek(file->fd, ask->offset, (int)ask->command)); break;
	case SUPERDEV_REMOTE_SYNC:
		result = outcome(ask->command ? fdatasync(file->fd) : fsync(file->fd));
		break;
	case SUPERDEV_REMOTE_TRUNCATE: result = outcome(ftruncate(file->fd, ask->offset)); break;
	case SUPERDEV_REMOTE_ALLOCATE:
		result = outcome(fallocate(file->fd, (int)ask->command, ask->offset, (off_t)ask->argument));
		break;
	default: result = do_open(file, ask); break;
	}
	answer(ask, result, NULL, 0);
}

/* Tries it; false: not yet. */
static bool request_try(const struct superdev_remote_request *ask, uint8_t *data)
{
	struct file *file = file_find(ask->cookie);
	size_t len = 0;
	int64_t result;

	if (!file) {
		answer(ask, -EBADF, NULL, 0);
		return true;
	}
	switch (ask->op) {
	case SUPERDEV_REMOTE_READ:
		result = outcome(file_read(file, ask));
		len = result > 0 ? (size_t)result : 0;
		data = buffer;
		break;
	case SUPERDEV_REMOTE_WRITE: result = outcome(file_write(file, ask, data)); break;
	case SUPERDEV_REMOTE_LOCK:
		result = do_lock(file, ask, (void *)data);
		len = ask->length;
		if (result == -EAGAIN && ask->command != F_SETLKW)
			break;
		if (result == -EAGAIN)
			return false;
		break;
	default: do_now(file, ask); return true;
	}
	if (result == -EAGAIN && file->is_stream && !(ask->flags & SUPERDEV_REMOTE_F_NONBLOCK))
		return false;
	answer(ask, result, data, len);
	return true;
}

/* Waiting ---------------------------------------------------------------------- */

static int pending_add(const struct superdev_remote_request *ask, const void *data)
{
	struct pending *pending = malloc(sizeof(*pending) + ask->data_length);

	if (!pending)
		return -ENOMEM;
	*pending = (struct pending){ .ask = *ask };
	memcpy(pending->data, data, ask->data_length);
	*remote.last = pending;
	remote.last = &pending->next;
	remote.nr_pending++;
	remote.pending_bytes += ask->data_length;
	return 0;
}

static void pending_drop(struct pending **link)
{
	struct pending *pending = *link;

	*link = pending->next;
	if (!*link)
		remote.last = link;
	remote.nr_pending--;
	remote.pending_bytes -= pending->ask.data_length;
	free(pending);
}

static void request_interrupt(uint64_t id)
{
	for (struct pending **link = &remote.pending; *link; link = &(*link)->next) {
		if ((*link)->ask.id != id)
			continue;
		answer(&(*link)->ask, -EINTR, NULL, 0);
		pending_drop(link);
		return;
	}
}

/* Those of one file go in their order. */
static bool has_pending(const struct superdev_remote_request *ask)
{
	for (const struct pending *pending = remote.pending; pending; pending = pending->next)
		if (pending->ask.cookie == ask->cookie && pending->ask.op == ask->op)
			return true;
	return false;
}

static int request_come(const struct superdev_remote_request *ask, uint8_t *data)
{
	bool is_rw = ask->op == SUPERDEV_REMOTE_READ || ask->op == SUPERDEV_REMOTE_WRITE;
	bool may_wait = !(ask->flags & (SUPERDEV_REMOTE_F_NONBLOCK | SUPERDEV_REMOTE_F_OFFSET));
	struct file *file = file_find(ask->cookie);
	int r;

	if (!(is_rw && may_wait && has_pending(ask)) && request_try(ask, data))
		return 0;
	if (remote.nr_pending == SUPERDEV_TASK_MAX_REQUESTS ||
	    remote.pending_bytes + ask->data_length > MAX_BYTES)
		return -EPROTO;
	r = pending_add(ask, data);
	/* In the set after it was tried, so it is tried again should that have been too early. */
	if (!r && file && is_rw)
		file_watch(file);
	return r;
}

int sdv_deputy_remote_come(struct sdv_pump *pump, const void *payload, uint32_t len)
{
	static uint8_t data[SUPERDEV_TASK_MAX_REMOTE] __attribute__((aligned(8)));
	struct superdev_remote_request ask;

	/* It is shown again when the lender has taken what there is for it. */
	if (!sdv_pump_has_room(pump))
		return -EAGAIN;
	if (remote.epoll < 0 || sdv_task_request_get(payload, len, &ask, data))
		return -EPROTO;
	switch (ask.op) {
	case SUPERDEV_REMOTE_RELEASE: do_release(ask.cookie); return 0;
	case SUPERDEV_REMOTE_INTERRUPT: request_interrupt(ask.id); return 0;
	default: return request_come(&ask, data);
	}
}

static void events_take(void)
{
	struct epoll_event events[32];
	int nr;

	do {
		nr = epoll_wait(remote.epoll, events, 32, 0);
		for (int i = 0; i < nr; i++) {
			struct file *file = file_find(events[i].data.u64);

			if (!file)
				continue;
			file->is_due = true;
			file->has_news = file->is_watched;
			remote.is_any_due = true;
		}
	} while (nr == 32);
}

/* What waits for one of the files that have changed, or for a lock; false: there was no room for all. */
static bool pending_retry(void)
{
	struct pending **link = &remote.pending;

	while (*link) {
		struct pending *pending = *link;
		struct file *file = file_find(pending->ask.cookie);
		bool is_lock = pending->ask.op == SUPERDEV_REMOTE_LOCK;

		if (file && !file->is_due && !is_lock) {
			link = &pending->next;
			continue;
		}
		if (!sdv_pump_has_room(remote.pump))
			return false;
		if (request_try(&pending->ask, pending->data)) {
			pending_drop(link);
			continue;
		}
		remote.has_lock |= is_lock;
		link = &pending->next;
	}
	return true;
}

static bool news_put(void)
{
	for (unsigned int i = 0; i < remote.nr_files; i++) {
		struct file *file = &remote.files[i];
		struct superdev_remote_reply news = {
			.cookie = file->cookie,
			.type = SUPERDEV_REMOTE_READY,
		};

		file->is_due = false;
		if (!file->cookie || !file->has_news)
			continue;
		if (!sdv_pump_has_room(remote.pump))
			return false;
		file->has_news = false;
		look(file, &news);
		if (news.sequence)
			put(0, &news, NULL);
	}
	return true;
}

int sdv_deputy_remote_turn(void)
{
	if (remote.epoll < 0)
		return -1;
	events_take();
	remote.has_lock = false;
	if ((remote.is_any_due || remote.pending) && pending_retry() && remote.is_any_due)
		remote.is_any_due = !news_put();
	return remote.has_lock ? LOCK_MS : -1;
}
