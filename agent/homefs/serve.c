// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serve.c: threads that take requests off the connection and answer them.
 *
 * The threads take turns to receive: who has a request lets the next one
 * receive and carries it out.  So nothing is handed from thread to thread, there
 * are never more requests in work than threads, and a lender that sends more is
 * slowed down by its own socket.
 */
#include "serve.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

static int do_forget(struct sdv_work *work)
{
	const size_t size = sizeof(struct superdev_fs_forget);

	for (const uint8_t *p = work->request.data, *end = p + work->request.data_len; p < end; p += size)
		sdv_node_forget(work->serve, sdv_fs_u64_load(p),
				sdv_fs_u64_load(p + offsetof(struct superdev_fs_forget, count)));
	return 0;
}

static int do_sync(struct sdv_work *work)
{
	sdv_watch_drain(work->serve);
	return 0;
}

static int (*const operations[SUPERDEV_FS_END - SUPERDEV_FS_HELLO])(struct sdv_work *work) = {
#define RUN(op) [SUPERDEV_FS_##op - SUPERDEV_FS_HELLO]
	RUN(HELLO) = sdv_do_hello,
	RUN(FORGET) = do_forget,
	RUN(LOOKUP) = sdv_do_lookup,
	RUN(READDIR) = sdv_do_readdir,
	RUN(GETATTR) = sdv_do_getattr,
	RUN(SETATTR) = sdv_do_setattr,
	RUN(READLINK) = sdv_do_readlink,
	RUN(OPEN) = sdv_do_open,
	RUN(RELEASE) = sdv_do_release,
	RUN(CREATE) = sdv_do_create,
	RUN(MKDIR) = sdv_do_make,
	RUN(MKNOD) = sdv_do_make,
	RUN(SYMLINK) = sdv_do_make,
	RUN(LINK) = sdv_do_link,
	RUN(UNLINK) = sdv_do_unlink,
	RUN(RMDIR) = sdv_do_unlink,
	RUN(RENAME) = sdv_do_rename,
	RUN(READ) = sdv_do_read,
	RUN(WRITE) = sdv_do_write,
	RUN(FSYNC) = sdv_do_fsync,
	RUN(FALLOCATE) = sdv_do_fallocate,
	RUN(LSEEK) = sdv_do_lseek,
	RUN(STATFS) = sdv_do_statfs,
	RUN(GETXATTR) = sdv_do_getxattr,
	RUN(LISTXATTR) = sdv_do_listxattr,
	RUN(SETXATTR) = sdv_do_setxattr,
	RUN(REMOVEXATTR) = sdv_do_removexattr,
	RUN(LOCK) = sdv_do_lock,
	RUN(UNLOCK) = sdv_do_unlock,
	RUN(CANCEL) = sdv_do_cancel,
	RUN(COPY) = sdv_do_copy,
	RUN(SYNC) = do_sync,
};

void sdv_serve_reply(struct sdv_serve *serve, const struct sdv_fs_request *request, int error, uint64_t flags,
		     const void *data, uint32_t len)
{
	struct superdev_frame frame;
	struct iovec parts[2] = { { &frame, sizeof(frame) }, { (void *)data, error ? 0 : len } };

	sdv_fs_reply_build(request, error, flags, (uint32_t)parts[1].iov_len, &frame);
	/* Where it fails, the next receive does, too. */
	sdv_link_send(&serve->link, parts, 2);
}

/* One request; 1, or what the connection ended with. */
static int request_receive(struct sdv_work *work, struct sdv_head *ret_head)
{
	struct sdv_serve *serve = work->serve;
	int r;

	pthread_mutex_lock(&serve->recv_lock);
	r = sdv_link_recv_head(&serve->link, false, ret_head);
	if (r > 0)
		r = sdv_link_recv_body(&serve->link, work->in, ret_head->length);
	/* Before the next thread takes what follows for the beginning of something. */
	if (r <= 0)
		sdv_link_end(&serve->link);
	pthread_mutex_unlock(&serve->recv_lock);
	return r;
}

