// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lease_home.c: leases that this machine holds: asking, resuming, giving back.
 *
 * The kernel has the lease and its lanes; here is only what has to be said to
 * the lender.  On every new control connection each held lease is resumed before
 * the first ping, so that the lender knows which ones are still wanted.
 */
#include "lease_home.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "module.h"
#include "state.h"
#include "task_home.h"

#define ANSWER_MS 30000 /* a lender may wait for the I/O of the last holder */
#define RETURN_MS 10000
#define RETRY_MS  2000
#define LOAD_MS   30000

struct held *held_by_id(struct daemon *d, uint32_t id)
{
	list_for_each(held, &d->helds, struct held, node)
		if (held->info.id == id)
			return held;
	return NULL;
}

static struct peer *held_peer(const struct held *held)
{
	return peer_by_name(held->d, held->info.peer);
}

static bool is_agreed(const struct held *held)
{
	return held->info.number;
}

/* Telling the kernel ----------------------------------------------------- */

static int held_report(struct held *held, struct sdv_lease_info *info)
{
	int r;

	info->id = held->info.id;
	SDV_SET(info, SUPERDEV_A_LEASE_ID);
	r = sdv_nl_lease(held->d->nl, SUPERDEV_CMD_LEASE_REPORT, info, NULL);
	if (r < 0 && r != -ENOENT)
		sdv_log(SDV_LOG_ERR, "lease %s/%s: report refused: %s (%s)", held->info.peer,
			held->info.offer, sdv_nl_error(held->d->nl), strerror(-r));
	return r;
}

static void held_over(struct held *held, enum superdev_lease_state state, const char *why)
{
	struct sdv_lease_info info = { .state = state };

	sdv_log(SDV_LOG_WARNING, "lease %s/%s: %s: %s", held->info.peer, held->info.offer,
		state == SUPERDEV_LEASE_STATE_REVOKED ? "revoked" : "failed", why);
	held->phase = HELD_OVER;
	held->info.number = 0;
	held->was_granted = false;
	timer_stop(&held->retry);
	lanes_stop(held);
	tasks_lease_changed(held);
	snprintf(info.error, sizeof(info.error), "%s", why);
	SDV_SET(&info, SUPERDEV_A_LEASE_STATE);
	SDV_SET(&info, SUPERDEV_A_LEASE_ERROR);
	held_report(held, &info);
	state_changed(held->d);
}

static void held_gone(struct held *held)
{
	struct sdv_lease_info info = { .state = SUPERDEV_LEASE_STATE_GONE };

	SDV_SET(&info, SUPERDEV_A_LEASE_STATE);
	held_report(held, &info);
}

/* The number of lanes that makes sense at both ends. */
static unsigned int count_lanes(const struct held *held)
{
	struct sdv_attr attrs[SUPERDEV_A_BLK_CONFIG_MAX + 1];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int lanes = held->d->conf.lanes;

	if (held->info.lanes_wanted && held->info.lanes_wanted < lanes)
		lanes = held->info.lanes_wanted;
	if (cpus > 0 && (unsigned long)cpus < lanes)
		lanes = cpus;
	if (!strcmp(held->info.class_name, "blk") &&
	    !sdv_attr_parse(&sdv_blk_config_set, held->info.config, held->info.config_len, attrs, NULL) &&
	    sdv_has(&attrs[SUPERDEV_A_BLK_CONFIG_QUEUES]) &&
	    sdv_get_u32(&attrs[SUPERDEV_A_BLK_CONFIG_QUEUES]) < lanes)
		lanes = sdv_get_u32(&attrs[SUPERDEV_A_BLK_CONFIG_QUEUES]);
	return lanes ? lanes : 1;
}

/* What the lender agreed to is the kernel's business: a new device, or a new epoch. */
static int held_report_granted(struct held *held)
{
	struct sdv_lease_info info = held->info;

	info.has = 0;
	info.state = SUPERDEV_LEASE_STATE_GRANTED;
	info.lanes_wanted = held->nr_lanes;
	SDV_SET(&info, SUPERDEV_A_LEASE_STATE);
	SDV_SET(&info, SUPERDEV_A_LEASE_NUMBER);
	SDV_SET(&info, SUPERDEV_A_LEASE_EPOCH);
	SDV_SET(&info, SUPERDEV_A_LEASE_CLASS);
	SDV_SET(&info, SUPERDEV_A_LEASE_CONFIG);
	SDV_SET(&info, SUPERDEV_A_LEASE_BOOT);
	SDV_SET(&info, SUPERDEV_A_LEASE_LANES_WANTED);
	if (info.read_only)
		SDV_SET(&info, SUPERDEV_A_LEASE_READ_ONLY);
	return held_report(held, &info);
}

