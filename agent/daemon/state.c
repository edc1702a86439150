// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state.c: what outlives a reboot, in the state directory.
 *
 * Files are written whole by a child (an fsync may take seconds), under another
 * name, and renamed.  A lease is only granted when its epoch is on stable storage:
 * after a power cut no epoch is used a second time.
 */
#include "state.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper.h"
#include "registry.h"

#define DEBOUNCE_MS 200
#define SAVE_MS     30000
#define WORDS_MAX   16
#define FILE_MAX    (8u << 20)

struct record {
	struct list node;
	char offer[SDV_NAME_SIZE];
	uint8_t key[SUPERDEV_KEY_LEN];
	uint64_t number;
	uint32_t epoch;
	bool read_only;
	bool is_lent; /* or only remembered for its epoch */
};

struct waiter {
	struct list node;
	state_saved_fn fn;
	void *arg;
};

struct state {
	struct daemon *d;
	struct list records;
	struct list waiting; /* for the save after the one that runs */
	struct list served;  /* for the one that runs */
	struct timer debounce;
	struct helper *saver;
	char *registry, *lent; /* texts that are being written */
	bool is_dirty;
};

/* Writing ---------------------------------------------------------------- */

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[320], temporary[328];
	size_t len = strlen(text), at = 0;
	int fd, r = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	while (!r && at < len) {
		ssize_t n = write(fd, text + at, len - at);

		if (n < 0)
			r = -errno;
		else
			at += n;
	}
	if (!r && fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (!r && rename(temporary, path) < 0)
		r = -errno;
	return r;
}

