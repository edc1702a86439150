// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer.c: the other machines: their control connections, whether they are
 * online, and what was reported of them to the kernel.
 */
#include "peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "lease_home.h"
#include "lease_lender.h"
#include "offer.h"
#include "pair.h"
#include "state.h"

#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 5000
#define FORGET_MS      30000 /* offline for so long: its offers are gone */

struct peer *peer_by_name(struct daemon *d, const char *name)
{
	list_for_each(peer, &d->peers, struct peer, node)
		if (!strcmp(peer->info.name, name))
			return peer;
	return NULL;
}

struct peer *peer_by_key(struct daemon *d, const uint8_t key[SUPERDEV_KEY_LEN])
{
	list_for_each(peer, &d->peers, struct peer, node)
		if (SDV_HAS(&peer->info, SUPERDEV_A_PEER_KEY) &&
		    !memcmp(peer->info.key, key, SUPERDEV_KEY_LEN))
			return peer;
	return NULL;
}

bool peer_is_trusted(const struct peer *peer)
{
	return peer->info.trust == SUPERDEV_TRUST_TRUSTED && SDV_HAS(&peer->info, SUPERDEV_A_PEER_KEY);
}

bool peer_is_online(const struct peer *peer)
{
	return peer->out || peer->in;
}

enum superdev_transport peer_transport(const struct peer *peer)
{
	return peer->info.transport == SUPERDEV_TRANSPORT_CLEAR &&
			       peer->peer_transport == SUPERDEV_TRANSPORT_CLEAR
		       ? SUPERDEV_TRANSPORT_CLEAR
		       : SUPERDEV_TRANSPORT_TLS;
}

/* Telling the kernel ----------------------------------------------------- */

static void peer_report(struct peer *peer)
{
	struct sdv_peer_info info = { 0 };
	int r;

	snprintf(info.name, sizeof(info.name), "%s", peer->info.name);
	info.state = peer->state;
	info.peer_transport = peer->peer_transport;
	info.rtt_us = peer->rtt_us;
	snprintf(info.error, sizeof(info.error), "%s", peer->error);
	SDV_SET(&info, SUPERDEV_A_PEER_NAME);
	SDV_SET(&info, SUPERDEV_A_PEER_STATE);
	SDV_SET(&info, SUPERDEV_A_PEER_PEER_TRANSPORT);
	SDV_SET(&info, SUPERDEV_A_PEER_RTT_US);
	SDV_SET(&info, SUPERDEV_A_PEER_ERROR);
	r = sdv_nl_peer(peer->d->nl, SUPERDEV_CMD_PEER_REPORT, &info);
	/* -ENOENT: it was deleted a moment ago, and the notification is on its way. */
	if (r < 0 && r != -ENOENT)
		sdv_log(SDV_LOG_ERR, "peer '%s': report refused: %s (%s)", peer->info.name,
			sdv_nl_error(peer->d->nl), strerror(-r));
}

static void set_state(struct peer *peer, enum superdev_peer_state state, const char *error)
{
	if (peer->state == state && !strcmp(peer->error, error))
		return;
	peer->state = state;
	snprintf(peer->error, sizeof(peer->error), "%s", error);
	if (state == SUPERDEV_PEER_STATE_ONLINE)
		timer_stop(&peer->forget);
	else if (!timer_is_armed(&peer->forget))
		timer_start(&peer->forget, FORGET_MS);
	peer_report(peer);
}

void peer_measured(struct peer *peer, uint64_t rtt_us)
{
	uint64_t old = peer->rtt_us, now;

	peer->rtts[peer->next_rtt++ % PEER_NR_RTTS] = rtt_us > UINT32_MAX ? UINT32_MAX : rtt_us ? rtt_us : 1;
	/* The way, and not how long an agent waited for its processor: the shortest one has that least. */
	now = UINT32_MAX;
	for (int i = 0; i < PEER_NR_RTTS; i++)
		if (peer->rtts[i] && peer->rtts[i] < now)
			now = peer->rtts[i];
	/* A change of less than a quarter is not worth everybody's attention. */
	if (old && now * 4 >= old * 3 && now * 4 <= old * 5)
		return;
	peer->rtt_us = (uint32_t)now;
	peer_report(peer);
}

