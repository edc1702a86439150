// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lease_lender.c: leases that this machine lends, each with its worker.
 *
 * A lease is granted in this order: the backing is opened and locked, which
 * waits for the I/O of the last holder; the worker starts; the epoch is on
 * stable storage; the kernel's registry knows; home is answered.  A worker that
 * dies ends no lease: home resumes it, and gets a new worker and epoch.
 */
#include "lease_lender.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backing.h"
#include "cgroup.h"
#include "guest_lender.h"
#include "lent.h"
#include "processors.h"
#include "state.h"
#include "worker_proc.h"

#define FENCE_MS 10000 /* how long the last holder's I/O may take */

/* What a LEASE or a RESUME asks. */
struct want {
	struct control_request request;
	char offer[SDV_NAME_SIZE];
	uint64_t number; /* 0: LEASE */
	uint32_t lanes;
	bool read_only;
};

/* A want for an offer that is being looked at. */
struct parked {
	struct list node;
	char peer[SDV_NAME_SIZE];
	struct want want;
};

struct lent *lent_find(struct daemon *d, const char *peer, uint64_t number)
{
	list_for_each(lent, &d->lents, struct lent, node)
		if (lent->number == number && (!peer || !strcmp(lent->peer, peer)))
			return lent;
	return NULL;
}

bool lender_knows(struct daemon *d, uint64_t number)
{
	return lent_find(d, NULL, number);
}

/* Telling the kernel and home -------------------------------------------- */

static int lent_report(struct lent *lent, enum superdev_lease_state state)
{
	struct sdv_lease_info info = { .state = state, .role = SUPERDEV_ROLE_LENT };
	struct daemon *d = lent->d;
	int r;

	if (state == SUPERDEV_LEASE_STATE_GONE && !lent->id)
		return 0;
	info.id = lent->id;
	info.number = lent->number;
	info.epoch = lent->epoch;
	info.read_only = lent->read_only;
	info.lanes = __builtin_popcount(lent->lanes);
	snprintf(info.peer, sizeof(info.peer), "%s", lent->peer);
	snprintf(info.offer, sizeof(info.offer), "%s", lent->offer);
	SDV_SET(&info, SUPERDEV_A_LEASE_STATE);
	SDV_SET(&info, SUPERDEV_A_LEASE_ROLE);
	if (lent->id) {
		SDV_SET(&info, SUPERDEV_A_LEASE_ID);
	} else {
		SDV_SET(&info, SUPERDEV_A_LEASE_PEER);
		SDV_SET(&info, SUPERDEV_A_LEASE_OFFER);
	}
	if (state != SUPERDEV_LEASE_STATE_GONE) {
		SDV_SET(&info, SUPERDEV_A_LEASE_NUMBER);
		SDV_SET(&info, SUPERDEV_A_LEASE_EPOCH);
		SDV_SET(&info, SUPERDEV_A_LEASE_LANES);
		if (lent->read_only)
			SDV_SET(&info, SUPERDEV_A_LEASE_READ_ONLY);
	}
	r = sdv_nl_lease(d->nl, SUPERDEV_CMD_LEASE_REPORT, &info, lent->id ? NULL : &lent->id);
	if (r < 0 && r != -ENOENT)
		sdv_log(SDV_LOG_ERR, "lease %s of '%s': report refused: %s (%s)", lent->offer, lent->peer,
			sdv_nl_error(d->nl), strerror(-r));
	return r;
}

void lent_report_lanes(struct lent *lent)
{
	lent_report(lent, lent->lanes ? SUPERDEV_LEASE_STATE_ACTIVE : SUPERDEV_LEASE_STATE_SUSPENDED);
}