static int write_state(const struct state *state)
{
	const char *dir = state->d->conf.state_dir;
	int fd, r;

	r = write_file(dir, "lent", state->lent);
	if (!r)
		r = write_file(dir, "registry", state->registry);
	if (r < 0)
		return r;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

static int save_work(const void *arg, void *result, int *ret_fd)
{
	(void)result;
	(void)ret_fd;
	return write_state(arg);
}

/* As superdev(8) reads it: blanks and such within double quotes, and escaped. */
static void put_word(FILE *out, const char *word)
{
	bool is_plain = *word;

	for (const char *c = word; *c; c++)
		if (!isascii(*c) || (!isalnum((unsigned char)*c) && !strchr("-_./:@%+=,[]", *c)))
			is_plain = false;
	if (is_plain) {
		fprintf(out, " %s", word);
		return;
	}
	fputs(" \"", out);
	for (const char *c = word; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
			fprintf(out, "\\x%02x", (unsigned char)*c);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

static void put_peer(void *arg, const struct sdv_event *event)
{
	const struct sdv_peer_info *info = &event->peer;
	char key[SDV_KEY_TEXT_SIZE];
	FILE *out = arg;

	if (info->trust != SUPERDEV_TRUST_TRUSTED || !SDV_HAS(info, SUPERDEV_A_PEER_KEY))
		return;
	sdv_key_to_text(info->key, key);
	fprintf(out, "peer add %s key %s", info->name, key);
	if (info->address[0]) {
		fputs(" address", out);
		put_word(out, info->address);
	}
	if (info->transport == SUPERDEV_TRANSPORT_CLEAR)
		fputs(" transport clear", out);
	fputc('\n', out);
}

static void put_offer(void *arg, const struct sdv_event *event)
{
	const struct sdv_offer_info *info = &event->offer;
	FILE *out = arg;

	if (info->peer[0] || info->state == SUPERDEV_OFFER_STATE_REMOVING)
		return;
	fprintf(out, "offer add %s class %s", info->name, info->class_name);
	if (info->path[0]) {
		fputs(" path", out);
		put_word(out, info->path);
	}
	if (info->cpus)
		fprintf(out, " cpus %" PRIu32, info->cpus);
	if (info->memory)
		fprintf(out, " memory %" PRIu64, info->memory);
	fputs(info->read_only ? " ro\n" : "\n", out);
}

static void put_lease(void *arg, const struct sdv_event *event)
{
	const struct sdv_lease_info *info = &event->lease;
	FILE *out = arg;

	if (info->role != SUPERDEV_ROLE_HELD || info->state == SUPERDEV_LEASE_STATE_RETURNING ||
	    info->state == SUPERDEV_LEASE_STATE_REVOKED || info->state == SUPERDEV_LEASE_STATE_FAILED)
		return;
	fprintf(out, "lease add %s/%s", info->peer, info->offer);
	if (info->paths[0]) {
		fputs(" paths", out);
		put_word(out, info->paths);
	}
	fputs(info->read_only ? " ro\n" : "\n", out);
}

static int make_texts(struct state *state)
{
	struct daemon *d = state->d;
	char key[SDV_KEY_TEXT_SIZE];
	size_t size;
	FILE *out;
	int r;

	out = open_memstream(&state->registry, &size);
	if (!out)
		return -ENOMEM;
	fputs("# Written by superdevd(8); superdev batch reads it too.\n", out);
	r = registry_dump(d, SUPERDEV_CMD_PEER_GET, put_peer, out);
	if (!r)
		r = registry_dump(d, SUPERDEV_CMD_OFFER_GET, put_offer, out);
	if (!r)
		r = registry_dump(d, SUPERDEV_CMD_LEASE_GET, put_lease, out);
	if (fclose(out))
		r = -ENOMEM;
	if (r < 0)
		return r;
	out = open_memstream(&state->lent, &size);
	if (!out)
		return -ENOMEM;
	fputs("# offer, key of the peer, number, epoch, rights, whether it is lent now\n", out);
	list_for_each(record, &state->records, struct record, node) {
		sdv_key_to_text(record->key, key);
		fprintf(out, "%s %s %" PRIu64 " %u %s %s\n", record->offer, key, record->number,
			record->epoch, record->read_only ? "ro" : "rw",
			record->is_lent ? "lent" : "returned");
	}
	return fclose(out) ? -ENOMEM : 0;
}

static void free_texts(struct state *state)
{
	free(state->registry);
	free(state->lent);
	state->registry = state->lent = NULL;
}

static void save_now(struct state *state);

static void serve(struct list *waiters, int error)
{
	while (!list_is_empty(waiters)) {
		struct waiter *waiter = list_entry(waiters->next, struct waiter, node);
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): each is taken off the list before it is freed */
		state_saved_fn fn = waiter->fn;
		void *arg = waiter->arg;

		list_del(&waiter->node);
		free(waiter);
		fn(arg, error);
	}
}

static void saved(void *arg, int error, const void *result, int fd)
{
	struct state *state = arg;

	(void)result;
	(void)fd;
	state->saver = NULL;
	free_texts(state);
	if (error) {
		sdv_log(SDV_LOG_ERR, "state in %s cannot be written: %s", state->d->conf.state_dir,
			strerror(-error));
		state->is_dirty = true;
		timer_start(&state->debounce, SAVE_MS);
	}
	serve(&state->served, error);
	if (!state->saver && !list_is_empty(&state->waiting))
		save_now(state);
}

static void save_now(struct state *state)
{
	int r;

	if (state->saver)
		return;
	timer_stop(&state->debounce);
	state->is_dirty = false;
	while (!list_is_empty(&state->waiting)) {
		struct list *node = state->waiting.next;

		list_del(node);
		list_add_tail(&state->served, node);
	}
	r = make_texts(state);
	if (!r)
		r = helper_start(state->d, save_work, state, SAVE_MS, saved, state, &state->saver);
	if (r < 0)
		saved(state, r, NULL, -1);
}

static void debounced(struct timer *timer)
{
	struct state *state = container_of(timer, struct state, debounce);

	if (state->saver)
		timer_start(timer, DEBOUNCE_MS);
	else
		save_now(state);
}

void state_changed(struct daemon *d)
{
	struct state *state = d->state;

	state->is_dirty = true;
	if (!timer_is_armed(&state->debounce))
		timer_start(&state->debounce, DEBOUNCE_MS);
}

void state_save(struct daemon *d, state_saved_fn fn, void *arg)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter) {
		fn(arg, -ENOMEM);
		return;
	}
	waiter->fn = fn;
	waiter->arg = arg;
	list_add_tail(&d->state->waiting, &waiter->node);
	/* Not from here: the caller is in the middle of something. */
	timer_start(&d->state->debounce, 0);
}

