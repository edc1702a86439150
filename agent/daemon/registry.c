// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * registry.c: follows the kernel's registry and hands on what it tells.
 *
 * Objects come by notification and, at the start or when notifications were
 * lost, by dump; either way each handler compares with what it knows, so that
 * hearing of the same thing twice is harmless.
 */
#include "registry.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lane_home.h"
#include "lease_home.h"
#include "lease_lender.h"
#include "module.h"
#include "offer.h"
#include "peer.h"
#include "state.h"

#define RESYNC_MS 1000

struct registry {
	struct daemon *d;
	struct sdv_op poll;
	struct timer resync;
};

static void take_event(void *arg, const struct sdv_event *event)
{
	struct daemon *d = arg;

	switch (event->cmd) {
	case SUPERDEV_CMD_PEER_GET:
	case SUPERDEV_CMD_PEER_NTF: peer_event(d, &event->peer); break;
	case SUPERDEV_CMD_PEER_DEL_NTF: peer_deleted(d, event->peer.name); break;
	case SUPERDEV_CMD_OFFER_GET:
	case SUPERDEV_CMD_OFFER_NTF: offer_event(d, &event->offer); break;
	case SUPERDEV_CMD_OFFER_DEL_NTF: offer_deleted(d, event->offer.peer, event->offer.name); break;
	case SUPERDEV_CMD_LEASE_GET:
	case SUPERDEV_CMD_LEASE_NTF:
		if (event->lease.role == SUPERDEV_ROLE_HELD)
			held_event(d, &event->lease);
		else
			lent_event(d, &event->lease);
		break;
	case SUPERDEV_CMD_LEASE_DEL_NTF:
		if (event->lease.role == SUPERDEV_ROLE_HELD)
			held_deleted(d, event->lease.id);
		else
			lent_deleted(d, event->lease.id);
		break;
	case SUPERDEV_CMD_LANE_DOWN_NTF: lane_down(d, &event->lane); break;
	default: break;
	}
}

struct dump {
	struct sdv_event *events;
	size_t count, size;
	bool is_short;
};

static void collect(void *arg, const struct sdv_event *event)
{
	struct dump *dump = arg;

	if (dump->count == dump->size) {
		size_t size = dump->size ? dump->size * 2 : 16;
		struct sdv_event *events = reallocarray(dump->events, size, sizeof(*events));

		if (!events) {
			dump->is_short = true;
			return;
		}
		dump->events = events;
		dump->size = size;
	}
	dump->events[dump->count++] = *event;
}

int registry_dump(struct daemon *d, int cmd, sdv_nl_fn fn, void *arg)
{
	struct dump dump = { 0 };
	int r;

	r = sdv_nl_dump(d->nl, cmd, collect, &dump);
	if (r < 0)
		sdv_log(SDV_LOG_ERR, "registry: %s (%s)", sdv_nl_error(d->nl), strerror(-r));
	else if (dump.is_short)
		r = -ENOMEM;
	for (size_t i = 0; !r && i < dump.count; i++)
		fn(arg, &dump.events[i]);
	free(dump.events);
	return r;
}

/* All that there is, and so also what is no more. */
static int sync_all(struct daemon *d)
{
	int r;

	peers_unsee(d);
	offers_unsee(d);
	helds_unsee(d);
	lents_unsee(d);
	r = registry_dump(d, SUPERDEV_CMD_PEER_GET, take_event, d);
	if (!r)
		r = registry_dump(d, SUPERDEV_CMD_OFFER_GET, take_event, d);
	if (!r)
		r = registry_dump(d, SUPERDEV_CMD_LEASE_GET, take_event, d);
	if (r < 0)
		return r;
	lents_sweep(d);
	helds_sweep(d);
	offers_sweep(d);
	peers_sweep(d);
	lanes_sync(d);
	return 0;
}

static void resync_due(struct timer *timer)
{
	struct registry *registry = container_of(timer, struct registry, resync);

	if (sync_all(registry->d) < 0)
		timer_start(timer, RESYNC_MS);
}

static void watch_again(struct registry *registry)
{
	int r = sdv_op_poll(registry->d->loop, &registry->poll, sdv_nl_watch_fd(registry->d->nl), POLLIN,
			    false);

	if (r < 0) {
		sdv_log(SDV_LOG_ERR, "registry: notifications cannot be waited for: %s", strerror(-r));
		daemon_end(registry->d, r);
	}
}

