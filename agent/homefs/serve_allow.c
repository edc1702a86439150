// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serve_allow.c: which part of home's tree the lender may see.
 *
 * A tree of the names that lead to the allowed paths.  It is made before the
 * first request and does not change afterwards.
 */
#include "serve.h"

#include <errno.h>
#include <stdlib.h>

static struct sdv_allow *child_add(struct sdv_allow *parent, const char *name, size_t len)
{
	struct sdv_allow *child;

	for (child = parent->children; child; child = child->next)
		if (!strncmp(child->name, name, len) && !child->name[len])
			return child;
	child = calloc(1, sizeof(*child));
	if (!child)
		return NULL;
	child->name = strndup(name, len);
	if (!child->name) {
		free(child);
		return NULL;
	}
	child->next = parent->children;
	parent->children = child;
	return child;
}

int sdv_allow_add(struct sdv_allow **allow, const char *path)
{
	struct sdv_allow *at = *allow;

	if (*path != '/')
		return -EINVAL;
	if (!at)
		*allow = at = calloc(1, sizeof(*at));
	while (at) {
		size_t len;

		while (*path == '/')
			path++;
		if (!*path)
			break;
		len = strcspn(path, "/");
		if (!sdv_fs_is_name(path, len))
			return -EINVAL;
		at = child_add(at, path, len);
		path += len;
	}
	if (!at)
		return -ENOMEM;
	at->is_whole = true;
	return 0;
}

const struct sdv_allow *sdv_allow_find(const struct sdv_allow *allow, const char *name)
{
	const struct sdv_allow *child;

	for (child = allow->children; child; child = child->next)
		if (!strcmp(child->name, name))
			return child;
	return NULL;
}
