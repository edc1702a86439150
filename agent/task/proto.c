// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proto.c: what a deputy and the host of its guest say to each other, as bytes.
 *
 * See proto.h; what is about remote files is in proto_remote.c.  What comes in is a stranger's until the functions here have
 * said 0.
 */
#include "proto.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define MAX_PATH 4096u
#define MAX_HOST 65u
#define MAX_PID  (1u << 22)
#define MAX_FD   65535u
#define MAX_SIG  64u
#define MAX_ARGS (6u << 20)

#define HOME   (1u << SDV_TASK_HOME)
#define LENDER (1u << SDV_TASK_LENDER)
#define NR_OPS (SUPERDEV_TASK_USED - SUPERDEV_TASK_EXEC + 1)

/* What each operation may look like; a request has no status, and only EXEC has a reply. */
static const struct op_rule {
	uint32_t min, max;   /* bytes of payload */
	uint8_t receivers;   /* who may be sent it */
	bool has_stream;     /* offset is one */
	uint64_t max_offset; /* of others */
	uint32_t min_count, max_count;
} op_rules[NR_OPS] = {
#define OP(op) [SUPERDEV_TASK_##op - SUPERDEV_TASK_EXEC]
	OP(EXEC) = { 1, SUPERDEV_TASK_MAX_DATA, LENDER, false, SUPERDEV_TASK_MAX_IMAGE,
		     sizeof(struct superdev_task_image), SUPERDEV_TASK_MAX_IMAGE },
	OP(READY) = { 0, 0, HOME, false, UINT64_MAX, 0, 0 },
	OP(GO) = { 0, 0, LENDER, false, 0, 0, 0 },
	OP(DATA) = { 1, SUPERDEV_TASK_MAX_DATA, HOME | LENDER, true, 0, 0, 0 },
	OP(EOF) = { 0, 0, HOME | LENDER, true, 0, 0, 0 },
	/* what lies in the pipe behind the window counts, too */
	OP(CLOSE) = { 0, 0, HOME | LENDER, true, 0, 0, 8 * SUPERDEV_TASK_WINDOW },
	OP(CREDIT) = { 0, 0, HOME | LENDER, true, 0, 1, SUPERDEV_TASK_WINDOW },
	OP(MODES) = { sizeof(struct superdev_task_modes), sizeof(struct superdev_task_modes), HOME | LENDER,
		      false, 0, 0, 0 },
	OP(SIGNAL) = { 0, 0, LENDER, false, 1, 1, MAX_SIG },
	OP(STOPPED) = { 0, 0, HOME, false, 0, 1, MAX_SIG },
	OP(EXIT) = { sizeof(struct superdev_task_exit), sizeof(struct superdev_task_exit), HOME, false, 0, 0,
		     0 },
	OP(GONE) = { 0, 0, HOME, false, 0, 0, 0 },
	OP(REMOTE) = { sizeof(struct superdev_task_request),
		       sizeof(struct superdev_task_request) + SUPERDEV_TASK_MAX_REMOTE, HOME, false, 0, 0,
		       0 },
	OP(ANSWER) = { sizeof(struct superdev_task_answer),
		       sizeof(struct superdev_task_answer) + SUPERDEV_TASK_MAX_REMOTE, LENDER, false, 0, 0,
		       0 },
	OP(USED) = { sizeof(struct superdev_task_used), sizeof(struct superdev_task_used), HOME, false, 0, 0,
		     0 },
#undef OP
};

static int reply_check(const struct sdv_head *head, enum sdv_task_side side)
{
	if (side != SDV_TASK_HOME || head->op != SUPERDEV_TASK_EXEC ||
	    head->length != sizeof(struct superdev_task_refusal))
		return -EPROTO;
	return 0;
}

