// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pair.c: two machines that do not know each other show the same short code.
 *
 * The side that connects commits to a nonce before it sees the other's, and
 * reveals it after: so a machine in the middle, which needs two different keys,
 * has one guess in a million at equal codes, and people see when it fails.
 * Trust is each side's own decision and is made by the kernel, for the code that
 * a person compared; here it only shows in what the registry tells.
 */
#include "pair.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "resolve.h"

#define UNANSWERED_MS 120000
#define EXCHANGE_MS   10000
#define PENDING_MAX   4     /* from outside, waiting for a person here */
#define ATTEMPTS_MAX  5     /* from outside, */
#define ATTEMPTS_MS   60000 /* in that time */
#define CONTEXT       "superdev pairing v1"

enum pair_phase {
	PAIR_RESOLVING,
	PAIR_CONNECTING,
	PAIR_COMMIT, /* ours is sent, or theirs is waited for */
	PAIR_REVEAL,
	PAIR_ASKING, /* the code is shown */
	PAIR_OVER,   /* failed; kept so that it is not tried again by itself */
};

struct pair {
	struct list node;
	struct daemon *d;
	enum pair_phase phase;
	bool is_initiator;
	bool is_told;             /* PAIR_CONFIRM was sent */
	char name[SDV_NAME_SIZE]; /* of the peer, once there is one */
	char host[64];            /* where it came from */
	struct helper *resolver;
	struct conn *conn;
	struct timer expiry;
	uint8_t key[SUPERDEV_KEY_LEN];
	uint8_t our_nonce[SUPERDEV_KEY_LEN], their_nonce[SUPERDEV_KEY_LEN];
	uint8_t commitment[SDV_HASH_SIZE];
};

struct pairing {
	struct list pairs;
	uint64_t attempts[ATTEMPTS_MAX]; /* when, oldest overwritten first */
	unsigned int next_attempt;
};

void pairing_open(struct daemon *d)
{
	d->pairing = calloc(1, sizeof(*d->pairing));
	if (d->pairing)
		list_init(&d->pairing->pairs);
}

/* Ends the exchange; what was found so far stays. */
static void pair_hang_up(struct pair *pair)
{
	if (pair->resolver)
		helper_cancel(pair->resolver);
	pair->resolver = NULL;
	if (pair->conn)
		conn_close(pair->conn);
	pair->conn = NULL;
}

static void pair_free(struct pair *pair)
{
	struct peer *peer = pair->name[0] ? peer_by_name(pair->d, pair->name) : NULL;

	if (peer && peer->pair == pair)
		peer->pair = NULL;
	pair_hang_up(pair);
	timer_stop(&pair->expiry);
	list_del(&pair->node);
	explicit_bzero(pair->our_nonce, sizeof(pair->our_nonce));
	free(pair);
}

void pairing_close(struct daemon *d)
{
	if (!d->pairing)
		return;
	list_for_each_safe(pair, &d->pairing->pairs, struct pair, node)
		pair_free(pair);
	free(d->pairing);
	d->pairing = NULL;
}

static int peer_command(struct pair *pair, int cmd, struct sdv_peer_info *info)
{
	int r;

	snprintf(info->name, sizeof(info->name), "%s", pair->name);
	SDV_SET(info, SUPERDEV_A_PEER_NAME);
	r = sdv_nl_peer(pair->d->nl, cmd, info);
	if (r < 0 && r != -ENOENT)
		sdv_log(SDV_LOG_ERR, "peer '%s': pairing: %s (%s)", pair->name, sdv_nl_error(pair->d->nl),
			strerror(-r));
	return r;
}

/* The peer that waited for a person is no more; frees @pair. */
static void pair_drop(struct pair *pair, const char *why)
{
	struct peer *peer = peer_by_name(pair->d, pair->name);
	struct sdv_peer_info info = { 0 };

	sdv_log(SDV_LOG_NOTICE, "peer '%s': pairing dropped: %s", pair->name, why);
	if (peer && !peer_is_trusted(peer))
		peer_command(pair, SUPERDEV_CMD_PEER_DEL, &info);
	pair_free(pair);
}

