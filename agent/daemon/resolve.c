// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resolve.c: from "host", "host:port", "[addr]:port" to socket addresses.
 */
#include "resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESOLVE_MS 20000

struct question {
	char host[SDV_TEXT_SIZE];
	char port[8];
};

_Static_assert(sizeof(struct addresses) <= HELPER_RESULT_SIZE, "a helper can return it");

/* An address with more than one colon and no brackets is a bare IPv6 address. */
static int split(const char *text, unsigned int port, struct question *ret_question)
{
	const char *colon = strrchr(text, ':'), *start = text, *end = text + strlen(text), *number = NULL;
	size_t len;

	if (text[0] == '[') {
		start = text + 1;
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		number = end[1] ? end + 2 : NULL;
	} else if (colon && colon == strchr(text, ':')) {
		end = colon;
		number = colon + 1;
	}
	len = end - start;
	if (!len || len >= sizeof(ret_question->host))
		return -EINVAL;
	memcpy(ret_question->host, start, len);
	ret_question->host[len] = '\0';
	if (number) {
		size_t digits = strspn(number, "0123456789");

		if (!digits || digits > 5 || number[digits])
			return -EINVAL;
		port = strtoul(number, NULL, 10);
	}
	if (!port || port > 65535)
		return -EINVAL;
	snprintf(ret_question->port, sizeof(ret_question->port), "%u", port);
	return 0;
}

static int look_up(const struct question *question, int flags, struct addresses *ret_addresses)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *list, *info;
	int r;

	r = getaddrinfo(question->host, question->port, &hints, &list);
	if (r)
		return r;
	for (info = list; info && ret_addresses->count < ADDRESSES_MAX; info = info->ai_next) {
		if (info->ai_addrlen > sizeof(ret_addresses->at[0].addr))
			continue;
		memcpy(&ret_addresses->at[ret_addresses->count].addr, info->ai_addr, info->ai_addrlen);
		ret_addresses->at[ret_addresses->count++].len = info->ai_addrlen;
	}
	freeaddrinfo(list);
	return 0;
}

int resolve_numeric(const char *text, unsigned int port, struct addresses *ret_addresses)
{
	struct question question;

	memset(ret_addresses, 0, sizeof(*ret_addresses));
	if (split(text, port, &question) < 0)
		return -EINVAL;
	return look_up(&question, AI_NUMERICHOST | AI_NUMERICSERV, ret_addresses) ? -EAGAIN : 0;
}

static int resolve_work(const void *arg, void *result, int *ret_fd)
{
	struct addresses *addresses = result;
	int r;

	(void)ret_fd;
	r = look_up(arg, AI_NUMERICSERV, addresses);
	if (r)
		snprintf(addresses->error, sizeof(addresses->error), "%s", gai_strerror(r));
	return 0;
}

int resolve_start(struct daemon *d, const char *text, unsigned int port, helper_done_fn done, void *arg,
		  struct helper **ret_helper)
{
	struct question question;

	if (split(text, port, &question) < 0)
		return -EINVAL;
	return helper_start(d, resolve_work, &question, RESOLVE_MS, done, arg, ret_helper);
}
