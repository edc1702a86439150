// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer.c: commands that change peers.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry.h"

#define PAIR_TIMEOUT_MS   30000
/* As long as the agents keep an unanswered pairing. */
#define ANSWER_TIMEOUT_MS 120000
#define GONE_TIMEOUT_MS   30000

/* 0, or CLI_FAILED after saying why it is none: a name that was cut would be another one. */
static int set_name(struct cli *cli, struct sdv_peer_info *info, const char *name)
{
	const char *why = cli_name_check(name);

	if (why)
		return cli_fail(cli, name, "%s", why);
	stpcpy(info->name, name);
	SDV_SET(info, SUPERDEV_A_PEER_NAME);
	return 0;
}

/* 0, or CLI_FAILED after saying why it is none. */
static int set_address(struct cli *cli, struct sdv_peer_info *info, const char *address)
{
	const char *why = cli_address_check(address);

	if (why)
		return cli_fail(cli, address, "%s", why);
	snprintf(info->address, sizeof(info->address), "%s", address);
	SDV_SET(info, SUPERDEV_A_PEER_ADDRESS);
	return 0;
}

static void set_transport(struct sdv_peer_info *info, const char *transport)
{
	info->transport = !strcmp(transport, "clear") ? SUPERDEV_TRANSPORT_CLEAR : SUPERDEV_TRANSPORT_TLS;
	SDV_SET(info, SUPERDEV_A_PEER_TRANSPORT);
}

int cli_peer_add(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "NAME"), *key = cli_arg(args, "key"), *why;
	const char *address = cli_arg(args, "address"), *transport = cli_arg(args, "transport");
	struct sdv_peer_info info = { 0 };
	int r;

	if (set_name(cli, &info, name))
		return CLI_FAILED;
	why = cli_key_parse(key, info.key);
	if (why)
		return cli_fail(cli, name, "key '%s' %s", key, why);
	SDV_SET(&info, SUPERDEV_A_PEER_KEY);
	if (address && set_address(cli, &info, address))
		return CLI_FAILED;
	if (transport)
		set_transport(&info, transport);
	r = sdv_nl_peer(cli->nl, SUPERDEV_CMD_PEER_ADD, &info);
	return r ? cli_refused(cli, name, r) : 0;
}

int cli_peer_set(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "NAME");
	const char *address = cli_arg(args, "address"), *transport = cli_arg(args, "transport");
	struct sdv_peer_info info = { 0 };
	int r;

	if (!address && !transport)
		return cli_misuse(cli, "say what to change: transport tls|clear or address HOST");
	if (set_name(cli, &info, name))
		return CLI_FAILED;
	if (address && set_address(cli, &info, address))
		return CLI_FAILED;
	if (transport)
		set_transport(&info, transport);
	r = sdv_nl_peer(cli->nl, SUPERDEV_CMD_PEER_SET, &info);
	if (r == -ENOENT)
		return cli_no_such(cli, CLI_PEERS, name);
	return r ? cli_refused(cli, name, r) : 0;
}

static int is_peer_gone(struct cli *cli, void *arg)
{
	struct sdv_peer_info peer;
	int r = sdv_nl_peer_get(cli->nl, arg, &peer);

	return r == -ENOENT ? 1 : r;
}

int cli_peer_del(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "NAME");
	struct sdv_peer_info info = { 0 };
	int r;

	if (set_name(cli, &info, name))
		return CLI_FAILED;
	if (cli_arg(args, "force")) {
		info.force = true;
		SDV_SET(&info, SUPERDEV_A_PEER_FORCE);
	}
	r = cli_watch(cli);
	if (!r)
		r = sdv_nl_peer(cli->nl, SUPERDEV_CMD_PEER_DEL, &info);
	if (r == -ENOENT)
		return cli_no_such(cli, CLI_PEERS, name);
	if (r)
		return cli_refused(cli, name, r);
	cli_interrupt_begin();
	r = cli_wait(cli, is_peer_gone, (void *)name, GONE_TIMEOUT_MS,
		     "waiting for the peer's leases to end");
	cli_interrupt_end();
	if (r == -ETIMEDOUT || r == -EINTR || r == -ENOTCONN)
		return cli_fail(cli, name, "its leases have not ended yet; see: superdev lease list");
	return r < 0 ? cli_refused(cli, name, r) : 0;
}

/* Pairing ---------------------------------------------------------------- */