static void forget_due(struct timer *timer)
{
	struct peer *peer = container_of(timer, struct peer, forget);

	offers_forget(peer);
}

/* Dialing ---------------------------------------------------------------- */

static void dial(struct peer *peer);

static void redial_later(struct peer *peer)
{
	if (!peer_is_trusted(peer) || !peer->info.address[0])
		return;
	timer_start(&peer->redial, peer->backoff_ms);
	peer->backoff_ms *= 2;
	if (peer->backoff_ms > BACKOFF_MAX_MS)
		peer->backoff_ms = BACKOFF_MAX_MS;
}

static void dial_failed(struct peer *peer, int error, const char *why)
{
	bool is_refused =
		error == -EPERM || error == -EKEYREJECTED || error == -ELOOP || error == -EOPNOTSUPP;

	if (strcmp(peer->error, why) != 0)
		sdv_log(SDV_LOG_WARNING, "peer '%s': %s", peer->info.name, why);
	if (peer->in)
		set_state(peer, SUPERDEV_PEER_STATE_ONLINE, why);
	else
		set_state(peer, is_refused ? SUPERDEV_PEER_STATE_REFUSED : SUPERDEV_PEER_STATE_OFFLINE, why);
	/* The next address of the same name at once, the first again after a while. */
	if (++peer->next_address < peer->addresses.count && !is_refused)
		timer_start(&peer->redial, 0);
	else
		redial_later(peer);
}

bool peer_sockaddr(const struct peer *peer, const struct sockaddr **ret_addr, socklen_t *ret_len)
{
	if (!peer->out)
		return false;
	*ret_addr = (const struct sockaddr *)&peer->out->addr;
	*ret_len = peer->out->addr.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							 : sizeof(struct sockaddr_in);
	return true;
}

static void connect_next(struct peer *peer)
{
	struct hello hello = {
		.purpose = SUPERDEV_PURPOSE_CONTROL,
		.transport = peer->info.transport,
	};
	unsigned int i = peer->next_address;
	int r;

	r = conn_connect(peer->d, (const struct sockaddr *)&peer->addresses.at[i].addr,
			 peer->addresses.at[i].len, peer->info.key, &hello, &control_ops, peer,
			 &peer->dialing);
	if (r < 0) {
		char text[80], why[SDV_TEXT_SIZE];

		sockaddr_text(&peer->addresses.at[i].addr, text, sizeof(text));
		snprintf(why, sizeof(why), "connect to %s: %s", text, strerror(-r));
		dial_failed(peer, r, why);
		return;
	}
	peer->dialing->peer = peer;
}

static void dial_resolved(void *arg, int error, const void *result, int fd)
{
	const struct addresses *addresses = result;
	struct peer *peer = arg;
	char why[SDV_TEXT_SIZE];

	(void)fd;
	peer->resolver = NULL;
	peer->next_address = 0;
	peer->addresses.count = 0;
	if (!error && addresses->count) {
		peer->addresses = *addresses;
		connect_next(peer);
		return;
	}
	snprintf(why, sizeof(why), "address '%.100s': %s", peer->info.address,
		 error == -EINVAL ? "is no HOST, HOST:PORT or [ADDRESS]:PORT"
		 : error          ? strerror(-error)
				  : addresses->error);
	dial_failed(peer, error ? error : -ENOENT, why);
}

static void dial(struct peer *peer)
{
	int r;

	if (peer->out || peer->dialing || peer->resolver || !peer_is_trusted(peer) || !peer->info.address[0])
		return;
	if (!peer->error[0] && !peer->in)
		set_state(peer, SUPERDEV_PEER_STATE_CONNECTING, "");
	if (peer->next_address && peer->next_address < peer->addresses.count) {
		connect_next(peer);
		return;
	}
	r = resolve_numeric(peer->info.address, SUPERDEV_PORT, &peer->addresses);
	if (!r) {
		peer->next_address = 0;
		connect_next(peer);
		return;
	}
	if (r == -EAGAIN)
		r = resolve_start(peer->d, peer->info.address, SUPERDEV_PORT, dial_resolved, peer,
				  &peer->resolver);
	if (r < 0)
		dial_resolved(peer, r, NULL, -1);
}

