// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_call.c: questions to home and their answers, and what home tells unasked.
 */
#include "mount.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTICE_WAIT_MS 5000

/* What a notice is about. */
enum notice_kind {
	NOTICE_NAME,
	NOTICE_ATTR,
	NOTICE_DATA, /* and attributes */
	NOTICE_SYNC,
};

struct sdv_notice {
	struct sdv_notice *next;
	enum notice_kind kind;
	uint64_t id;
	char name[];
};

static void notice_add(struct sdv_mount *mount, enum notice_kind kind, uint64_t id, const char *name)
{
	size_t size = strlen(name) + 1;
	struct sdv_notice *notice = malloc(sizeof(*notice) + size);

	/* The kernel would go on believing what is no longer so. */
	if (!notice)
		_exit(1);
	notice->next = NULL;
	notice->kind = kind;
	notice->id = id;
	memcpy(notice->name, name, size);
	pthread_mutex_lock(&mount->notice_lock);
	if (mount->last_notice)
		mount->last_notice->next = notice;
	else
		mount->notices = notice;
	mount->last_notice = notice;
	pthread_cond_signal(&mount->has_notice);
	pthread_mutex_unlock(&mount->notice_lock);
}

void sdv_notice_name(struct sdv_mount *mount, struct sdv_file *dir, const char *name)
{
	notice_add(mount, NOTICE_NAME, sdv_fuse_id(mount, dir), name);
}

void sdv_notice_file(struct sdv_mount *mount, struct sdv_file *file, bool has_data)
{
	if (file->lookups || file == mount->root)
		notice_add(mount, has_data ? NOTICE_DATA : NOTICE_ATTR, sdv_fuse_id(mount, file), "");
}

static void notice_pass(struct sdv_mount *mount, const struct sdv_notice *notice)
{
	switch (notice->kind) {
	case NOTICE_NAME: sdv_kernel_forget_name(mount, notice->id, notice->name); break;
	case NOTICE_ATTR: sdv_kernel_forget_file(mount, notice->id, false); break;
	case NOTICE_DATA: sdv_kernel_forget_file(mount, notice->id, true); break;
	case NOTICE_SYNC: sdv_control_answer(mount, (struct sdv_channel *)(uintptr_t)notice->id, true); break;
	}
}

void sdv_notice_run(struct sdv_mount *mount)
{
	pthread_mutex_lock(&mount->notice_lock);
	for (;;) {
		struct sdv_notice *notice = mount->notices;

		if (!notice) {
			pthread_cond_wait(&mount->has_notice, &mount->notice_lock);
			continue;
		}
		mount->notices = notice->next;
		if (!notice->next)
			mount->last_notice = NULL;
		mount->is_passing = true;
		pthread_mutex_unlock(&mount->notice_lock);
		notice_pass(mount, notice);
		free(notice);
		pthread_mutex_lock(&mount->notice_lock);
		mount->is_passing = false;
	}
}

void sdv_notice_end(struct sdv_mount *mount)
{
	bool is_passing = true;

	for (int i = 0; i < NOTICE_WAIT_MS && is_passing; i++) {
		pthread_mutex_lock(&mount->notice_lock);
		/* No more of them: with the connection, everything is forgotten. */
		while (mount->notices) {
			struct sdv_notice *notice = mount->notices;

			mount->notices = notice->next;
			free(notice);
		}
		mount->last_notice = NULL;
		is_passing = mount->is_passing;
		pthread_mutex_unlock(&mount->notice_lock);
		if (is_passing)
			usleep(1000);
	}
}

struct sdv_call *sdv_call_new(struct fuse_req *req, struct sdv_file *file, struct sdv_file *dir)
{
	struct sdv_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->req = req;
	call->file = file;
	call->dir = dir;
	if (file)
		sdv_file_hold(file);
	if (dir)
		sdv_file_hold(dir);
	return call;
}

void sdv_call_free(struct sdv_mount *mount, struct sdv_call *call)
{
	if (call->file)
		sdv_file_put(mount, call->file);
	if (call->dir)
		sdv_file_put(mount, call->dir);
	if (call->dir2)
		sdv_file_put(mount, call->dir2);
	free(call->name);
	free(call->name2);
	free(call);
}

/* Tags are counted: the lowest bits of any few of them differ. */
static uint64_t tag_hash(uint32_t tag)
{
	return tag;
}

static int request_post(struct sdv_mount *mount, const struct sdv_fs_request *request)
{
	uint8_t fixed[SDV_FS_FIXED_MAX];
	struct superdev_frame frame;
	struct iovec parts[3] = { { &frame, sizeof(frame) },
				  { fixed, 0 },
				  { (void *)request->data, request->data_len } };

	parts[1].iov_len = sdv_fs_request_build(request, &frame, fixed);
	return sdv_link_post(&mount->link, parts, 3);
}

bool sdv_call_send(struct sdv_mount *mount, struct sdv_call *call, struct sdv_fs_request *request)
{
	int r = mount->is_over ? -ENOTCONN : 0;

	request->tag = call->tag = ++mount->next_tag;
	call->op = request->op;
	call->count = request->count;
	call->stamp = mount->clock;
	if (!r && sdv_table_add(&mount->calls, &call->by_tag, tag_hash(call->tag)))
		r = -ENOMEM;
	if (r) {
		call->done(mount, call, r, NULL, 0, 0);
		return false;
	}
	if (call->req)
		mount->round_trips[call->op - SUPERDEV_FS_HELLO]++;
	r = request_post(mount, request);
	if (r) {
		sdv_table_del(&mount->calls, &call->by_tag);
		call->done(mount, call, r == -ENOMEM ? r : -ENOTCONN, NULL, 0, 0);
	}
	return !r;
}