void lender_denied(struct daemon *d, uint64_t number, uint64_t more)
{
	struct lent *lent = lent_find(d, NULL, number);
	struct sdv_lease_info info = { .role = SUPERDEV_ROLE_LENT };
	int r;

	if (!lent || !lent->id)
		return;
	lent->denied += more;
	info.id = lent->id;
	info.denied = lent->denied;
	SDV_SET(&info, SUPERDEV_A_LEASE_ID);
	SDV_SET(&info, SUPERDEV_A_LEASE_DENIED);
	r = sdv_nl_lease(d->nl, SUPERDEV_CMD_LEASE_REPORT, &info, NULL);
	if (r < 0 && r != -ENOENT)
		sdv_log(SDV_LOG_ERR, "lease %s of '%s': what was denied is not shown: %s (%s)", lent->offer,
			lent->peer, sdv_nl_error(d->nl), strerror(-r));
}

static void put_lease(const struct lent *lent, struct sdv_attr_writer *w)
{
	sdv_put_string(w, SUPERDEV_A_LEASE_OFFER, lent->offer);
	sdv_put_u64(w, SUPERDEV_A_LEASE_NUMBER, lent->number);
	sdv_put_u32(w, SUPERDEV_A_LEASE_EPOCH, lent->epoch);
}

static void put_config(const struct lent *lent, struct sdv_attr_writer *w)
{
	sdv_put_binary(w, SUPERDEV_A_LEASE_CONFIG, lent->config, lent->config_len);
}

static void lent_answer(struct lent *lent, const struct control_request *request)
{
	struct sdv_attr_writer w;
	uint8_t data[1024];

	sdv_attr_begin(&w, data, sizeof(data));
	put_lease(lent, &w);
	put_config(lent, &w);
	sdv_put_string(&w, SUPERDEV_A_LEASE_CLASS, lent->class_name);
	sdv_put_binary(&w, SUPERDEV_A_LEASE_BOOT, lent->d->boot, sizeof(lent->d->boot));
	sdv_put_u32(&w, SUPERDEV_A_LEASE_LANES_WANTED, lent->lanes_wanted);
	if (lent->read_only)
		sdv_put_flag(&w, SUPERDEV_A_LEASE_READ_ONLY);
	if (sdv_attr_end(&w) < 0)
		control_refuse(lent->d, request, SUPERDEV_ST_INVAL, "the lease does not fit into a frame");
	else
		control_answer(lent->d, request, SUPERDEV_ST_OK, &w);
}

/* Nobody waits for an answer to these: home asks again when it comes back. */
static void lent_tell_home(struct lent *lent, unsigned int op, const char *why)
{
	struct peer *peer = peer_by_name(lent->d, lent->peer);
	struct sdv_attr_writer w;
	uint8_t data[1024];

	if (!peer || !peer->in)
		return;
	sdv_attr_begin(&w, data, sizeof(data));
	put_lease(lent, &w);
	if (op == SUPERDEV_CTL_CONFIG)
		put_config(lent, &w);
	if (why)
		sdv_put_string(&w, SUPERDEV_A_LEASE_ERROR, why);
	control_call(peer->in, op, &w, 10000, NULL, NULL);
}

/* Life ------------------------------------------------------------------- */

static void lent_free(struct lent *lent)
{
	if (lent->opener)
		helper_cancel(lent->opener);
	state_forget(lent->d, lent);
	list_del(&lent->node);
	free(lent);
}

/* Its worker has been told to stop, if there is one. */
static void lent_forget(struct lent *lent)
{
	guests_end(lent->d, lent->number);
	if (!strcmp(lent->class_name, "cpu"))
		cgroup_drop(lent->d, lent->number);
	state_returned(lent->d, lent->offer, lent->key);
	lent_report(lent, SUPERDEV_LEASE_STATE_GONE);
	lent_free(lent);
}

/* @revoke: what home is told; NULL: it knows. */
static void lent_end(struct lent *lent, const char *why, const char *revoke)
{
	sdv_log(SDV_LOG_NOTICE, "lease %s of '%s': ended: %s", lent->offer, lent->peer, why);
	if (lent->has_request)
		control_refuse(lent->d, &lent->request, SUPERDEV_ST_STALE, "%s", why);
	if (revoke)
		lent_tell_home(lent, SUPERDEV_CTL_REVOKE, revoke);
	if (lent->worker)
		worker_stop(lent->worker);
	lent_forget(lent);
}