static void forget_in(struct list *waiters, const void *arg)
{
	list_for_each_safe(waiter, waiters, struct waiter, node) {
		if (waiter->arg != arg)
			continue;
		list_del(&waiter->node);
		free(waiter);
	}
}

void state_forget(struct daemon *d, const void *arg)
{
	if (!d->state)
		return;
	forget_in(&d->state->waiting, arg);
	forget_in(&d->state->served, arg);
}

void state_flush(struct daemon *d)
{
	struct state *state = d->state;
	int r;

	if (!state || (!state->is_dirty && !state->saver))
		return;
	/* The child may be slow; what it writes is older than this. */
	if (state->saver)
		helper_cancel(state->saver);
	state->saver = NULL;
	free_texts(state);
	r = make_texts(state);
	if (!r)
		r = write_state(state);
	if (r < 0)
		sdv_log(SDV_LOG_ERR, "state in %s cannot be written: %s", d->conf.state_dir, strerror(-r));
}

/* Reading ---------------------------------------------------------------- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; the number of words, or -EINVAL. */
static int split(char *line, char *words[WORDS_MAX])
{
	char *in = line, *out = line;
	int count = 0;

	for (;;) {
		bool is_quoted = false;

		while (*in == ' ' || *in == '\t')
			in++;
		if (!*in || *in == '#')
			return count;
		if (count == WORDS_MAX)
			return -EINVAL;
		words[count++] = out;
		for (; *in && (is_quoted || (*in != ' ' && *in != '\t')); in++) {
			if (*in == '"') {
				is_quoted = !is_quoted;
			} else if (*in != '\\') {
				*out++ = *in;
			} else if (in[1] == 'x' && hex(in[2]) >= 0 && hex(in[3]) >= 0) {
				*out++ = hex(in[2]) << 4 | hex(in[3]);
				in += 3;
			} else if (in[1]) {
				*out++ = *++in;
			}
		}
		if (is_quoted)
			return -EINVAL;
		/* What is read is always ahead of what is written. */
		if (*in)
			in++;
		*out++ = '\0';
	}
}

/* The value after a word, or NULL. */
static const char *value_of(char *words[WORDS_MAX], int count, const char *word)
{
	for (int i = 3; i + 1 < count; i++)
		if (!strcmp(words[i], word))
			return words[i + 1];
	return NULL;
}

static int restore_peer(struct daemon *d, char *words[WORDS_MAX], int count)
{
	const char *key = value_of(words, count, "key"), *address = value_of(words, count, "address");
	const char *transport = value_of(words, count, "transport");
	struct sdv_peer_info info = { 0 };

	if (!key || sdv_key_from_text(key, info.key) < 0)
		return -EINVAL;
	snprintf(info.name, sizeof(info.name), "%s", words[2]);
	SDV_SET(&info, SUPERDEV_A_PEER_NAME);
	SDV_SET(&info, SUPERDEV_A_PEER_KEY);
	if (address) {
		snprintf(info.address, sizeof(info.address), "%s", address);
		SDV_SET(&info, SUPERDEV_A_PEER_ADDRESS);
	}
	if (transport && !strcmp(transport, "clear")) {
		info.transport = SUPERDEV_TRANSPORT_CLEAR;
		SDV_SET(&info, SUPERDEV_A_PEER_TRANSPORT);
	}
	return sdv_nl_peer(d->nl, SUPERDEV_CMD_PEER_ADD, &info);
}