static bool numbers_fit(const struct op_rule *rule, const struct sdv_head *head)
{
	uint64_t max_offset = rule->has_stream ? SUPERDEV_TASK_MAX_STREAMS - 1 : rule->max_offset;

	return head->offset <= max_offset && head->count >= rule->min_count && head->count <= rule->max_count;
}

int sdv_task_frame_check(const struct superdev_frame *frame, const struct sdv_frame_rules *rules,
			 enum sdv_task_side side, struct sdv_head *ret_head)
{
	struct sdv_frame_rules task_rules = *rules;
	const struct op_rule *rule;
	struct sdv_head head;
	int r;

	task_rules.class = SUPERDEV_CLASS_CPU;
	task_rules.max_length = SDV_TASK_MAX_PAYLOAD;
	r = sdv_frame_check(frame, &task_rules, &head);
	if (r)
		return r;
	if (head.op < SUPERDEV_TASK_EXEC || head.op >= SUPERDEV_TASK_EXEC + NR_OPS)
		return -EPROTO;
	if (head.flags & ~(SUPERDEV_F_REPLY | SUPERDEV_F_CSUM))
		return -EPROTO;
	rule = &op_rules[head.op - SUPERDEV_TASK_EXEC];
	if (!(head.flags & SUPERDEV_F_REPLY) && !(rule->receivers & 1u << side))
		return -EPROTO;
	if (head.flags & SUPERDEV_F_REPLY)
		r = reply_check(&head, side);
	else if (head.length < rule->min || head.length > rule->max)
		r = -EMSGSIZE;
	else
		r = numbers_fit(rule, &head) ? 0 : -EPROTO;
	if (!r)
		*ret_head = head;
	return r;
}

int sdv_task_parts_add(struct sdv_task_parts *parts, const struct sdv_head *head)
{
	if (!parts->size)
		parts->size = head->count;
	if (head->count != parts->size || head->offset != parts->done ||
	    head->length > parts->size - parts->done)
		return -EPROTO;
	parts->done += head->length;
	return parts->done == parts->size;
}

int sdv_task_credit_add(uint32_t *credit, uint32_t count)
{
	if (count > SUPERDEV_TASK_WINDOW || *credit > SUPERDEV_TASK_WINDOW - count)
		return -EPROTO;
	*credit += count;
	return 0;
}

/* Where the sections of an image lie; the sums of lengths that were checked do not wrap. */
struct layout {
	size_t path, cwd, host, argv, envp, groups, fds, size;
};

static size_t pad(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

static struct layout layout_of(size_t path_len, size_t cwd_len, size_t host_len,
			       const struct sdv_task_image *image)
{
	struct layout at = { .path = sizeof(struct superdev_task_image) };

	at.cwd = at.path + pad(path_len);
	at.host = at.cwd + pad(cwd_len);
	at.argv = at.host + pad(host_len);
	at.envp = at.argv + pad(image->argv_len);
	at.groups = at.envp + pad(image->envp_len);
	at.fds = at.groups + pad(image->nr_groups * sizeof(__le32));
	at.size = at.fds + image->nr_fds * sizeof(struct superdev_task_fd);
	return at;
}

static bool is_zero(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i])
			return false;
	return true;
}

/* One string of @len bytes with its zero, and zeros up to @end. */
static int string_check(const uint8_t *data, size_t at, size_t len, size_t end)
{
	if (memchr(data + at, 0, len) != data + at + len - 1 || !is_zero(data + at + len, end - at - len))
		return -EBADMSG;
	return 0;
}

/* Exactly @nr strings, and zeros up to @end. */
static int strings_check(const uint8_t *data, size_t at, size_t len, uint32_t nr, size_t end)
{
	const uint8_t *p = data + at, *last = p + len;

	for (uint32_t i = 0; i < nr; i++) {
		p = p < last ? memchr(p, 0, (size_t)(last - p)) : NULL;
		if (!p)
			return -EBADMSG;
		p++;
	}
	return p == last && is_zero(last, end - at - len) ? 0 : -EBADMSG;
}