void sdv_call_tell(struct sdv_mount *mount, struct sdv_fs_request *request)
{
	/* Where it fails home has gone, and what it was to be told of with it. */
	request_post(mount, request);
}

void sdv_call_cancel(struct sdv_mount *mount, uint32_t tag)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_CANCEL, .arg = tag };

	request_post(mount, &request);
}

static void sync_done(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		      uint32_t len, uint64_t flags)
{
	struct sdv_channel *channel = (struct sdv_channel *)(uintptr_t)call->owner;

	(void)data, (void)len, (void)flags;
	sdv_call_free(mount, call);
	if (error)
		sdv_control_answer(mount, channel, false);
	else
		notice_add(mount, NOTICE_SYNC, (uintptr_t)channel, "");
}

void sdv_call_sync(struct sdv_mount *mount, struct sdv_channel *channel)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_SYNC };
	struct sdv_call *call = sdv_call_new(NULL, NULL, NULL);

	if (!call) {
		sdv_control_answer(mount, channel, false);
		return;
	}
	call->done = sync_done;
	call->owner = (uintptr_t)channel;
	pthread_mutex_lock(&mount->lock);
	sdv_call_send(mount, call, &request);
	pthread_mutex_unlock(&mount->lock);
}

static struct sdv_call *call_take(struct sdv_mount *mount, const struct sdv_head *head)
{
	struct sdv_link_in_table *link = sdv_table_first(&mount->calls, tag_hash(head->tag));

	for (; link; link = sdv_table_next(link)) {
		struct sdv_call *call = sdv_container(link, struct sdv_call, by_tag);

		if (call->tag == head->tag && call->op == head->op) {
			sdv_table_del(&mount->calls, link);
			return call;
		}
	}
	return NULL;
}

/* 0; -EPROTO: home is not one to go on with. */
static int frame_handle(struct sdv_mount *mount, const struct sdv_head *head, const uint8_t *data)
{
	struct sdv_fs_request inval;
	struct sdv_call *call;
	int r;

	if (head->op == SUPERDEV_FS_INVAL) {
		r = sdv_fs_request_parse(head, data, &inval);
		if (!r)
			sdv_file_inval(mount, &inval);
		return r ? -EPROTO : 0;
	}
	/* An answer to what was not asked, or a second one. */
	call = call_take(mount, head);
	if (!call)
		return -EPROTO;
	r = sdv_fs_reply_check(head, call->count);
	if (r == -ESTALE && call->file)
		sdv_file_stale(mount, call->file);
	if (r == -ESTALE && call->dir)
		sdv_file_stale(mount, call->dir);
	call->done(mount, call, r == -EPROTO ? -EIO : r, data, head->length, head->offset);
	return r == -EPROTO ? r : 0;
}

static void calls_end(struct sdv_mount *mount)
{
	mount->is_over = true;
	/* What ends may ask anew, which then ends at once. */
	for (size_t i = 0; i < mount->calls.nr_buckets; i++) {
		while (mount->calls.buckets[i]) {
			struct sdv_link_in_table *link = mount->calls.buckets[i];
			struct sdv_call *call = sdv_container(link, struct sdv_call, by_tag);

			sdv_table_del(&mount->calls, link);
			call->done(mount, call, -ENOTCONN, NULL, 0, 0);
		}
	}
}

int sdv_call_run(struct sdv_mount *mount)
{
	uint8_t *data = malloc(SDV_FS_PAYLOAD_MAX);
	struct sdv_head head;
	int r = data ? 1 : -ENOMEM;

	while (r > 0) {
		r = sdv_link_recv_head(&mount->link, true, &head);
		if (r > 0)
			r = sdv_link_recv_body(&mount->link, data, head.length);
		if (r <= 0)
			break;
		pthread_mutex_lock(&mount->lock);
		r = frame_handle(mount, &head, data);
		pthread_mutex_unlock(&mount->lock);
		r = r ? r : 1;
	}
	sdv_link_end(&mount->link);
	pthread_mutex_lock(&mount->lock);
	calls_end(mount);
	pthread_mutex_unlock(&mount->lock);
	/*
	 * A thread that waits in the kernel for a directory, which a program has
	 * locked that waits for an answer, would keep the process and /dev/fuse from
	 * going away, and the answer from being given up.  Now all are answered.
	 */
	sdv_notice_end(mount);
	free(data);
	return r;
}

int sdv_call_hello(struct sdv_mount *mount)
{
	struct sdv_fs_request request = { .op = SUPERDEV_FS_HELLO, .tag = ++mount->next_tag };
	struct superdev_fs_hello hello;
	struct sdv_fs_entry root;
	struct sdv_head head;
	int r = request_post(mount, &request);

	if (r)
		return r;
	r = sdv_link_recv_head(&mount->link, true, &head);
	if (r <= 0)
		return r ? r : -ENOTCONN;
	if (head.op != SUPERDEV_FS_HELLO || head.tag != request.tag)
		return -EPROTO;
	r = sdv_fs_reply_check(&head, 0);
	if (r)
		return r;
	r = sdv_link_recv_body(&mount->link, (uint8_t *)&hello, sizeof(hello));
	if (r <= 0)
		return r ? r : -ENOTCONN;
	r = sdv_fs_entry_load((uint8_t *)&hello.root, &root);
	if (r)
		return r;
	if (!S_ISDIR(root.attr.mode))
		return -EPROTO;
	mount->uid = le32toh(hello.uid);
	mount->gid = le32toh(hello.gid);
	mount->root = sdv_file_told(mount, root.node);
	if (!mount->root)
		return -ENOMEM;
	sdv_file_hold(mount->root);
	sdv_file_take(mount, mount->root, &root.attr, mount->clock);
	return 0;
}