static void watch_readable(struct sdv_op *op, int result, bool more)
{
	struct registry *registry = container_of(op, struct registry, poll);
	struct daemon *d = registry->d;
	int r;

	(void)more;
	if (result == -ECANCELED)
		return;
	r = sdv_nl_watch_read(d->nl, take_event, d);
	if (r == -ENOBUFS) {
		sdv_log(SDV_LOG_NOTICE, "registry: notifications were lost; reading everything");
		timer_start(&registry->resync, 0);
	} else if (r < 0 && r != -EAGAIN && r != -EINTR) {
		sdv_log(SDV_LOG_ERR, "registry: notifications: %s", strerror(-r));
		daemon_end(d, r);
		return;
	}
	watch_again(registry);
}

static int open_family(struct daemon *d)
{
	char error[SDV_TEXT_SIZE] = "";
	int r;

	r = sdv_nl_open(&d->nl);
	if (r != -ENOENT)
		return r;
	if (module_load("superdev", error, sizeof(error)) < 0) {
		sdv_log(SDV_LOG_ERR, "%s", error);
		return -ENOENT;
	}
	return sdv_nl_open(&d->nl);
}

int registry_open(struct daemon *d)
{
	struct sdv_agent_info agent = { .features = FEATURES, .port = d->conf.port };
	int r;

	r = open_family(d);
	if (r < 0) {
		sdv_log(SDV_LOG_ERR, "kernel module superdev cannot be reached: %s", strerror(-r));
		return r;
	}
	snprintf(agent.name, sizeof(agent.name), "%s", d->conf.name);
	snprintf(agent.version, sizeof(agent.version), "%s", SDV_VERSION);
	memcpy(agent.key, d->public_key, sizeof(agent.key));
	memcpy(agent.boot, d->boot, sizeof(agent.boot));
	SDV_SET(&agent, SUPERDEV_A_AGENT_NAME);
	SDV_SET(&agent, SUPERDEV_A_AGENT_KEY);
	SDV_SET(&agent, SUPERDEV_A_AGENT_VERSION);
	SDV_SET(&agent, SUPERDEV_A_AGENT_FEATURES);
	SDV_SET(&agent, SUPERDEV_A_AGENT_PORT);
	SDV_SET(&agent, SUPERDEV_A_AGENT_BOOT);
	r = sdv_nl_agent_bind(d->nl, &agent);
	if (r < 0) {
		sdv_log(SDV_LOG_ERR, "cannot become the agent of this machine: %s (%s)",
			r == -EBUSY ? "another superdevd is" : sdv_nl_error(d->nl), strerror(-r));
		return r;
	}
	r = sdv_nl_watch(d->nl);
	if (r < 0)
		sdv_log(SDV_LOG_ERR, "registry: cannot subscribe: %s (%s)", sdv_nl_error(d->nl),
			strerror(-r));
	return r;
}

static void count_one(void *arg, const struct sdv_event *event)
{
	(void)event;
	++*(unsigned int *)arg;
}

int registry_start(struct daemon *d)
{
	struct registry *registry = calloc(1, sizeof(*registry));
	unsigned int count = 0;
	int r;

	if (!registry)
		return -ENOMEM;
	registry->d = d;
	registry->poll.done = watch_readable;
	timer_init(&registry->resync, &d->timers, resync_due);
	d->registry = registry;
	r = registry_dump(d, SUPERDEV_CMD_PEER_GET, count_one, &count);
	if (!r)
		r = registry_dump(d, SUPERDEV_CMD_OFFER_GET, count_one, &count);
	if (r < 0)
		return r;
	if (!count)
		state_restore(d);
	r = sync_all(d);
	if (r < 0)
		return r;
	watch_again(registry);
	return 0;
}

void registry_close(struct daemon *d)
{
	if (d->registry) {
		timer_stop(&d->registry->resync);
		if (d->registry->poll.is_active)
			sdv_op_cancel(d->loop, &d->registry->poll);
		while (d->registry->poll.is_active && sdv_loop_step(d->loop, true) >= 0)
			;
		free(d->registry);
		d->registry = NULL;
	}
	if (d->nl)
		sdv_nl_close(d->nl);
	d->nl = NULL;
}