/* Asking the lender ------------------------------------------------------ */

static void held_go_on(struct held *held);

static void put_lease(const struct held *held, struct sdv_attr_writer *w)
{
	sdv_put_string(w, SUPERDEV_A_LEASE_OFFER, held->info.offer);
	if (is_agreed(held)) {
		sdv_put_u64(w, SUPERDEV_A_LEASE_NUMBER, held->info.number);
		sdv_put_u32(w, SUPERDEV_A_LEASE_EPOCH, held->info.epoch);
	}
	if (held->info.read_only)
		sdv_put_flag(w, SUPERDEV_A_LEASE_READ_ONLY);
}

/* Nobody waits: the lender frees it, or finds out when we do not resume it. */
static void tell_return(struct held *held)
{
	struct peer *peer = held_peer(held);
	struct sdv_attr_writer w;
	uint8_t data[256];

	if (!peer || !peer->out || !is_agreed(held))
		return;
	sdv_attr_begin(&w, data, sizeof(data));
	put_lease(held, &w);
	control_call(peer->out, SUPERDEV_CTL_RETURN, &w, RETURN_MS, NULL, NULL);
}

static const char *reason(int error, const struct sdv_attr *attrs, char *buffer, size_t size)
{
	const char *text = sdv_get_string(&attrs[SUPERDEV_A_LEASE_ERROR]);

	snprintf(buffer, size, "%s", text && text[0] ? text : strerror(-error));
	return buffer;
}

/* False: the lender's answer makes no sense. */
static bool take_terms(struct held *held, const struct sdv_attr *attrs)
{
	const struct sdv_attr *config = &attrs[SUPERDEV_A_LEASE_CONFIG];
	const char *class_name = sdv_get_string(&attrs[SUPERDEV_A_LEASE_CLASS]);

	if (!sdv_get_u64(&attrs[SUPERDEV_A_LEASE_NUMBER]) || !sdv_get_u32(&attrs[SUPERDEV_A_LEASE_EPOCH]) ||
	    !class_name || !sdv_has(&attrs[SUPERDEV_A_LEASE_BOOT]) || config->len > sizeof(held->info.config))
		return false;
	held->info.number = sdv_get_u64(&attrs[SUPERDEV_A_LEASE_NUMBER]);
	held->info.epoch = sdv_get_u32(&attrs[SUPERDEV_A_LEASE_EPOCH]);
	snprintf(held->info.class_name, sizeof(held->info.class_name), "%s", class_name);
	memcpy(held->info.boot, attrs[SUPERDEV_A_LEASE_BOOT].data, sizeof(held->info.boot));
	if (config->len)
		memcpy(held->info.config, config->data, config->len);
	held->info.config_len = config->len;
	held->info.read_only |= sdv_has(&attrs[SUPERDEV_A_LEASE_READ_ONLY]);
	if (sdv_has(&attrs[SUPERDEV_A_LEASE_LANES_WANTED]))
		held->info.lanes_wanted = sdv_get_u32(&attrs[SUPERDEV_A_LEASE_LANES_WANTED]);
	held->nr_lanes = count_lanes(held);
	return true;
}

static void held_loaded(void *arg, int error, const void *result, int fd)
{
	struct held *held = arg;
	int r;

	(void)fd;
	held->loader = NULL;
	/* It may be loaded by hand, or built in: then the device binds all the same. */
	if (error)
		sdv_log(SDV_LOG_NOTICE, "lease %s/%s: class '%s': %s", held->info.peer, held->info.offer,
			held->info.class_name,
			result && *(const char *)result ? (const char *)result : strerror(-error));
	r = held_report_granted(held);
	if (r == -EBUSY) {
		/* The former device of this lease is still going. */
		held->phase = HELD_IDLE;
		timer_start(&held->retry, RETRY_MS / 10);
		return;
	}
	if (r < 0) {
		char why[SDV_TEXT_SIZE];

		snprintf(why, sizeof(why), "the kernel refused its terms: %.200s", sdv_nl_error(held->d->nl));
		tell_return(held);
		held_over(held, SUPERDEV_LEASE_STATE_FAILED, why);
		return;
	}
	held->was_granted = true;
	held->phase = HELD_UP;
	sdv_log(SDV_LOG_NOTICE, "lease %s/%s: granted, class %s, epoch %u, %u lanes", held->info.peer,
		held->info.offer, held->info.class_name, held->info.epoch, held->nr_lanes);
	state_changed(held->d);
	tasks_lease_changed(held);
	lanes_make(held);
}