static int restore_offer(struct daemon *d, char *words[WORDS_MAX], int count)
{
	const char *class_name = value_of(words, count, "class"), *path = value_of(words, count, "path");
	const char *cpus = value_of(words, count, "cpus"), *memory = value_of(words, count, "memory");
	struct sdv_offer_info info = { 0 };

	if (!class_name)
		return -EINVAL;
	snprintf(info.name, sizeof(info.name), "%s", words[2]);
	snprintf(info.class_name, sizeof(info.class_name), "%s", class_name);
	SDV_SET(&info, SUPERDEV_A_OFFER_NAME);
	SDV_SET(&info, SUPERDEV_A_OFFER_CLASS);
	if (path) {
		snprintf(info.path, sizeof(info.path), "%s", path);
		SDV_SET(&info, SUPERDEV_A_OFFER_PATH);
	}
	info.cpus = cpus ? strtoul(cpus, NULL, 10) : 0;
	if (info.cpus)
		SDV_SET(&info, SUPERDEV_A_OFFER_CPUS);
	info.memory = memory ? strtoull(memory, NULL, 10) : 0;
	if (info.memory)
		SDV_SET(&info, SUPERDEV_A_OFFER_MEMORY);
	if (words[count - 1] && !strcmp(words[count - 1], "ro")) {
		info.read_only = true;
		SDV_SET(&info, SUPERDEV_A_OFFER_READ_ONLY);
	}
	return sdv_nl_offer(d->nl, SUPERDEV_CMD_OFFER_ADD, &info);
}

static int restore_lease(struct daemon *d, char *words[WORDS_MAX], int count)
{
	const char *paths = value_of(words, count, "paths");
	struct sdv_lease_info info = { 0 };
	char *slash = strchr(words[2], '/');

	if (!slash)
		return -EINVAL;
	*slash = '\0';
	snprintf(info.peer, sizeof(info.peer), "%s", words[2]);
	snprintf(info.offer, sizeof(info.offer), "%s", slash + 1);
	SDV_SET(&info, SUPERDEV_A_LEASE_PEER);
	SDV_SET(&info, SUPERDEV_A_LEASE_OFFER);
	if (!strcmp(words[count - 1], "ro")) {
		info.read_only = true;
		SDV_SET(&info, SUPERDEV_A_LEASE_READ_ONLY);
	}
	if (paths) {
		snprintf(info.paths, sizeof(info.paths), "%s", paths);
		SDV_SET(&info, SUPERDEV_A_LEASE_PATHS);
	}
	return sdv_nl_lease(d->nl, SUPERDEV_CMD_LEASE_ADD, &info, NULL);
}