/* What a person here began has failed: they are told, and delete it. */
static void pair_failed(struct pair *pair, const char *why)
{
	struct sdv_peer_info info = { .state = SUPERDEV_PEER_STATE_REFUSED };

	sdv_log(SDV_LOG_WARNING, "peer '%s': pairing failed: %s", pair->name, why);
	pair_hang_up(pair);
	pair->phase = PAIR_OVER;
	snprintf(info.error, sizeof(info.error), "pairing failed: %.230s", why);
	SDV_SET(&info, SUPERDEV_A_PEER_STATE);
	SDV_SET(&info, SUPERDEV_A_PEER_ERROR);
	SDV_SET(&info, SUPERDEV_A_PEER_CODE); /* none any more */
	peer_command(pair, SUPERDEV_CMD_PEER_REPORT, &info);
	timer_start(&pair->expiry, UNANSWERED_MS);
}

static void pair_end(struct pair *pair, const char *why)
{
	struct peer *peer = pair->name[0] ? peer_by_name(pair->d, pair->name) : NULL;

	/* Without a name, or with trust, there is nothing that a person waits for. */
	if (!pair->name[0] || (peer && peer_is_trusted(peer)))
		pair_free(pair);
	else if (pair->is_initiator)
		pair_failed(pair, why);
	else
		pair_drop(pair, why);
}

static void pair_expired(struct timer *timer)
{
	struct pair *pair = container_of(timer, struct pair, expiry);

	if (pair->phase == PAIR_ASKING || pair->phase == PAIR_OVER)
		pair_drop(pair, "nobody answered");
	else
		pair_end(pair, "the other side does not go on with it");
}

/* The exchange ----------------------------------------------------------- */

static void pair_tell(struct pair *pair, unsigned int op, const void *nonce)
{
	uint8_t data[SUPERDEV_KEY_LEN + 8];
	struct sdv_attr_writer w;

	sdv_attr_begin(&w, data, sizeof(data));
	if (nonce)
		sdv_put_binary(&w, SUPERDEV_A_AGENT_NONCE, nonce, SUPERDEV_KEY_LEN);
	control_tell(pair->conn, op, &w);
}

static int make_code(const struct pair *pair, char ret_code[16])
{
	const uint8_t *keys[2] = { pair->d->public_key, pair->key };
	const uint8_t *nonces[2] = { pair->our_nonce, pair->their_nonce };
	uint8_t text[sizeof(CONTEXT) - 1 + 4 * (size_t)SUPERDEV_KEY_LEN], hash[SDV_HASH_SIZE], *at = text;
	unsigned int first = pair->is_initiator ? 0 : 1, code;
	uint64_t number = 0;

	at = mempcpy(at, CONTEXT, sizeof(CONTEXT) - 1);
	at = mempcpy(at, keys[first], SUPERDEV_KEY_LEN);
	at = mempcpy(at, keys[!first], SUPERDEV_KEY_LEN);
	at = mempcpy(at, nonces[first], SUPERDEV_KEY_LEN);
	mempcpy(at, nonces[!first], SUPERDEV_KEY_LEN);
	if (sdv_hash(text, sizeof(text), hash) < 0)
		return -EIO;
	for (int i = 0; i < 8; i++)
		number = number << 8 | hash[i];
	code = number % 1000000;
	snprintf(ret_code, 16, "%03u %03u", code / 1000, code % 1000);
	return 0;
}

