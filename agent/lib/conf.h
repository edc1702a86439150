/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf.h: files of "key = value" lines.
 */
#ifndef SDV_CONF_H
#define SDV_CONF_H

#include <stddef.h>
#include <stdint.h>

enum sdv_conf_type {
	SDV_CONF_STRING, /* value: char[size] */
	SDV_CONF_NUMBER, /* value: uint32_t, min to max */
	SDV_CONF_PATH,   /* value: char[size]; absolute */
};

/**
 * struct sdv_conf_key - a key that a file may set
 * @name:	as written in the file
 * @type:	what its value is
 * @value:	where it goes; untouched where the file does not set it
 * @size:	bytes at @value, of strings and paths
 * @min:	smallest number
 * @max:	largest number
 */
struct sdv_conf_key {
	const char *name;
	enum sdv_conf_type type;
	void *value;
	size_t size;
	uint32_t min, max;
};

/**
 * sdv_conf_set - one key
 * @keys:	table, ended by an entry without name
 * @name:	key
 * @value:	its value
 * @error:	at least 256 bytes; says what is wrong and quotes the input
 *
 * Return: 0, -ENOENT unknown key, -EINVAL bad value.
 */
int sdv_conf_set(const struct sdv_conf_key *keys, const char *name, const char *value, char *error,
		 size_t error_size);

/**
 * sdv_conf_parse - the text of a file
 * @path:	its name, for messages
 * @text:	zero-terminated; is changed
 *
 * Lines are "key = value", empty, or comments that begin with '#'.
 * Return: 0 or -EINVAL, with "path:line: why" in @error.
 */
int sdv_conf_parse(const struct sdv_conf_key *keys, const char *path, char *text, char *error,
		   size_t error_size);

/* Return: 0; -EINVAL as above; or -errno of reading it, with text too. */
int sdv_conf_read(const struct sdv_conf_key *keys, const char *path, char *error, size_t error_size);

#endif
