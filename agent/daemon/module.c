// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * module.c: kernel modules, by name or alias.
 */
#include "module.h"

#include <errno.h>
#include <libkmod.h>
#include <stdio.h>
#include <string.h>

/* The libraries' own messages would break the rule of one line per event. */
static void no_log(void *data, int priority, const char *file, int line, const char *fn, const char *format,
		   va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)fn;
	(void)format;
	(void)args;
}

static int probe_all(struct kmod_list *list)
{
	struct kmod_list *entry;
	int r = 0;

	kmod_list_foreach(entry, list)
	{
		struct kmod_module *module = kmod_module_get_module(entry);
		int err;

		err = kmod_module_probe_insert_module(module, KMOD_PROBE_APPLY_BLACKLIST_ALIAS_ONLY, NULL,
						      NULL, NULL, NULL);
		kmod_module_unref(module);
		if (err < 0)
			r = err;
	}
	return r;
}

int module_load(const char *alias, char *error, size_t error_size)
{
	struct kmod_list *list = NULL;
	struct kmod_ctx *ctx;
	int r;

	ctx = kmod_new(NULL, NULL);
	if (!ctx) {
		snprintf(error, error_size, "module '%s': libkmod cannot be used", alias);
		return -ENOMEM;
	}
	kmod_set_log_fn(ctx, no_log, NULL);
	r = kmod_module_new_from_lookup(ctx, alias, &list);
	if (!r && !list)
		r = -ENOENT;
	if (!r)
		r = probe_all(list);
	kmod_module_unref_list(list);
	kmod_unref(ctx);
	if (r < 0)
		snprintf(error, error_size, "module '%s': %s", alias,
			 r == -ENOENT ? "there is none for this kernel" : strerror(-r));
	return r;
}

int module_work(const void *alias, void *error, int *ret_fd)
{
	(void)ret_fd;
	return module_load(alias, error, SDV_TEXT_SIZE);
}