static void redial_due(struct timer *timer)
{
	dial(container_of(timer, struct peer, redial));
}

void peer_dial_now(struct peer *peer)
{
	if (peer->backoff_ms > BACKOFF_MIN_MS && timer_is_armed(&peer->redial)) {
		peer->backoff_ms = BACKOFF_MIN_MS;
		timer_start(&peer->redial, 0);
	}
}

static void hang_up(struct peer *peer)
{
	struct conn **conns[] = { &peer->out, &peer->in, &peer->dialing };

	for (size_t i = 0; i < sizeof(conns) / sizeof(conns[0]); i++) {
		struct conn *conn = *conns[i];

		*conns[i] = NULL;
		if (conn)
			control_close(conn);
	}
	if (peer->resolver)
		helper_cancel(peer->resolver);
	peer->resolver = NULL;
	timer_stop(&peer->redial);
}

/* Connections ------------------------------------------------------------ */

static void tell_transport(struct peer *peer, struct conn *conn)
{
	struct sdv_attr_writer w;
	uint8_t data[16];

	if (!conn)
		return;
	sdv_attr_begin(&w, data, sizeof(data));
	sdv_put_u32(&w, SUPERDEV_A_PEER_TRANSPORT, peer->info.transport);
	control_tell(conn, SUPERDEV_CTL_TRANSPORT, &w);
}

void peer_wants_transport(struct peer *peer, enum superdev_transport transport)
{
	enum superdev_transport before = peer_transport(peer);

	if (transport == peer->peer_transport)
		return;
	peer->peer_transport = transport;
	sdv_log(SDV_LOG_NOTICE, "peer '%s': wants lanes %s", peer->info.name,
		transport == SUPERDEV_TRANSPORT_CLEAR ? "in clear" : "with TLS");
	peer_report(peer);
	if (peer_transport(peer) != before)
		home_transport_changed(peer);
}

void peer_conn_open(struct conn *conn)
{
	struct peer *peer = conn->peer;
	struct conn *old;

	if (conn->is_server) {
		/* The peer would not open a second one while it believes in the first. */
		old = peer->in;
		peer->in = conn;
		if (old)
			control_close(old);
	} else {
		peer->dialing = NULL;
		peer->out = conn;
		peer->session++;
		peer->backoff_ms = BACKOFF_MIN_MS;
		peer->next_address = 0;
	}
	sdv_log(SDV_LOG_INFO, "peer '%s': control connection %s %s", peer->info.name,
		conn->is_server ? "from" : "to", conn->text);
	peer_wants_transport(peer, conn->theirs.transport);
	/* It was changed after our HELLO of this connection had been written. */
	if (conn->ours.transport != peer->info.transport)
		tell_transport(peer, conn);
	set_state(peer, SUPERDEV_PEER_STATE_ONLINE, "");
	if (conn->is_server)
		offers_announce_all(conn);
	else
		home_peer_online(peer);
	/* The first ping says that this was all. */
	control_start(conn, peer);
	if (conn->is_server)
		peer_dial_now(peer);
}

void peer_conn_closed(struct peer *peer, struct conn *conn, int error, const char *why)
{
	if (conn == peer->dialing) {
		peer->dialing = NULL;
		dial_failed(peer, error, why);
		return;
	}
	if (conn != peer->out && conn != peer->in)
		return;
	sdv_log(SDV_LOG_NOTICE, "peer '%s': control connection %s %s: %s", peer->info.name,
		conn->is_server ? "from" : "to", conn->text, why);
	if (conn == peer->in) {
		peer->in = NULL;
	} else {
		peer->out = NULL;
		offers_unhear(peer);
		home_peer_offline(peer);
		redial_later(peer);
	}
	if (!peer_is_online(peer))
		set_state(peer, SUPERDEV_PEER_STATE_OFFLINE, why);
}