/* It could not be started: a new one is no more, an old one waits for home to ask again. */
__attribute__((format(printf, 3, 4))) static void lent_failed(struct lent *lent, uint32_t status,
							      const char *format, ...)
{
	char why[SDV_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	sdv_log(SDV_LOG_WARNING, "lease %s of '%s': %s", lent->offer, lent->peer, why);
	if (lent->has_request)
		control_refuse(lent->d, &lent->request, lent->id ? SUPERDEV_ST_BUSY : status, "%s", why);
	lent->has_request = false;
	lent->phase = LENT_IDLE;
	if (lent->worker)
		worker_stop(lent->worker);
	lent->worker = NULL;
	if (!lent->id)
		lent_forget(lent);
}

static void lent_up(void *arg, int error)
{
	struct lent *lent = arg;
	int r;

	if (error) {
		lent_failed(lent, SUPERDEV_ST_IO, "its epoch could not be saved: %s", strerror(-error));
		return;
	}
	r = lent_report(lent, SUPERDEV_LEASE_STATE_ACTIVE);
	if (r < 0) {
		lent_failed(lent, SUPERDEV_ST_PERM, "refused by the lender's registry: %.150s",
			    sdv_nl_error(lent->d->nl));
		return;
	}
	lent->phase = LENT_UP;
	sdv_log(SDV_LOG_NOTICE, "lease %s of '%s': lent, epoch %u%s", lent->offer, lent->peer, lent->epoch,
		lent->read_only ? ", read-only" : "");
	if (lent->has_request)
		lent_answer(lent, &lent->request);
	lent->has_request = false;
}

static struct worker_task task_of(const struct lent *lent)
{
	return (struct worker_task){
		.class_name = lent->class_name,
		.number = lent->number,
		.epoch = lent->epoch,
		.read_only = lent->read_only,
		.backing = -1,
		.cgroup = -1,
	};
}

static void lent_start_worker(struct lent *lent, const struct worker_task *task)
{
	int r;

	lent->phase = LENT_STARTING;
	r = worker_start(lent->d, lent, task, &lent->worker);
	if (r < 0)
		lent_failed(lent, SUPERDEV_ST_IO, "its worker %s could not be started: %s",
			    lent->d->conf.worker, strerror(-r));
}

static void lent_opened(void *arg, int error, const void *result, int fd)
{
	const struct backing *backing = result;
	struct lent *lent = arg;
	struct worker_task task;

	lent->opener = NULL;
	if (error) {
		lent_failed(lent, error == -EBUSY ? SUPERDEV_ST_BUSY : SUPERDEV_ST_IO, "%s",
			    backing && backing->error[0] ? backing->error : strerror(-error));
		return;
	}
	task = task_of(lent);
	task.backing = fd;
	lent_start_worker(lent, &task);
	close(fd);
}

/* Of classes that have no backing. */
static void lent_start_bare(struct lent *lent, const struct offer *offer)
{
	struct worker_task task = task_of(lent);
	char why[SDV_TEXT_SIZE];

	if (!strcmp(lent->class_name, "cpu") &&
	    processors_lend(lent->d, &offer->info, &task, why, sizeof(why)) < 0) {
		lent_failed(lent, SUPERDEV_ST_IO, "%s", why);
		return;
	}
	lent_start_worker(lent, &task);
	if (task.cgroup >= 0)
		close(task.cgroup);
}

static void lent_start(struct lent *lent)
{
	struct offer *offer = offer_by_name(lent->d, lent->offer);
	struct backing_request request = {
		.is_read_only = lent->read_only,
		.is_shared = lent->read_only,
		.patience_ms = FENCE_MS,
	};
	int r;

	if (!offer) {
		lent_failed(lent, SUPERDEV_ST_NOENT, "no such offer: '%s'", lent->offer);
		return;
	}
	lent->lanes = 0;
	lent->epoch = state_next_epoch(lent->d, lent->offer);
	snprintf(lent->class_name, sizeof(lent->class_name), "%s", offer->info.class_name);
	r = state_lent(lent->d, lent->offer, lent->key, lent->number, lent->epoch, lent->read_only);
	if (r < 0) {
		lent_failed(lent, SUPERDEV_ST_NOMEM, "out of memory");
		return;
	}
	if (!offer->info.path[0]) {
		lent_start_bare(lent, offer);
		return;
	}
	lent->phase = LENT_OPENING;
	snprintf(request.path, sizeof(request.path), "%s", offer->info.path);
	r = helper_start(lent->d, backing_open, &request, FENCE_MS + 5000, lent_opened, lent, &lent->opener);
	if (r < 0)
		lent_failed(lent, SUPERDEV_ST_NOMEM, "%s", strerror(-r));
}

static struct lent *lent_new(struct daemon *d, const char *peer, const uint8_t *key, const char *offer)
{
	struct lent *lent = calloc(1, sizeof(*lent));

	if (!lent)
		return NULL;
	lent->d = d;
	snprintf(lent->peer, sizeof(lent->peer), "%s", peer);
	snprintf(lent->offer, sizeof(lent->offer), "%s", offer);
	memcpy(lent->key, key, sizeof(lent->key));
	list_add_tail(&d->lents, &lent->node);
	return lent;
}

/* Asked by a home -------------------------------------------------------- */

static void lend_new(struct peer *peer, struct offer *offer, const struct want *want, uint64_t number)
{
	bool read_only = want->read_only || offer->info.read_only;
	struct daemon *d = peer->d;
	struct lent *lent;

	/* Each lease that is lent has its record, also those from before a reboot. */
	if (!offer_is_shared(offer) && state_is_kept(d, want->offer, peer->info.key, read_only)) {
		control_refuse(d, &want->request, want->number ? SUPERDEV_ST_NOENT : SUPERDEV_ST_BUSY,
			       "offer '%s' is lent to another peer", want->offer);
		return;
	}
	/* It does not hold what it asks for anew: it forgot, or gave up while we were away. */
	list_for_each_safe(old, &d->lents, struct lent, node)
		if (!strcmp(old->offer, want->offer) && !strcmp(old->peer, peer->info.name))
			lent_end(old, "its home asks anew", NULL);
	lent = lent_new(d, peer->info.name, peer->info.key, want->offer);
	if (!lent) {
		control_refuse(d, &want->request, SUPERDEV_ST_NOMEM, "the lender is out of memory");
		return;
	}
	while (!number) {
		random_bytes(&number, sizeof(number));
		number >>= 1;
	}
	lent->number = number;
	lent->read_only = read_only;
	lent->lanes_wanted = d->conf.lanes;
	if (want->lanes && want->lanes < lent->lanes_wanted)
		lent->lanes_wanted = want->lanes;
	lent->request = want->request;
	lent->has_request = true;
	lent->heard_on = want->request.conn_id;
	lent_start(lent);
}

static void park(struct peer *peer, const struct want *want)
{
	struct parked *parked = calloc(1, sizeof(*parked));

	if (!parked) {
		control_refuse(peer->d, &want->request, SUPERDEV_ST_NOMEM, "the lender is out of memory");
		return;
	}
	snprintf(parked->peer, sizeof(parked->peer), "%s", peer->info.name);
	parked->want = *want;
	list_add_tail(&peer->d->parked, &parked->node);
}

/* A lease that is to begin, whether it is a new one or one from before a reboot. */
static void lend(struct peer *peer, const struct want *want)
{
	struct offer *offer = offer_by_name(peer->d, want->offer);

	if (!offer || offer->info.state == SUPERDEV_OFFER_STATE_REMOVING) {
		control_refuse(peer->d, &want->request, SUPERDEV_ST_NOENT, "no such offer: '%s'",
			       want->offer);
		return;
	}
	/* The disk may have come back. */
	if (want->number && offer->info.state == SUPERDEV_OFFER_STATE_FAILED && !offer->looker) {
		control_refuse(peer->d, &want->request, SUPERDEV_ST_BUSY, "offer '%s' is not ready: %.150s",
			       want->offer, offer->info.error);
		offer_look(offer);
		return;
	}
	if (offer_is_pending(offer)) {
		park(peer, want);
		return;
	}
	if (offer->info.state != SUPERDEV_OFFER_STATE_READY) {
		control_refuse(peer->d, &want->request, SUPERDEV_ST_NOENT, "offer '%s' is not ready: %.150s",
			       want->offer, offer->info.error);
		return;
	}
	lend_new(peer, offer, want, want->number);
}

/* False: it has been answered. */
static bool get_want(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		     bool is_resume, struct want *ret_want)
{
	struct want want = { .request = *request };

	if (!sdv_has(&attrs[SUPERDEV_A_LEASE_OFFER]) ||
	    (is_resume && !sdv_get_u64(&attrs[SUPERDEV_A_LEASE_NUMBER]))) {
		control_refuse(peer->d, request, SUPERDEV_ST_INVAL, "offer or number is missing");
		return false;
	}
	snprintf(want.offer, sizeof(want.offer), "%s", sdv_get_string(&attrs[SUPERDEV_A_LEASE_OFFER]));
	if (is_resume)
		want.number = sdv_get_u64(&attrs[SUPERDEV_A_LEASE_NUMBER]);
	want.lanes = sdv_get_u32(&attrs[SUPERDEV_A_LEASE_LANES_WANTED]);
	want.read_only = sdv_has(&attrs[SUPERDEV_A_LEASE_READ_ONLY]);
	*ret_want = want;
	return true;
}

void lender_lease(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		  const void *payload)
{
	struct want want;

	(void)payload;
	if (get_want(peer, request, attrs, false, &want))
		lend(peer, &want);
}

void lender_resume(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		   const void *payload)
{
	struct lent *lent;
	struct want want;

	(void)payload;
	if (!get_want(peer, request, attrs, true, &want))
		return;
	lent = lent_find(peer->d, peer->info.name, want.number);
	if (!lent) {
		if (state_was_lent(peer->d, want.offer, peer->info.key, want.number, &want.read_only))
			lend(peer, &want);
		else
			control_refuse(peer->d, request, SUPERDEV_ST_NOENT,
				       "the lease of offer '%s' has ended", want.offer);
		return;
	}
	lent->heard_on = request->conn_id;
	if (lent->phase == LENT_UP) {
		lent_answer(lent, request);
		return;
	}
	/* Whoever asked before, on a connection that is gone, does not wait any more. */
	if (lent->has_request)
		control_refuse(peer->d, &lent->request, SUPERDEV_ST_BUSY, "asked again");
	lent->request = *request;
	lent->has_request = true;
	/* One that is just being found again says first what it serves; see lender_worker_ready(). */
	if (lent->phase == LENT_IDLE && !lent->worker)
		lent_start(lent);
}

void lender_return(struct peer *peer, const struct control_request *request, const struct sdv_attr *attrs,
		   const void *payload)
{
	uint64_t number = sdv_get_u64(&attrs[SUPERDEV_A_LEASE_NUMBER]);
	struct lent *lent = lent_find(peer->d, peer->info.name, number);
	bool read_only;

	(void)payload;
	if (lent)
		lent_end(lent, "returned", NULL);
	else if (sdv_has(&attrs[SUPERDEV_A_LEASE_OFFER]) &&
		 state_was_lent(peer->d, sdv_get_string(&attrs[SUPERDEV_A_LEASE_OFFER]), peer->info.key,
				number, &read_only))
		state_returned(peer->d, sdv_get_string(&attrs[SUPERDEV_A_LEASE_OFFER]), peer->info.key);
	control_answer(peer->d, request, SUPERDEV_ST_OK, NULL);
}

void lender_heard_all(struct peer *peer, struct conn *conn)
{
	list_for_each_safe(lent, &peer->d->lents, struct lent, node)
		if (!strcmp(lent->peer, peer->info.name) && lent->heard_on != conn->id)
			lent_end(lent, "its home does not hold it any more", NULL);
}

/* From workers ----------------------------------------------------------- */

void lender_worker_ready(struct lent *lent, const struct sdv_worker_msg *message)
{
	bool is_adopted = lent->phase == LENT_IDLE;

	if (message->config_len > sizeof(lent->config) || message->epoch != lent->epoch) {
		lent_failed(lent, SUPERDEV_ST_IO, "its worker serves another epoch");
		return;
	}
	memcpy(lent->config, message->config, message->config_len);
	lent->config_len = message->config_len;
	lent->lanes = message->index;
	if (is_adopted) {
		sdv_log(SDV_LOG_INFO, "lease %s of '%s': its worker goes on", lent->offer, lent->peer);
		lent->phase = LENT_UP;
		lent_report_lanes(lent);
		if (lent->has_request)
			lent_answer(lent, &lent->request);
		lent->has_request = false;
	} else if (lent->phase == LENT_STARTING) {
		lent->phase = LENT_SAVING;
		state_save(lent->d, lent_up, lent);
	}
}

void lender_worker_lane_down(struct lent *lent, uint32_t index, int error)
{
	if (index >= SUPERDEV_MAX_LANES)
		return;
	sdv_log(SDV_LOG_INFO, "lease %s of '%s': lane %u down: %s", lent->offer, lent->peer, index,
		error ? strerror(error < 0 ? -error : error) : "closed");
	lent->lanes &= ~(1u << index);
	if (lent->phase == LENT_UP)
		lent_report_lanes(lent);
}

void lender_worker_config(struct lent *lent, const struct sdv_worker_msg *message)
{
	struct sdv_attr attrs[SUPERDEV_A_BLK_CONFIG_MAX + 1];
	struct offer *offer = offer_by_name(lent->d, lent->offer);

	if (message->config_len > sizeof(lent->config))
		return;
	memcpy(lent->config, message->config, message->config_len);
	lent->config_len = message->config_len;
	sdv_log(SDV_LOG_NOTICE, "lease %s of '%s': changed its size or limits", lent->offer, lent->peer);
	lent_tell_home(lent, SUPERDEV_CTL_CONFIG, NULL);
	if (offer && !strcmp(lent->class_name, "blk") &&
	    !sdv_attr_parse(&sdv_blk_config_set, lent->config, lent->config_len, attrs, NULL) &&
	    sdv_has(&attrs[SUPERDEV_A_BLK_CONFIG_SIZE]))
		offer_resized(offer, sdv_get_u64(&attrs[SUPERDEV_A_BLK_CONFIG_SIZE]));
}

void lender_worker_gone(struct lent *lent)
{
	enum lent_phase phase = lent->phase;

	lent->worker = NULL;
	lent->lanes = 0;
	lent->phase = LENT_IDLE;
	if (phase == LENT_STARTING || phase == LENT_SAVING) {
		state_forget(lent->d, lent);
		lent_failed(lent, SUPERDEV_ST_IO, "its worker ended before it was ready");
		return;
	}
	sdv_log(SDV_LOG_ERR, "lease %s of '%s': its worker ended; home may resume", lent->offer, lent->peer);
	lent_report(lent, SUPERDEV_LEASE_STATE_SUSPENDED);
	/* It was being adopted, and home has asked meanwhile. */
	if (lent->has_request)
		lent_start(lent);
}

/* From offers, peers and the kernel -------------------------------------- */

void lender_offer_settled(struct offer *offer)
{
	struct list mine = LIST_INIT(mine);

	list_for_each_safe(parked, &offer->d->parked, struct parked, node) {
		if (strcmp(parked->want.offer, offer->info.name) != 0)
			continue;
		list_del(&parked->node);
		list_add_tail(&mine, &parked->node);
	}
	list_for_each_safe(parked, &mine, struct parked, node) {
		struct peer *peer = peer_by_name(offer->d, parked->peer);

		list_del(&parked->node);
		if (peer)
			lend(peer, &parked->want);
		free(parked);
	}
}

void lender_offer_removed(struct offer *offer)
{
	list_for_each_safe(lent, &offer->d->lents, struct lent, node)
		if (!strcmp(lent->offer, offer->info.name))
			lent_end(lent, "its offer is withdrawn", "the lender withdrew the offer");
	state_drop(offer->d, offer->info.name, NULL);
	list_for_each_safe(parked, &offer->d->parked, struct parked, node) {
		if (strcmp(parked->want.offer, offer->info.name) != 0)
			continue;
		list_del(&parked->node);
		control_refuse(offer->d, &parked->want.request, SUPERDEV_ST_NOENT, "no such offer: '%s'",
			       offer->info.name);
		free(parked);
	}
}

void lender_peer_deleted(struct peer *peer)
{
	list_for_each_safe(lent, &peer->d->lents, struct lent, node)
		if (!strcmp(lent->peer, peer->info.name))
			lent_end(lent, "the peer is deleted",
				 "the lender does not trust this machine any more");
	if (SDV_HAS(&peer->info, SUPERDEV_A_PEER_KEY))
		state_drop(peer->d, NULL, peer->info.key);
}

static void lent_adopt(struct lent *lent)
{
	int r = worker_adopt(lent->d, lent, lent->number, &lent->worker);

	if (!r)
		return;
	sdv_log(SDV_LOG_NOTICE, "lease %s of '%s': has no worker (%s); home may resume", lent->offer,
		lent->peer, strerror(-r));
	lent_report(lent, SUPERDEV_LEASE_STATE_SUSPENDED);
}

void lent_event(struct daemon *d, const struct sdv_lease_info *info)
{
	struct lent *found = NULL;
	struct peer *peer;

	list_for_each(lent, &d->lents, struct lent, node)
		if (lent->id == info->id)
			found = lent;
	if (found) {
		found->is_seen = true;
		if (info->state == SUPERDEV_LEASE_STATE_REVOKED)
			lent_end(found, "revoked", "the lender took it back");
		return;
	}
	peer = peer_by_name(d, info->peer);
	if (!peer || info->state == SUPERDEV_LEASE_STATE_REVOKED) {
		struct lent orphan = { .d = d, .id = info->id };

		/* The agent before this one did not get to say so. */
		lent_report(&orphan, SUPERDEV_LEASE_STATE_GONE);
		return;
	}
	found = lent_new(d, info->peer, peer->info.key, info->offer);
	if (!found) {
		sdv_log(SDV_LOG_ERR, "lease %s of '%s': out of memory", info->offer, info->peer);
		return;
	}
	found->id = info->id;
	found->is_seen = true;
	found->number = info->number;
	found->epoch = info->epoch;
	found->read_only = info->read_only;
	found->denied = info->denied;
	found->lanes_wanted = d->conf.lanes;
	snprintf(found->class_name, sizeof(found->class_name), "%s", info->class_name);
	if (state_lent(d, info->offer, found->key, info->number, info->epoch, info->read_only) < 0)
		sdv_log(SDV_LOG_ERR, "lease %s of '%s': out of memory", info->offer, info->peer);
	lent_adopt(found);
}

void lent_deleted(struct daemon *d, uint32_t id)
{
	list_for_each_safe(lent, &d->lents, struct lent, node) {
		if (!id || lent->id != id)
			continue;
		lent->id = 0;
		lent_end(lent, "forgotten by the registry", "the lender took it back");
		return;
	}
}

void lents_unsee(struct daemon *d)
{
	list_for_each(lent, &d->lents, struct lent, node)
		lent->is_seen = false;
}

void lents_sweep(struct daemon *d)
{
	list_for_each_safe(lent, &d->lents, struct lent, node)
		if (lent->id && !lent->is_seen)
			lent_end(lent, "forgotten by the registry", "the lender took it back");
}

void lents_close(struct daemon *d)
{
	list_for_each_safe(lent, &d->lents, struct lent, node)
		lent_free(lent);
	list_for_each_safe(parked, &d->parked, struct parked, node) {
		list_del(&parked->node);
		free(parked);
	}
}