static void forget(struct cli *cli, const char *name)
{
	struct sdv_peer_info info = { .force = true };

	snprintf(info.name, sizeof(info.name), "%s", name);
	SDV_SET(&info, SUPERDEV_A_PEER_NAME);
	SDV_SET(&info, SUPERDEV_A_PEER_FORCE);
	sdv_nl_peer(cli->nl, SUPERDEV_CMD_PEER_DEL, &info);
}

static int trust(struct cli *cli, const struct sdv_peer_info *peer)
{
	struct sdv_peer_info info = { .trust = SUPERDEV_TRUST_TRUSTED };
	int r;

	snprintf(info.name, sizeof(info.name), "%s", peer->name);
	SDV_SET(&info, SUPERDEV_A_PEER_NAME);
	SDV_SET(&info, SUPERDEV_A_PEER_TRUST);
	/* The code that was compared: the kernel refuses if it is another by now. */
	snprintf(info.code, sizeof(info.code), "%s", peer->code);
	SDV_SET(&info, SUPERDEV_A_PEER_CODE);
	r = sdv_nl_peer(cli->nl, SUPERDEV_CMD_PEER_SET, &info);
	return r ? cli_refused(cli, peer->name, r) : 0;
}

/* Whether the pairing that is being asked about is still the same. */
static bool is_still_asked(struct cli *cli, const struct sdv_peer_info *peer)
{
	struct sdv_peer_info now;

	return !sdv_nl_peer_get(cli->nl, peer->name, &now) && now.trust == SUPERDEV_TRUST_PENDING &&
	       !strcmp(now.code, peer->code);
}

/*
 * A line of a person's.  1: it begins with y; 0: it does not; -EPIPE: nobody
 * there; -ETIMEDOUT; -ESTALE: the pairing is no more; -EINTR.
 */
static int read_answer(struct cli *cli, int fd, const struct sdv_peer_info *peer)
{
	struct pollfd pollfds[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = sdv_nl_watch_fd(cli->nl), .events = POLLIN },
	};
	const uint64_t start = cli_now_ms();
	bool is_yes = false, is_first = true;
	uint64_t passed;
	ssize_t n;
	char c;

	for (;;) {
		passed = cli_now_ms() - start;
		if (cli_is_interrupted())
			return -EINTR;
		if (passed >= ANSWER_TIMEOUT_MS)
			return -ETIMEDOUT;
		if (poll(pollfds, 2, (int)(ANSWER_TIMEOUT_MS - passed)) < 0)
			continue;
		if (pollfds[1].revents && cli_watch_drain(cli) == 0 && !is_still_asked(cli, peer))
			return -ESTALE;
		if (!pollfds[0].revents)
			continue;
		n = read(fd, &c, 1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return is_first ? -EPIPE : is_yes;
		if (c == '\n')
			return is_yes;
		if (is_first && c != ' ' && c != '\t') {
			is_yes = c == 'y' || c == 'Y';
			is_first = false;
		}
	}
}

/* Asks whether the other side shows the same code.  As read_answer(). */
static int ask(struct cli *cli, const struct sdv_peer_info *peer)
{
	int r = -EPIPE, fd;
	char *name = cli_escape(peer->name), *code = cli_escape(peer->code);

	cli_interrupt_begin();
	fflush(stdout);
	fprintf(stderr, "Does %s show the code %s too? [y/N] ", name, code);
	if (!cli->is_stdin_taken)
		r = read_answer(cli, STDIN_FILENO, peer);
	if (r == -EPIPE) {
		fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0) {
			r = read_answer(cli, fd, peer);
			close(fd);
		}
	}
	if (r < 0)
		fputc('\n', stderr);
	cli_interrupt_end();
	free(name);
	free(code);
	return r;
}

/* Decides by a code that was given, or by asking; then trusts.  0 or CLI_FAILED. */
static int decide(struct cli *cli, const struct sdv_peer_info *peer, const char *code)
{
	int r;

	if (code && *code) {
		if (!cli_code_equal(code, peer->code))
			return cli_fail(cli, peer->name,
					"the code is %s and not %s: this may be another machine", peer->code,
					code);
		return trust(cli, peer);
	}
	r = ask(cli, peer);
	switch (r) {
	case 1: return trust(cli, peer);
	case 0:
		forget(cli, peer->name);
		return cli_fail(cli, peer->name, "the answer was not yes; the machine is forgotten");
	case -EPIPE:
		return cli_fail(cli, peer->name,
				"nobody is there to compare the code %s; a script can give it as an argument",
				peer->code);
	case -ETIMEDOUT:
		return cli_fail(cli, peer->name, "nobody answered within %d seconds",
				ANSWER_TIMEOUT_MS / 1000);
	case -ESTALE:
		return cli_fail(cli, peer->name, "the pairing has ended at one of the sides; start it again");
	default: return cli_fail(cli, peer->name, "interrupted; the machine is not trusted");
	}
}