/* A name for a machine that came by itself: what it calls itself, if that will do. */
static void choose_name(struct pair *pair, const char *announced)
{
	char base[SDV_NAME_SIZE - 8];
	size_t len = 0;

	for (; *announced && len < sizeof(base) - 1; announced++) {
		bool is_fine = isalnum((unsigned char)*announced) && !(*announced & 0x80);

		if (is_fine || (len && strchr("._-", *announced)))
			base[len++] = *announced;
	}
	base[len] = '\0';
	if (!len)
		strcpy(base, "peer");
	snprintf(pair->name, sizeof(pair->name), "%s", base);
	for (unsigned int i = 2; peer_by_name(pair->d, pair->name); i++)
		snprintf(pair->name, sizeof(pair->name), "%s-%u", base, i);
}

/* Both nonces are known: shows the code. */
static void pair_ask(struct pair *pair)
{
	struct peer *known = peer_by_key(pair->d, pair->key);
	struct sdv_peer_info info = { 0 };
	int r;

	if (make_code(pair, info.code) < 0) {
		pair_end(pair, "no SHA-256");
		return;
	}
	SDV_SET(&info, SUPERDEV_A_PEER_CODE);
	if (known && peer_is_trusted(known)) {
		/* Only the other side has forgotten; nothing is to be decided here. */
		sdv_log(SDV_LOG_NOTICE, "peer '%s': pairs again; trusted here already, code there %s",
			known->info.name, info.code);
		pair_tell(pair, SUPERDEV_CTL_PAIR_CONFIRM, NULL);
		pair->is_told = true;
		pair->phase = PAIR_ASKING;
		timer_start(&pair->expiry, UNANSWERED_MS);
		return;
	}
	memcpy(info.key, pair->key, sizeof(info.key));
	SDV_SET(&info, SUPERDEV_A_PEER_KEY);
	if (!pair->is_initiator) {
		choose_name(pair, pair->conn->theirs.name);
		snprintf(info.address, sizeof(info.address), strchr(pair->host, ':') ? "[%s]:%u" : "%s:%u",
			 pair->host, pair->conn->theirs.port ? pair->conn->theirs.port : SUPERDEV_PORT);
		SDV_SET(&info, SUPERDEV_A_PEER_ADDRESS);
	}
	r = peer_command(pair, SUPERDEV_CMD_PEER_REPORT, &info);
	if (r < 0) {
		char why[SDV_TEXT_SIZE];

		snprintf(why, sizeof(why), "%.200s", sdv_nl_error(pair->d->nl));
		if (!pair->is_initiator)
			pair->name[0] = '\0'; /* there is no such peer */
		pair_end(pair, why[0] ? why : strerror(-r));
		return;
	}
	sdv_log(SDV_LOG_NOTICE, "peer '%s': wants to be trusted; code %s", pair->name, info.code);
	pair->phase = PAIR_ASKING;
	timer_start(&pair->expiry, UNANSWERED_MS);
}

static void take_nonce(struct pair *pair, unsigned int op, const uint8_t *nonce)
{
	uint8_t hash[SDV_HASH_SIZE];

	if (op == SUPERDEV_CTL_PAIR_COMMIT && !pair->is_initiator && pair->phase == PAIR_COMMIT) {
		memcpy(pair->commitment, nonce, sizeof(pair->commitment));
		pair->phase = PAIR_REVEAL;
		pair_tell(pair, SUPERDEV_CTL_PAIR_NONCE, pair->our_nonce);
	} else if (op == SUPERDEV_CTL_PAIR_NONCE && pair->is_initiator && pair->phase == PAIR_COMMIT) {
		memcpy(pair->their_nonce, nonce, sizeof(pair->their_nonce));
		pair_tell(pair, SUPERDEV_CTL_PAIR_REVEAL, pair->our_nonce);
		pair_ask(pair);
	} else if (op == SUPERDEV_CTL_PAIR_REVEAL && !pair->is_initiator && pair->phase == PAIR_REVEAL) {
		if (sdv_hash(nonce, SUPERDEV_KEY_LEN, hash) < 0 ||
		    memcmp(hash, pair->commitment, sizeof(hash)) != 0) {
			conn_fail(pair->conn, -EPROTO, "revealed another nonce than it committed to");
			return;
		}
		memcpy(pair->their_nonce, nonce, sizeof(pair->their_nonce));
		pair_ask(pair);
	} else {
		conn_fail(pair->conn, -EPROTO, "sent a pairing message out of turn");
	}
}