static int numbers_check(const struct sdv_task_image *image)
{
	if (image->flags & ~(SUPERDEV_TASK_F_LEADER | SUPERDEV_TASK_F_TTY) || image->umask > 0777 ||
	    image->nice < -20 || image->nice > 19)
		return -EINVAL;
	if (image->pid > MAX_PID || image->ppid > MAX_PID || image->pgid > MAX_PID || image->sid > MAX_PID)
		return -EINVAL;
	for (unsigned int i = 0; i < SUPERDEV_TASK_NR_RLIMITS; i++)
		if (image->rlimits[i].soft > image->rlimits[i].hard)
			return -EINVAL;
	return 0;
}

static bool is_device(uint32_t minor)
{
	/* null, zero, full, random, urandom */
	return minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9;
}

static int fd_check(const struct sdv_task_fd *fd, struct sdv_task_streams *streams)
{
	if (fd->fd > MAX_FD || !fd->mode ||
	    fd->mode & ~(SUPERDEV_TASK_MODE_READ | SUPERDEV_TASK_MODE_WRITE) ||
	    fd->flags & ~(SUPERDEV_TASK_FD_APPEND | SUPERDEV_TASK_FD_NONBLOCK))
		return -EPROTO;
	if (fd->kind == SUPERDEV_TASK_DEVICE)
		return fd->stream == SUPERDEV_TASK_NO_STREAM && is_device(fd->device) ? 0 : -EPROTO;
	if (fd->kind < SUPERDEV_TASK_PIPE || fd->kind > SUPERDEV_TASK_TTY || fd->device)
		return -EPROTO;
	/* Streams are numbered as they appear. */
	if (fd->stream > streams->nr || fd->stream >= SUPERDEV_TASK_MAX_STREAMS)
		return -EPROTO;
	if (fd->stream == streams->nr)
		streams->kind[streams->nr++] = fd->kind;
	streams->mode[fd->stream] |= fd->mode;
	return streams->kind[fd->stream] == fd->kind ? 0 : -EPROTO;
}

static int fds_check(const struct sdv_task_image *image, struct sdv_task_streams *streams)
{
	unsigned int nr_ttys = 0;

	*streams = (struct sdv_task_streams){ .nr = 0 };
	for (uint32_t i = 0; i < image->nr_fds; i++) {
		struct sdv_task_fd fd = sdv_task_fd_get(image, i);

		if (fd_check(&fd, streams) || (i && fd.fd <= sdv_task_fd_get(image, i - 1).fd))
			return -EPROTO;
	}
	for (unsigned int i = 0; i < streams->nr; i++)
		nr_ttys += streams->kind[i] == SUPERDEV_TASK_TTY;
	return nr_ttys == !!(image->flags & SUPERDEV_TASK_F_TTY) ? 0 : -EPROTO;
}

int sdv_task_image_check(const void *data, size_t len, struct sdv_task_image *ret_image,
			 struct sdv_task_streams *ret_streams)
{
	const struct superdev_task_image *in = data;
	struct sdv_task_image image = { .path = NULL };
	uint32_t path_len, cwd_len, host_len;
	const uint8_t *bytes = data;
	struct layout at;
	int r;