static int has_code(struct cli *cli, void *arg)
{
	struct sdv_peer_info *peer = arg, now;
	int r = sdv_nl_peer_get(cli->nl, peer->name, &now);

	if (r == -ENOENT)
		return -ECANCELED;
	if (r)
		return r;
	*peer = now;
	if (*now.code && SDV_HAS(&now, SUPERDEV_A_PEER_KEY))
		return 1;
	return *now.error ? -ECONNREFUSED : 0;
}

static int pair_failed(struct cli *cli, const char *address, const struct sdv_peer_info *peer, int r)
{
	switch (r) {
	case -ECONNREFUSED: return cli_fail(cli, address, "%s", peer->error);
	case -ECANCELED: return cli_fail(cli, address, "the pairing was ended");
	case -ETIMEDOUT:
		return cli_fail(cli, address, "no answer within %d seconds; does superdevd run there?",
				PAIR_TIMEOUT_MS / 1000);
	case -ENOTCONN:
		return cli_fail(cli, address, "no agent is running here; try: systemctl start superdevd");
	case -EINTR: return cli_fail(cli, address, "interrupted");
	default: return cli_refused(cli, address, r);
	}
}

int cli_peer_pair(struct cli *cli, const struct cli_args *args)
{
	const char *address = cli_arg(args, "ADDRESS"), *name = cli_arg(args, "name");
	const char *yes = cli_arg(args, "yes");
	struct sdv_peer_info peer = { 0 };
	char own_name[SDV_NAME_SIZE], code[CLI_CODE_DIGITS + 1];
	char *escaped;
	int r;

	if (set_address(cli, &peer, address))
		return CLI_FAILED;
	if (!name) {
		cli_address_name(address, own_name);
		name = own_name;
	}
	if (set_name(cli, &peer, name))
		return CLI_FAILED;
	if (yes && *yes && !cli_code_normalise(yes, code))
		return cli_fail(cli, yes, "is no code; it has %d digits", CLI_CODE_DIGITS);

	r = cli_watch(cli);
	if (!r)
		r = sdv_nl_peer(cli->nl, SUPERDEV_CMD_PEER_ADD, &peer);
	if (r == -EAGAIN)
		return pair_failed(cli, address, &peer, -ENOTCONN);
	if (r)
		return cli_refused(cli, name, r);

	cli_interrupt_begin();
	r = cli_wait(cli, has_code, &peer, PAIR_TIMEOUT_MS, "waiting for the other machine");
	cli_interrupt_end();
	if (r < 0) {
		r = pair_failed(cli, address, &peer, r);
		forget(cli, name);
		return r;
	}

	escaped = cli_escape(peer.code);
	printf("The code is %s.\n", escaped);
	r = yes && !*yes ? trust(cli, &peer) : decide(cli, &peer, yes);
	if (r) {
		forget(cli, name);
	} else {
		printf("'%s' is trusted here now. There, say: superdev peer trust NAME %s\n", name, escaped);
	}
	free(escaped);
	return r;
}

int cli_peer_trust(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "NAME"), *code = cli_arg(args, "CODE");
	char digits[CLI_CODE_DIGITS + 1];
	struct sdv_peer_info peer;
	int r;

	r = cli_watch(cli);
	if (!r)
		r = sdv_nl_peer_get(cli->nl, name, &peer);
	if (r == -ENOENT)
		return cli_no_such(cli, CLI_PEERS, name);
	if (r)
		return cli_refused(cli, name, r);
	if (peer.trust == SUPERDEV_TRUST_TRUSTED)
		return cli_fail(cli, name, "is trusted already");
	if (!*peer.code)
		return cli_fail(cli, name,
				"has no code yet to compare; wait until 'superdev peer list' shows one");
	if (code && !cli_code_normalise(code, digits))
		return cli_fail(cli, name, "'%s' is no code; it has %d digits", code, CLI_CODE_DIGITS);
	return decide(cli, &peer, code);
}