static void pair_frame(struct conn *conn, const struct sdv_head *head, const void *payload)
{
	struct sdv_attr attrs[SUPERDEV_A_AGENT_MAX + 1];
	struct pair *pair = conn->owner;
	struct peer *peer;

	if (sdv_attr_parse(&sdv_agent_set, payload, head->length, attrs, NULL) < 0 ||
	    head->flags & SUPERDEV_F_REPLY) {
		conn_fail(conn, -EBADMSG, "sent a malformed pairing message");
		return;
	}
	if (head->op == SUPERDEV_CTL_PAIR_CONFIRM) {
		sdv_log(SDV_LOG_INFO, "peer '%s': trusts this machine", pair->name);
		peer = peer_by_name(pair->d, pair->name);
		if (peer && peer_is_trusted(peer))
			peer_dial_now(peer);
		return;
	}
	if (!sdv_has(&attrs[SUPERDEV_A_AGENT_NONCE]))
		conn_fail(conn, -EBADMSG, "sent a pairing message without nonce");
	else
		take_nonce(pair, head->op, attrs[SUPERDEV_A_AGENT_NONCE].data);
}

static void pair_open(struct conn *conn)
{
	struct pair *pair = conn->owner;
	uint8_t hash[SDV_HASH_SIZE];

	memcpy(pair->key, conn->key, sizeof(pair->key));
	pair->phase = PAIR_COMMIT;
	timer_start(&pair->expiry, EXCHANGE_MS);
	if (!pair->is_initiator)
		return;
	if (sdv_hash(pair->our_nonce, sizeof(pair->our_nonce), hash) < 0)
		conn_fail(conn, -EIO, "no SHA-256");
	else
		pair_tell(pair, SUPERDEV_CTL_PAIR_COMMIT, hash);
}

static void pair_closed(struct conn *conn, int error, const char *why)
{
	struct pair *pair = conn->owner;

	(void)error;
	pair->conn = NULL;
	pair_end(pair, pair->phase == PAIR_ASKING ? "the other side said no" : why);
}

static const struct conn_ops pair_ops = {
	.open = pair_open,
	.frame = pair_frame,
	.closed = pair_closed,
};

static struct pair *pair_new(struct daemon *d, bool is_initiator)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return NULL;
	pair->d = d;
	pair->is_initiator = is_initiator;
	timer_init(&pair->expiry, &d->timers, pair_expired);
	random_bytes(pair->our_nonce, sizeof(pair->our_nonce));
	list_add_tail(&d->pairing->pairs, &pair->node);
	return pair;
}

/* Begun here ------------------------------------------------------------- */

static void pair_resolved(void *arg, int error, const void *result, int fd)
{
	static const struct hello hello = { .purpose = SUPERDEV_PURPOSE_PAIR };
	const struct addresses *addresses = result;
	struct pair *pair = arg;
	char why[SDV_TEXT_SIZE];
	int r;

	(void)fd;
	pair->resolver = NULL;
	if (error || !addresses->count) {
		snprintf(why, sizeof(why), "its address: %s",
			 error == -EINVAL ? "is no HOST, HOST:PORT or [ADDRESS]:PORT"
			 : error          ? strerror(-error)
					  : addresses->error);
		pair_failed(pair, why);
		return;
	}
	pair->phase = PAIR_CONNECTING;
	r = conn_connect(pair->d, (const struct sockaddr *)&addresses->at[0].addr, addresses->at[0].len, NULL,
			 &hello, &pair_ops, pair, &pair->conn);
	if (r < 0) {
		snprintf(why, sizeof(why), "connect: %s", strerror(-r));
		pair_failed(pair, why);
	}
}