/* The class's module first: the device of a lease binds when it is plugged. */
static void held_load(struct held *held)
{
	char alias[SDV_NAME_SIZE + 16];
	int r;

	held->phase = HELD_LOADING;
	snprintf(alias, sizeof(alias), "superdev:%s", held->info.class_name);
	r = helper_start(held->d, module_work, alias, LOAD_MS, held_loaded, held, &held->loader);
	if (r < 0)
		held_loaded(held, r, NULL, -1);
}

static void held_answered(void *arg, int error, const struct sdv_attr *attrs)
{
	char why[SDV_TEXT_SIZE];
	struct held *held = arg;

	if (error == -ECONNRESET)
		held->phase = HELD_IDLE; /* home_peer_online() asks again */
	else if (error)
		held_over(held, SUPERDEV_LEASE_STATE_FAILED,
			  error == -ETIMEDOUT ? "the lender does not answer"
					      : reason(error, attrs, why, sizeof(why)));
	else if (!take_terms(held, attrs))
		held_over(held, SUPERDEV_LEASE_STATE_FAILED, "the lender's answer makes no sense");
	else
		held_load(held);
}

static void held_ask(struct held *held, struct peer *peer)
{
	struct sdv_attr_writer w;
	uint8_t data[256];

	held->phase = HELD_ASKING;
	held->info.number = 0;
	sdv_attr_begin(&w, data, sizeof(data));
	put_lease(held, &w);
	sdv_put_u32(&w, SUPERDEV_A_LEASE_LANES_WANTED,
		    held->info.lanes_wanted ? held->info.lanes_wanted : held->d->conf.lanes);
	control_call(peer->out, SUPERDEV_CTL_LEASE, &w, ANSWER_MS, held_answered, held);
}

static void held_resumed(void *arg, int error, const struct sdv_attr *attrs)
{
	struct held *held = arg;
	uint32_t epoch = held->info.epoch;
	char why[SDV_TEXT_SIZE];

	held->phase = HELD_IDLE;
	if (error == -ECONNRESET)
		return;
	if (error == -ENOENT || error == -ESTALE || error == -EPERM) {
		held_over(held, SUPERDEV_LEASE_STATE_REVOKED, reason(error, attrs, why, sizeof(why)));
		return;
	}
	if (!error && !take_terms(held, attrs))
		error = -EBADMSG;
	if (error) {
		sdv_log(SDV_LOG_WARNING, "lease %s/%s: not resumed yet: %s", held->info.peer,
			held->info.offer, reason(error, attrs, why, sizeof(why)));
		timer_start(&held->retry, RETRY_MS);
		return;
	}
	if (!held->was_granted) {
		held_load(held);
		return;
	}
	if (epoch != held->info.epoch) {
		held_loaded(held, 0, NULL, -1);
		/* The kernel closed the lanes of the old epoch. */
		lanes_sync(held->d);
		return;
	}
	held->phase = HELD_UP;
	sdv_log(SDV_LOG_INFO, "lease %s/%s: resumed, epoch %u", held->info.peer, held->info.offer,
		held->info.epoch);
	lanes_make(held);
}

static void held_resume(struct held *held, struct peer *peer)
{
	struct sdv_attr_writer w;
	uint8_t data[256];

	if (held->loader)
		helper_cancel(held->loader);
	held->loader = NULL;
	held->phase = HELD_RESUMING;
	sdv_attr_begin(&w, data, sizeof(data));
	put_lease(held, &w);
	control_call(peer->out, SUPERDEV_CTL_RESUME, &w, ANSWER_MS, held_resumed, held);
}

static void held_returned(void *arg, int error, const struct sdv_attr *attrs)
{
	(void)error;
	(void)attrs;
	/* Whatever the lender says, it is not wanted any more. */
	held_gone(arg);
}

