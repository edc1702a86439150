// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c: files of "key = value" lines.
 */
#include "conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_SIZE_MAX (64 << 10)

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return s;
}

static int set_number(const struct sdv_conf_key *key, const char *value, char *error, size_t error_size)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)value[0]) || *end || errno || number < key->min || number > key->max) {
		snprintf(error, error_size, "%s '%.64s' is no number from %u to %u", key->name, value,
			 key->min, key->max);
		return -EINVAL;
	}
	*(uint32_t *)key->value = number;
	return 0;
}

int sdv_conf_set(const struct sdv_conf_key *keys, const char *name, const char *value, char *error,
		 size_t error_size)
{
	const struct sdv_conf_key *key;

	for (key = keys; key->name; key++) {
		if (strcmp(key->name, name) != 0)
			continue;
		if (key->type == SDV_CONF_NUMBER)
			return set_number(key, value, error, error_size);
		if (key->type == SDV_CONF_PATH && value[0] != '/') {
			snprintf(error, error_size, "%s '%.64s' is no absolute path", name, value);
			return -EINVAL;
		}
		if (!value[0] || strlen(value) >= key->size) {
			snprintf(error, error_size, "%s '%.64s' is not 1 to %zu characters long", name, value,
				 key->size - 1);
			return -EINVAL;
		}
		memcpy(key->value, value, strlen(value) + 1);
		return 0;
	}
	snprintf(error, error_size, "unknown key '%.64s'", name);
	return -ENOENT;
}

int sdv_conf_parse(const struct sdv_conf_key *keys, const char *path, char *text, char *error,
		   size_t error_size)
{
	char *line, *equals, *save = NULL, why[256];
	unsigned int number = 0;

	for (; text; text = save) {
		save = strchr(text, '\n');
		if (save)
			*save++ = '\0';
		number++;
		line = trim(text);
		if (!line[0] || line[0] == '#')
			continue;
		equals = strchr(line, '=');
		if (!equals) {
			snprintf(error, error_size, "%s:%u: '%.64s' is not key = value", path, number, line);
			return -EINVAL;
		}
		*equals = '\0';
		if (sdv_conf_set(keys, trim(line), trim(equals + 1), why, sizeof(why)) < 0) {
			snprintf(error, error_size, "%s:%u: %s", path, number, why);
			return -EINVAL;
		}
	}
	return 0;
}

int sdv_conf_read(const struct sdv_conf_key *keys, const char *path, char *error, size_t error_size)
{
	size_t len = 0;
	ssize_t n;
	char *text;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		snprintf(error, error_size, "%s: %s", path, strerror(-r));
		return r;
	}
	text = malloc(FILE_SIZE_MAX + 1);
	if (!text) {
		close(fd);
		snprintf(error, error_size, "%s: out of memory", path);
		return -ENOMEM;
	}
	do {
		n = read(fd, text + len, FILE_SIZE_MAX + 1 - len);
		if (n > 0)
			len += n;
	} while (n > 0 && len <= FILE_SIZE_MAX);
	if (n < 0) {
		r = -errno;
		snprintf(error, error_size, "%s: %s", path, strerror(-r));
	} else if (len > FILE_SIZE_MAX) {
		r = -EINVAL;
		snprintf(error, error_size, "%s: longer than %d bytes", path, FILE_SIZE_MAX);
	} else if (memchr(text, '\0', len)) {
		r = -EINVAL;
		snprintf(error, error_size, "%s: has zero bytes in it", path);
	} else {
		text[len] = '\0';
		r = sdv_conf_parse(keys, path, text, error, error_size);
	}
	close(fd);
	free(text);
	return r;
}