void pair_wanted(struct peer *peer)
{
	struct addresses addresses;
	struct pair *pair;
	int r;

	if (peer->pair || peer_is_trusted(peer))
		return;
	list_for_each(other, &peer->d->pairing->pairs, struct pair, node) {
		if (strcmp(other->name, peer->info.name) != 0)
			continue;
		/* It came from outside, and the kernel has just told us of it. */
		peer->pair = other;
		return;
	}
	pair = pair_new(peer->d, true);
	if (!pair)
		return;
	peer->pair = pair;
	snprintf(pair->name, sizeof(pair->name), "%s", peer->info.name);
	if (SDV_HAS(&peer->info, SUPERDEV_A_PEER_KEY)) {
		/* Left over: nobody could have compared its code to the end. */
		pair->phase = PAIR_OVER;
		timer_start(&pair->expiry, 0);
		return;
	}
	r = resolve_numeric(peer->info.address, SUPERDEV_PORT, &addresses);
	if (r == -EAGAIN)
		r = resolve_start(peer->d, peer->info.address, SUPERDEV_PORT, pair_resolved, pair,
				  &pair->resolver);
	else if (!r)
		pair_resolved(pair, 0, &addresses, -1);
	if (r < 0)
		pair_resolved(pair, r, NULL, -1);
}

/* Begun at the other side ------------------------------------------------ */

static bool is_too_often(struct pairing *pairing)
{
	uint64_t *oldest = &pairing->attempts[pairing->next_attempt % ATTEMPTS_MAX];

	if (*oldest && now_ms() - *oldest < ATTEMPTS_MS)
		return true;
	*oldest = now_ms();
	pairing->next_attempt++;
	return false;
}

uint32_t pair_accept(struct conn *conn, struct peer *peer, char *error, size_t error_size)
{
	struct pairing *pairing = conn->d->pairing;
	unsigned int count = 0;
	struct pair *pair;
	char host[64];

	sockaddr_host(&conn->addr, host, sizeof(host));
	list_for_each(other, &pairing->pairs, struct pair, node) {
		if (other->is_initiator)
			continue;
		count++;
		if (!strcmp(other->host, host)) {
			snprintf(error, error_size, "a pairing with %s waits for an answer already", host);
			return SUPERDEV_ST_BUSY;
		}
	}
	if (count >= PENDING_MAX) {
		snprintf(error, error_size, "%u pairings wait for an answer already", count);
		return SUPERDEV_ST_BUSY;
	}
	if (peer && !peer_is_trusted(peer)) {
		snprintf(error, error_size, "that key is being paired already");
		return SUPERDEV_ST_BUSY;
	}
	if (is_too_often(pairing)) {
		snprintf(error, error_size, "more than %d pairings a minute: try again later", ATTEMPTS_MAX);
		return SUPERDEV_ST_BUSY;
	}
	pair = pair_new(conn->d, false);
	if (!pair) {
		snprintf(error, error_size, "out of memory");
		return SUPERDEV_ST_NOMEM;
	}
	snprintf(pair->host, sizeof(pair->host), "%s", host);
	pair->conn = conn;
	pair->phase = PAIR_CONNECTING;
	timer_start(&pair->expiry, EXCHANGE_MS);
	conn->ops = &pair_ops;
	conn->owner = pair;
	return SUPERDEV_ST_OK;
}

/* Decided ---------------------------------------------------------------- */

void pair_trusted(struct peer *peer)
{
	struct pair *pair = peer->pair;

	if (!pair || pair->phase != PAIR_ASKING || pair->is_told)
		return;
	sdv_log(SDV_LOG_NOTICE, "peer '%s': trusted", peer->info.name);
	pair->is_told = true;
	if (pair->conn)
		pair_tell(pair, SUPERDEV_CTL_PAIR_CONFIRM, NULL);
}

void pair_forget(struct peer *peer)
{
	if (peer->pair)
		pair_free(peer->pair);
}