	if (len < sizeof(*in) || len > SUPERDEV_TASK_MAX_IMAGE || le32toh(in->size) != len)
		return -EBADMSG;
	path_len = le32toh(in->path_len);
	cwd_len = le32toh(in->cwd_len);
	host_len = le32toh(in->host_len);
	image.argc = le32toh(in->argc);
	image.argv_len = le32toh(in->argv_len);
	image.envc = le32toh(in->envc);
	image.envp_len = le32toh(in->envp_len);
	image.nr_groups = le32toh(in->nr_groups);
	image.nr_fds = le32toh(in->nr_fds);
	if (path_len < 2 || path_len > MAX_PATH || cwd_len < 2 || cwd_len > MAX_PATH || host_len < 1 ||
	    host_len > MAX_HOST || image.argv_len > MAX_ARGS || image.envp_len > MAX_ARGS ||
	    image.nr_groups > SUPERDEV_TASK_MAX_GROUPS || image.nr_fds > SUPERDEV_TASK_MAX_FDS)
		return -EBADMSG;
	at = layout_of(path_len, cwd_len, host_len, &image);
	if (at.size != len)
		return -EBADMSG;
	r = string_check(bytes, at.path, path_len, at.cwd);
	if (r || (r = string_check(bytes, at.cwd, cwd_len, at.host)) ||
	    (r = string_check(bytes, at.host, host_len, at.argv)) ||
	    (r = strings_check(bytes, at.argv, image.argv_len, image.argc, at.envp)) ||
	    (r = strings_check(bytes, at.envp, image.envp_len, image.envc, at.groups)))
		return r;
	if (!is_zero(bytes + at.groups + image.nr_groups * sizeof(__le32),
		     at.fds - at.groups - image.nr_groups * sizeof(__le32)))
		return -EBADMSG;
	image.path = (const char *)bytes + at.path;
	image.cwd = (const char *)bytes + at.cwd;
	image.host = (const char *)bytes + at.host;
	image.argv = (const char *)bytes + at.argv;
	image.envp = (const char *)bytes + at.envp;
	image.groups = (const __le32 *)(bytes + at.groups);
	image.fds = (const struct superdev_task_fd *)(bytes + at.fds);

	image.flags = le32toh(in->flags);
	image.umask = le32toh(in->umask);
	image.nice = (int32_t)le32toh(in->nice);
	image.uid = le32toh(in->uid);
	image.gid = le32toh(in->gid);
	image.personality = le32toh(in->personality);
	image.pid = le32toh(in->pid);
	image.ppid = le32toh(in->ppid);
	image.pgid = le32toh(in->pgid);
	image.sid = le32toh(in->sid);
	image.sig_blocked = le64toh(in->sig_blocked);
	image.sig_ignored = le64toh(in->sig_ignored);
	for (unsigned int i = 0; i < SUPERDEV_TASK_NR_RLIMITS; i++) {
		image.rlimits[i].soft = le64toh(in->rlimits[i].soft);
		image.rlimits[i].hard = le64toh(in->rlimits[i].hard);
	}
	r = numbers_check(&image);
	if (!r)
		r = sdv_task_modes_get(&in->modes, &image.modes);
	if (!r && (in->reserved || image.cwd[0] != '/'))
		r = -EINVAL;
	if (!r)
		r = fds_check(&image, ret_streams);
	if (!r)
		*ret_image = image;
	return r;
}

size_t sdv_task_image_size(const struct sdv_task_image *image)
{
	size_t path = strlen(image->path) + 1, cwd = strlen(image->cwd) + 1, host = strlen(image->host) + 1;
	struct layout at;

	if (path > MAX_PATH || cwd > MAX_PATH || host > MAX_HOST || image->argv_len > MAX_ARGS ||
	    image->envp_len > MAX_ARGS)
		return 0;
	at = layout_of(path, cwd, host, image);
	return at.size <= SUPERDEV_TASK_MAX_IMAGE ? at.size : 0;
}