static void held_return(struct held *held)
{
	struct peer *peer = held_peer(held);
	struct sdv_attr_writer w;
	uint8_t data[256];

	control_forget(held->d, held);
	timer_stop(&held->retry);
	lanes_stop(held);
	if (held->loader)
		helper_cancel(held->loader);
	held->loader = NULL;
	held->phase = HELD_RETURNING;
	tasks_lease_changed(held);
	state_changed(held->d);
	if (!peer || !peer->out || !is_agreed(held)) {
		held_gone(held);
		return;
	}
	sdv_log(SDV_LOG_NOTICE, "lease %s/%s: given back", held->info.peer, held->info.offer);
	sdv_attr_begin(&w, data, sizeof(data));
	put_lease(held, &w);
	control_call(peer->out, SUPERDEV_CTL_RETURN, &w, RETURN_MS, held_returned, held);
}

/* The next thing to say to the lender, where it is there. */
static void held_go_on(struct held *held)
{
	struct peer *peer = held_peer(held);

	if (!peer || !peer->out)
		return;
	if (held->phase == HELD_OVER || held->phase == HELD_RETURNING)
		return;
	if (is_agreed(held))
		held_resume(held, peer);
	else
		held_ask(held, peer);
}

static void retry_due(struct timer *timer)
{
	struct held *held = container_of(timer, struct held, retry);

	if (held->phase == HELD_IDLE)
		held_go_on(held);
}

void held_is_stale(struct held *held)
{
	if (held->phase != HELD_UP)
		return;
	lanes_stop(held);
	held->phase = HELD_IDLE;
	held_go_on(held);
}

/* From peers ------------------------------------------------------------- */

void home_peer_online(struct peer *peer)
{
	list_for_each(held, &peer->d->helds, struct held, node)
		if (!strcmp(held->info.peer, peer->info.name))
			held_go_on(held);
}

/* Lanes live on their own, and so do programs; only new ones cannot be agreed on. */
void home_peer_offline(struct peer *peer)
{
	list_for_each(held, &peer->d->helds, struct held, node)
		if (!strcmp(held->info.peer, peer->info.name)) {
			lanes_stop(held);
			tasks_lease_changed(held);
		}
}

/* The kernel ends the leases, and tells of each. */
void home_peer_deleted(struct peer *peer)
{
	list_for_each(held, &peer->d->helds, struct held, node) {
		if (strcmp(held->info.peer, peer->info.name) != 0)
			continue;
		tell_return(held);
		lanes_stop(held);
	}
}

void home_transport_changed(struct peer *peer)
{
	list_for_each(held, &peer->d->helds, struct held, node)
		if (!strcmp(held->info.peer, peer->info.name) && held->phase == HELD_UP) {
			lanes_renew(held);
			tasks_lease_changed(held);
		}
}

static struct held *held_of_request(struct peer *peer, const struct control_request *request,
				    const struct sdv_attr *attrs)
{
	uint64_t number = sdv_get_u64(&attrs[SUPERDEV_A_LEASE_NUMBER]);

	list_for_each(held, &peer->d->helds, struct held, node)
		if (number && held->info.number == number && !strcmp(held->info.peer, peer->info.name))
			return held;
	control_refuse(peer->d, request, SUPERDEV_ST_NOENT, "no lease of that number is held");
	return NULL;
}

void home_revoked(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		  const void *payload)
{
	struct held *held = held_of_request(peer, request, attrs);
	const char *why = sdv_get_string(&attrs[SUPERDEV_A_LEASE_ERROR]);

	(void)payload;
	if (!held)
		return;
	control_answer(peer->d, request, SUPERDEV_ST_OK, NULL);
	if (held->phase == HELD_RETURNING)
		return;
	control_forget(held->d, held);
	if (held->loader)
		helper_cancel(held->loader);
	held->loader = NULL;
	held_over(held, SUPERDEV_LEASE_STATE_REVOKED, why && why[0] ? why : "the lender took it back");
}