static void request_run(struct sdv_work *work, const struct sdv_head *head)
{
	int (*run)(struct sdv_work *work) = NULL;
	int r = sdv_fs_request_parse(head, work->in, &work->request);

	if (r)
		work->request = (struct sdv_fs_request){ .op = head->op, .tag = head->tag };
	else
		run = operations[head->op - SUPERDEV_FS_HELLO];
	if (!r && !run)
		r = -ENOSYS;
	work->out_len = 0;
	work->reply_flags = 0;
	work->is_kept = false;
	if (!r)
		r = run(work);
	if (!sdv_fs_has_reply(head->op) || work->is_kept)
		return;
	sdv_serve_reply(work->serve, &work->request, r, work->reply_flags, work->out, work->out_len);
}

static void *thread_run(void *arg)
{
	struct sdv_serve *serve = arg;
	struct sdv_work work = {
		.serve = serve,
		.in = malloc(SDV_FS_PAYLOAD_MAX),
		.out = malloc(SUPERDEV_FS_IO_MAX),
	};
	struct sdv_head head;
	intptr_t r = -ENOMEM;

	/* Each request has its own umask, and threads would share one. */
	if (work.in && work.out)
		r = unshare(CLONE_FS) < 0 ? -errno : 1;
	while (r > 0) {
		r = request_receive(&work, &head);
		if (r > 0)
			request_run(&work, &head);
	}
	free(work.in);
	free(work.out);
	sdv_link_end(&serve->link);
	return (void *)r;
}

static void *watch_run(void *arg)
{
	sdv_watch_run(arg);
	return NULL;
}

static void *locks_run(void *arg)
{
	sdv_locks_run(arg);
	return NULL;
}

static int allow_set(struct sdv_serve *serve, const struct sdv_serve_params *params)
{
	for (unsigned int i = 0; i < params->nr_paths; i++) {
		int r = sdv_allow_add(&serve->allow, params->paths[i]);

		if (r)
			return r;
	}
	return 0;
}

/* The first error of the threads, or 0 where the lender just went away. */
static int threads_run(struct sdv_serve *serve)
{
	pthread_t threads[SDV_SERVE_THREADS], watch, locks;
	int r, result = 0;

	if (pthread_create(&watch, NULL, watch_run, serve) ||
	    pthread_create(&locks, NULL, locks_run, serve->locks))
		return -EAGAIN;
	for (unsigned int i = 0; i < SDV_SERVE_THREADS; i++) {
		r = pthread_create(&threads[i], NULL, thread_run, serve);
		if (r)
			return -r;
	}
	for (unsigned int i = 0; i < SDV_SERVE_THREADS; i++) {
		void *value;

		pthread_join(threads[i], &value);
		if (!result && (intptr_t)value != -ENOTCONN && (intptr_t)value != -ECONNRESET)
			result = (int)(intptr_t)value;
	}
	return result;
}

int sdv_serve_run(const struct sdv_serve_params *params, const char **ret_what)
{
	/* Threads may still be in a system call when it ends, and the process ends then. */
	static struct sdv_serve serve;
	int r;

	pthread_mutex_init(&serve.lock, NULL);
	pthread_mutex_init(&serve.recv_lock, NULL);
	serve.uid = geteuid();
	serve.gid = getegid();
	*ret_what = "take the allowed paths";
	r = allow_set(&serve, params);
	if (r)
		return r;
	*ret_what = "open the root";
	r = sdv_node_open_root(&serve, params->root);
	if (r)
		return r;
	serve.locks = sdv_locks_open(&serve);
	if (!serve.locks)
		return -ENOMEM;
	sdv_link_open(&serve.link, params->fd);
	/* Without it all works, but nothing is kept at the lender, and that is slow. */
	sdv_watch_open(&serve);
	*ret_what = "serve";
	return threads_run(&serve);
}