void sdv_task_image_build(const struct sdv_task_image *image, void *ret_data)
{
	size_t path = strlen(image->path) + 1, cwd = strlen(image->cwd) + 1, host = strlen(image->host) + 1;
	struct layout at = layout_of(path, cwd, host, image);
	struct superdev_task_image *out = ret_data;
	uint8_t *bytes = ret_data;

	memset(ret_data, 0, at.size);
	*out = (struct superdev_task_image){
		.size = htole32((uint32_t)at.size),
		.path_len = htole32((uint32_t)path),
		.cwd_len = htole32((uint32_t)cwd),
		.host_len = htole32((uint32_t)host),
		.argc = htole32(image->argc),
		.argv_len = htole32(image->argv_len),
		.envc = htole32(image->envc),
		.envp_len = htole32(image->envp_len),
		.nr_groups = htole32(image->nr_groups),
		.nr_fds = htole32(image->nr_fds),
		.flags = htole32(image->flags),
		.umask = htole32(image->umask),
		.nice = htole32((uint32_t)image->nice),
		.uid = htole32(image->uid),
		.gid = htole32(image->gid),
		.personality = htole32(image->personality),
		.pid = htole32(image->pid),
		.ppid = htole32(image->ppid),
		.pgid = htole32(image->pgid),
		.sid = htole32(image->sid),
		.sig_blocked = htole64(image->sig_blocked),
		.sig_ignored = htole64(image->sig_ignored),
	};
	for (unsigned int i = 0; i < SUPERDEV_TASK_NR_RLIMITS; i++) {
		out->rlimits[i].soft = htole64(image->rlimits[i].soft);
		out->rlimits[i].hard = htole64(image->rlimits[i].hard);
	}
	sdv_task_modes_put(&out->modes, &image->modes);
	memcpy(bytes + at.path, image->path, path);
	memcpy(bytes + at.cwd, image->cwd, cwd);
	memcpy(bytes + at.host, image->host, host);
	if (image->argv_len)
		memcpy(bytes + at.argv, image->argv, image->argv_len);
	if (image->envp_len)
		memcpy(bytes + at.envp, image->envp, image->envp_len);
	if (image->nr_groups)
		memcpy(bytes + at.groups, image->groups, image->nr_groups * sizeof(*image->groups));
	if (image->nr_fds)
		memcpy(bytes + at.fds, image->fds, image->nr_fds * sizeof(*image->fds));
}

struct sdv_task_fd sdv_task_fd_get(const struct sdv_task_image *image, uint32_t index)
{
	const struct superdev_task_fd *fd = &image->fds[index];

	return (struct sdv_task_fd){
		.fd = le32toh(fd->fd),
		.stream = le16toh(fd->stream),
		.kind = fd->kind,
		.mode = fd->mode,
		.flags = le32toh(fd->flags),
		.device = le32toh(fd->device),
	};
}

void sdv_task_fd_put(struct superdev_task_fd *ret_fd, const struct sdv_task_fd *fd)
{
	*ret_fd = (struct superdev_task_fd){
		.fd = htole32(fd->fd),
		.stream = htole16(fd->stream),
		.kind = fd->kind,
		.mode = fd->mode,
		.flags = htole32(fd->flags),
		.device = htole32(fd->device),
	};
}

void sdv_task_strings(const char *data, uint32_t nr, char **ret_strings)
{
	for (uint32_t i = 0; i < nr; i++) {
		ret_strings[i] = (char *)data;
		data += strlen(data) + 1;
	}
	ret_strings[nr] = NULL;
}

int sdv_task_modes_get(const struct superdev_task_modes *modes, struct sdv_task_modes *ret_modes)
{
	uint32_t valid = le32toh(modes->valid);

	if (valid & ~(SUPERDEV_TASK_MODES_TERMIOS | SUPERDEV_TASK_MODES_WINSIZE) || modes->line)
		return -EINVAL;
	*ret_modes = (struct sdv_task_modes){
		.valid = valid,
		.iflag = le32toh(modes->iflag),
		.oflag = le32toh(modes->oflag),
		.cflag = le32toh(modes->cflag),
		.lflag = le32toh(modes->lflag),
		.rows = le16toh(modes->rows),
		.cols = le16toh(modes->cols),
		.xpixel = le16toh(modes->xpixel),
		.ypixel = le16toh(modes->ypixel),
	};
	memcpy(ret_modes->cc, modes->cc, sizeof(ret_modes->cc));
	return 0;
}