void home_configured(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		     const void *payload)
{
	const struct sdv_attr *config = &attrs[SUPERDEV_A_LEASE_CONFIG];
	struct held *held = held_of_request(peer, request, attrs);
	struct sdv_lease_info info = { 0 };
	int r;

	(void)payload;
	if (!held)
		return;
	if (!sdv_has(config) || config->len > sizeof(held->info.config)) {
		control_refuse(peer->d, request, SUPERDEV_ST_INVAL, "config is missing or too long");
		return;
	}
	if (sdv_get_u32(&attrs[SUPERDEV_A_LEASE_EPOCH]) != held->info.epoch || !held->was_granted) {
		control_refuse(peer->d, request, SUPERDEV_ST_STALE, "the lease is not at that epoch");
		return;
	}
	memcpy(held->info.config, config->data, config->len);
	held->info.config_len = config->len;
	memcpy(info.config, config->data, config->len);
	info.config_len = config->len;
	info.number = held->info.number;
	info.epoch = held->info.epoch;
	SDV_SET(&info, SUPERDEV_A_LEASE_CONFIG);
	SDV_SET(&info, SUPERDEV_A_LEASE_NUMBER);
	SDV_SET(&info, SUPERDEV_A_LEASE_EPOCH);
	r = held_report(held, &info);
	if (r < 0)
		control_refuse(peer->d, request, SUPERDEV_ST_INVAL, "refused by home: %.150s",
			       sdv_nl_error(held->d->nl));
	else
		control_answer(peer->d, request, SUPERDEV_ST_OK, NULL);
}

/* From the kernel's registry --------------------------------------------- */

static void held_free(struct held *held)
{
	control_forget(held->d, held);
	timer_stop(&held->retry);
	held->phase = HELD_OVER;
	tasks_lease_changed(held);
	lanes_stop(held);
	if (held->loader)
		helper_cancel(held->loader);
	list_del(&held->node);
	free(held);
}

static struct held *held_new(struct daemon *d, const struct sdv_lease_info *info)
{
	struct held *held = calloc(1, sizeof(*held));

	if (!held) {
		sdv_log(SDV_LOG_ERR, "lease %s/%s: out of memory", info->peer, info->offer);
		return NULL;
	}
	held->d = d;
	held->info = *info;
	timer_init(&held->retry, &d->timers, retry_due);
	lanes_init(held);
	held->was_granted = info->state == SUPERDEV_LEASE_STATE_GRANTED ||
			    info->state == SUPERDEV_LEASE_STATE_ACTIVE ||
			    info->state == SUPERDEV_LEASE_STATE_SUSPENDED;
	if (!held->was_granted && info->state != SUPERDEV_LEASE_STATE_RETURNING)
		held->info.number = 0;
	held->nr_lanes = count_lanes(held);
	list_add_tail(&d->helds, &held->node);
	state_changed(d);
	return held;
}

void held_event(struct daemon *d, const struct sdv_lease_info *info)
{
	struct held *held = held_by_id(d, info->id);
	bool is_new = !held;

	if (is_new)
		held = held_new(d, info);
	if (!held)
		return;
	held->is_seen = true;
	held->info.state = info->state;
	if (strcmp(held->info.paths, info->paths) != 0) {
		memcpy(held->info.paths, info->paths, sizeof(held->info.paths));
		tasks_paths_changed(held);
		state_changed(d);
	}
	switch (info->state) {
	case SUPERDEV_LEASE_STATE_RETURNING:
		if (held->phase != HELD_RETURNING)
			held_return(held);
		break;
	case SUPERDEV_LEASE_STATE_FAILED:
		/* The class driver could not use it: the lender can have it back. */
		if (held->phase == HELD_OVER)
			break;
		if (!is_new)
			sdv_log(SDV_LOG_WARNING, "lease %s/%s: failed: %s", info->peer, info->offer,
				info->error);
		tell_return(held);
		control_forget(d, held);
		held->info.number = 0;
		held->was_granted = false;
		held->phase = HELD_OVER;
		lanes_stop(held);
		tasks_lease_changed(held);
		break;
	case SUPERDEV_LEASE_STATE_REVOKED:
		held->phase = HELD_OVER;
		lanes_stop(held);
		tasks_lease_changed(held);
		break;
	default:
		/* Wanted just now, or known by an agent before this one. */
		if (is_new)
			held_go_on(held);
		break;
	}
}

void held_deleted(struct daemon *d, uint32_t id)
{
	struct held *held = held_by_id(d, id);

	if (!held)
		return;
	if (held->phase != HELD_RETURNING)
		tell_return(held);
	sdv_log(SDV_LOG_INFO, "lease %s/%s: gone", held->info.peer, held->info.offer);
	held_free(held);
	state_changed(d);
}

void helds_unsee(struct daemon *d)
{
	list_for_each(held, &d->helds, struct held, node)
		held->is_seen = false;
}

void helds_sweep(struct daemon *d)
{
	list_for_each_safe(held, &d->helds, struct held, node)
		if (!held->is_seen)
			held_deleted(d, held->info.id);
}

void helds_close(struct daemon *d)
{
	list_for_each_safe(held, &d->helds, struct held, node)
		held_free(held);
}