/* From the kernel's registry --------------------------------------------- */

static struct peer *peer_new(struct daemon *d, const struct sdv_peer_info *info)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer) {
		sdv_log(SDV_LOG_ERR, "peer '%s': out of memory", info->name);
		return NULL;
	}
	peer->d = d;
	peer->info = *info;
	peer->state = info->state;
	peer->backoff_ms = BACKOFF_MIN_MS;
	list_init(&peer->offers);
	timer_init(&peer->redial, &d->timers, redial_due);
	timer_init(&peer->forget, &d->timers, forget_due);
	list_add_tail(&d->peers, &peer->node);
	/* What an agent before this one said no longer holds. */
	if (info->state != SUPERDEV_PEER_STATE_OFFLINE)
		set_state(peer, SUPERDEV_PEER_STATE_OFFLINE, "");
	else
		timer_start(&peer->forget, FORGET_MS);
	return peer;
}

static void peer_start(struct peer *peer)
{
	if (peer_is_trusted(peer))
		dial(peer);
	else
		pair_wanted(peer);
}

void peer_event(struct daemon *d, const struct sdv_peer_info *info)
{
	struct peer *peer = peer_by_name(d, info->name);
	enum superdev_transport before;
	struct sdv_peer_info old;

	if (!peer) {
		peer = peer_new(d, info);
		if (!peer)
			return;
		peer->is_seen = true;
		state_changed(d);
		peer_start(peer);
		return;
	}
	peer->is_seen = true;
	old = peer->info;
	before = peer_transport(peer);
	peer->info = *info;
	if (old.trust != info->trust || old.transport != info->transport ||
	    strcmp(old.address, info->address) != 0)
		state_changed(d);
	if (memcmp(old.key, info->key, sizeof(old.key)) != 0 && peer_is_trusted(peer)) {
		hang_up(peer);
		peer->error[0] = '\0';
	}
	if (!memcmp(old.key, info->key, sizeof(old.key)) && old.trust != info->trust && peer_is_trusted(peer))
		pair_trusted(peer);
	if (strcmp(old.address, info->address) != 0) {
		struct conn *out = peer->out ? peer->out : peer->dialing;

		peer->next_address = 0;
		peer->backoff_ms = BACKOFF_MIN_MS;
		if (peer->resolver)
			helper_cancel(peer->resolver);
		peer->resolver = NULL;
		if (out)
			conn_fail(out, -ECANCELED, "its address is changed");
		timer_stop(&peer->redial);
	}
	if (old.transport != info->transport) {
		tell_transport(peer, peer->out);
		tell_transport(peer, peer->in);
		if (peer_transport(peer) != before)
			home_transport_changed(peer);
	}
	if (!timer_is_armed(&peer->redial))
		peer_start(peer);
}

static void peer_free(struct peer *peer)
{
	pair_forget(peer);
	hang_up(peer);
	/* One may have said HELLO and not be ours yet. */
	list_for_each_safe(conn, &peer->d->conns, struct conn, node)
		if (conn->peer == peer)
			control_close(conn);
	timer_stop(&peer->forget);
	offers_unlink(peer);
	list_del(&peer->node);
	free(peer);
}

void peer_deleted(struct daemon *d, const char *name)
{
	struct peer *peer = peer_by_name(d, name);

	if (!peer)
		return;
	sdv_log(SDV_LOG_INFO, "peer '%s': deleted", name);
	lender_peer_deleted(peer);
	home_peer_deleted(peer);
	offers_forget(peer);
	peer_free(peer);
	state_changed(d);
}

void peers_unsee(struct daemon *d)
{
	list_for_each(peer, &d->peers, struct peer, node)
		peer->is_seen = false;
}

void peers_sweep(struct daemon *d)
{
	list_for_each_safe(peer, &d->peers, struct peer, node)
		if (!peer->is_seen)
			peer_deleted(d, peer->info.name);
}

void peers_close(struct daemon *d)
{
	list_for_each_safe(peer, &d->peers, struct peer, node)
		peer_free(peer);
}