void sdv_task_modes_put(struct superdev_task_modes *ret_modes, const struct sdv_task_modes *modes)
{
	*ret_modes = (struct superdev_task_modes){
		.valid = htole32(modes->valid),
		.iflag = htole32(modes->iflag),
		.oflag = htole32(modes->oflag),
		.cflag = htole32(modes->cflag),
		.lflag = htole32(modes->lflag),
		.rows = htole16(modes->rows),
		.cols = htole16(modes->cols),
		.xpixel = htole16(modes->xpixel),
		.ypixel = htole16(modes->ypixel),
	};
	memcpy(ret_modes->cc, modes->cc, sizeof(ret_modes->cc));
}

void sdv_task_used_get(const struct superdev_task_used *payload, struct sdv_task_used *ret_used)
{
	*ret_used = (struct sdv_task_used){
		.utime_us = le64toh(payload->utime_us),
		.stime_us = le64toh(payload->stime_us),
		.maxrss_kb = le64toh(payload->maxrss_kb),
		.minflt = le64toh(payload->minflt),
		.majflt = le64toh(payload->majflt),
		.inblock = le64toh(payload->inblock),
		.oublock = le64toh(payload->oublock),
		.nvcsw = le64toh(payload->nvcsw),
		.nivcsw = le64toh(payload->nivcsw),
	};
}

void sdv_task_used_put(struct superdev_task_used *ret_payload, const struct sdv_task_used *used)
{
	*ret_payload = (struct superdev_task_used){
		.utime_us = htole64(used->utime_us),
		.stime_us = htole64(used->stime_us),
		.maxrss_kb = htole64(used->maxrss_kb),
		.minflt = htole64(used->minflt),
		.majflt = htole64(used->majflt),
		.inblock = htole64(used->inblock),
		.oublock = htole64(used->oublock),
		.nvcsw = htole64(used->nvcsw),
		.nivcsw = htole64(used->nivcsw),
	};
}

int sdv_task_exit_get(const struct superdev_task_exit *payload, struct sdv_task_exit *ret_exit)
{
	*ret_exit = (struct sdv_task_exit){
		.code = le32toh(payload->code),
		.signal = le32toh(payload->signal),
		.flags = le32toh(payload->flags),
	};
	sdv_task_used_get(&payload->used, &ret_exit->used);
	if (ret_exit->code > 255 || ret_exit->signal > MAX_SIG || payload->reserved ||
	    ret_exit->flags & ~(SUPERDEV_TASK_EXIT_CORE | SUPERDEV_TASK_EXIT_REMAINS))
		return -EINVAL;
	return 0;
}

void sdv_task_exit_put(struct superdev_task_exit *ret_payload, const struct sdv_task_exit *end)
{
	*ret_payload = (struct superdev_task_exit){
		.code = htole32(end->code),
		.signal = htole32(end->signal),
		.flags = htole32(end->flags),
	};
	sdv_task_used_put(&ret_payload->used, &end->used);
}

int sdv_task_refusal_get(const struct superdev_task_refusal *payload, char ret_text[124])
{
	uint32_t error = le32toh(payload->error);
	size_t i;

	/* It is shown on a terminal: nothing of it may move the cursor. */
	for (i = 0; i < sizeof(payload->text) - 1 && payload->text[i]; i++)
		ret_text[i] =
			(char)(payload->text[i] < ' ' || payload->text[i] > '~' ? '?' : payload->text[i]);
	ret_text[i] = 0;
	/* The range of errno; what else it may be is the sender's secret. */
	return error <= 4095 ? (int)error : EPROTO;
}

void sdv_task_refusal_put(struct superdev_task_refusal *ret_payload, int error, const char *text)
{
	size_t len = strlen(text);

	*ret_payload = (struct superdev_task_refusal){ .error = htole32((uint32_t)error) };
	if (len > sizeof(ret_payload->text) - 1)
		len = sizeof(ret_payload->text) - 1;
	memcpy(ret_payload->text, text, len);
}