static int restore_line(struct daemon *d, char *line)
{
	static const struct {
		const char *object;
		int (*fn)(struct daemon *d, char *words[WORDS_MAX], int count);
	} objects[] = {
		{ "peer", restore_peer },
		{ "offer", restore_offer },
		{ "lease", restore_lease },
	};
	char *words[WORDS_MAX];
	int count = split(line, words);

	if (!count)
		return 0;
	if (count < 3 || strcmp(words[1], "add") != 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (!strcmp(words[0], objects[i].object))
			return objects[i].fn(d, words, count);
	return -EINVAL;
}

static int take_record(struct daemon *d, char *line)
{
	uint8_t key[SUPERDEV_KEY_LEN];
	char *words[WORDS_MAX];
	int count = split(line, words), r;
	uint64_t number;

	if (!count)
		return 0;
	if (count != 6 || strlen(words[0]) >= SDV_NAME_SIZE || sdv_key_from_text(words[1], key) < 0)
		return -EINVAL;
	number = strtoull(words[2], NULL, 10);
	r = state_lent(d, words[0], key, number, strtoul(words[3], NULL, 10), !strcmp(words[4], "ro"));
	if (!r && strcmp(words[5], "lent") != 0)
		state_returned(d, words[0], key);
	return r;
}

/* Hands each line to @fn; a file that is not there has none. */
static int read_lines(struct daemon *d, const char *name, int (*fn)(struct daemon *d, char *line))
{
	unsigned int number = 0;
	char path[320], *line = NULL;
	size_t size = 0, total = 0;
	ssize_t len;
	FILE *in;
	int r;

	snprintf(path, sizeof(path), "%s/%s", d->conf.state_dir, name);
	in = fopen(path, "re");
	if (!in) {
		if (errno == ENOENT)
			return 0;
		r = -errno;
		sdv_log(SDV_LOG_ERR, "%s: %s", path, strerror(-r));
		return r;
	}
	while ((len = getline(&line, &size, in)) > 0 && (total += len) <= FILE_MAX) {
		char quote[80];

		number++;
		line[strcspn(line, "\n")] = '\0';
		snprintf(quote, sizeof(quote), "%s", line);
		r = fn(d, line);
		if (r < 0)
			sdv_log(SDV_LOG_ERR, "%s:%u: '%s': %s", path, number, quote,
				r != -EINVAL && d->nl && sdv_nl_error(d->nl)[0] ? sdv_nl_error(d->nl)
										: strerror(-r));
	}
	free(line);
	fclose(in);
	return 0;
}

void state_restore(struct daemon *d)
{
	read_lines(d, "registry", restore_line);
}

/* Leases that were lent -------------------------------------------------- */

static struct record *record_find(struct state *state, const char *offer, const uint8_t *key)
{
	list_for_each(record, &state->records, struct record, node)
		if (!strcmp(record->offer, offer) && !memcmp(record->key, key, sizeof(record->key)))
			return record;
	return NULL;
}

uint32_t state_next_epoch(struct daemon *d, const char *offer)
{
	uint32_t epoch = 0;

	list_for_each(record, &d->state->records, struct record, node)
		if (!strcmp(record->offer, offer) && record->epoch > epoch)
			epoch = record->epoch;
	return epoch + 1;
}

int state_lent(struct daemon *d, const char *offer, const uint8_t key[SUPERDEV_KEY_LEN], uint64_t number,
	       uint32_t epoch, bool read_only)
{
	struct record *record = record_find(d->state, offer, key);

	if (!record) {
		record = calloc(1, sizeof(*record));
		if (!record)
			return -ENOMEM;
		snprintf(record->offer, sizeof(record->offer), "%s", offer);
		memcpy(record->key, key, sizeof(record->key));
		list_add_tail(&d->state->records, &record->node);
	}
	record->number = number;
	record->epoch = epoch;
	record->read_only = read_only;
	record->is_lent = true;
	return 0;
}

bool state_was_lent(struct daemon *d, const char *offer, const uint8_t key[SUPERDEV_KEY_LEN], uint64_t number,
		    bool *ret_read_only)
{
	struct record *record = record_find(d->state, offer, key);

	if (!record || !record->is_lent || record->number != number)
		return false;
	*ret_read_only = record->read_only;
	return true;
}

bool state_is_kept(struct daemon *d, const char *offer, const uint8_t key[SUPERDEV_KEY_LEN], bool read_only)
{
	list_for_each(record, &d->state->records, struct record, node)
		if (record->is_lent && !strcmp(record->offer, offer) &&
		    memcmp(record->key, key, sizeof(record->key)) != 0 && !(read_only && record->read_only))
			return true;
	return false;
}

void state_drop(struct daemon *d, const char *offer, const uint8_t *key)
{
	list_for_each_safe(record, &d->state->records, struct record, node) {
		if ((offer && strcmp(record->offer, offer) != 0) ||
		    (key && memcmp(record->key, key, sizeof(record->key)) != 0))
			continue;
		list_del(&record->node);
		free(record);
	}
	state_changed(d);
}

void state_returned(struct daemon *d, const char *offer, const uint8_t key[SUPERDEV_KEY_LEN])
{
	struct record *record = record_find(d->state, offer, key);

	if (!record)
		return;
	record->is_lent = false;
	state_changed(d);
}

/* Life ------------------------------------------------------------------- */

int state_open(struct daemon *d)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	state->d = d;
	list_init(&state->records);
	list_init(&state->waiting);
	list_init(&state->served);
	timer_init(&state->debounce, &d->timers, debounced);
	d->state = state;
	return read_lines(d, "lent", take_record);
}

void state_close(struct daemon *d)
{
	struct state *state = d->state;

	if (!state)
		return;
	timer_stop(&state->debounce);
	if (state->saver)
		helper_cancel(state->saver);
	free_texts(state);
	list_for_each_safe(record, &state->records, struct record, node) {
		list_del(&record->node);
		free(record);
	}
	list_for_each_safe(waiter, &state->waiting, struct waiter, node)
		free(waiter);
	list_for_each_safe(other, &state->served, struct waiter, node)
		free(other);
	free(state);
	d->state = NULL;
}
