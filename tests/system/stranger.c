// SPDX-License-Identifier: GPL-2.0-or-later
// LINK: agent/daemon/hello.c
/*
 * stranger: a peer that does not keep to the protocol.
 *
 *	stranger key FILE			prints the public key of FILE, made if need be
 *	stranger SCENE HOST FILE [NUMBER]	plays a scene against HOST as the key in FILE
 *
 * Exits 0 when the other end did what a scene's comment says, and prints what
 * it did not do otherwise.  Driven by hostile_peer.sh.
 */
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../agent/daemon/hello.h"
#include "tls.h"

static struct sdv_key *key;
static const char *host;

struct session {
	int fd;
	struct sdv_tls *tls;
};

static void wait_for(const struct session *s, bool write_too)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN | (write_too ? POLLOUT : 0) };

	if (poll(&p, 1, 15000) <= 0)
		errx(1, "the other end neither answers nor closes");
}

static struct session session_open(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	struct session s;
	int r;

	if (getaddrinfo(host, "7338", &hints, &list))
		errx(1, "no such host: '%s'", host);
	s.fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s.fd < 0 || connect(s.fd, list->ai_addr, list->ai_addrlen))
		err(1, "connect to '%s'", host);
	freeaddrinfo(list);
	if (fcntl(s.fd, F_SETFL, O_NONBLOCK))
		err(1, "fcntl");
	r = sdv_tls_open(&s.tls, key, s.fd, false, NULL);
	if (r)
		errx(1, "session: %s", strerror(-r));
	while ((r = sdv_tls_handshake(s.tls)) == -EAGAIN)
		wait_for(&s, sdv_tls_wants_write(s.tls));
	if (r)
		errx(1, "handshake: %s", sdv_tls_error(s.tls));
	return s;
}

static void session_close(struct session *s)
{
	sdv_tls_close(s->tls);
	close(s->fd);
}

/* Status of the HELLO reply; -1: closed without one. */
static int say_hello(struct session *s, struct hello *hello, struct hello *ret_theirs)
{
	uint8_t frame[HELLO_SIZE_MAX];
	struct sdv_head head;
	size_t got = 0;
	int r;

	snprintf(hello->name, sizeof(hello->name), "stranger");
	snprintf(hello->version, sizeof(hello->version), "0");
	r = hello_write(hello, frame, sizeof(frame));
	if (r < 0)
		errx(1, "hello: %s", strerror(-r));
	if (sdv_tls_send(s->tls, frame, (size_t)r))
		return -1;
	for (;;) {
		r = sdv_tls_recv(s->tls, frame + got, sizeof(frame) - got);
		if (r == -EAGAIN) {
			wait_for(s, sdv_tls_wants_write(s->tls));
			continue;
		}
		if (r <= 0)
			return -1;
		got += (size_t)r;
		r = hello_read(frame, got, true, &head, ret_theirs);
		if (r == -EAGAIN)
			continue;
		if (r)
			errx(1, "the reply to HELLO is none: %s", strerror(-r));
		return (int)head.status;
	}
}

static struct hello control_hello(void)
{
	return (struct hello){
		.features = SUPERDEV_FEAT_BASE | SUPERDEV_FEAT_BLK,
		.purpose = SUPERDEV_PURPOSE_CONTROL,
	};
}

/* Opened as a trusted peer, and armed: plain reads and writes from here on. */
static struct session control_open(void)
{
	struct hello hello = control_hello(), theirs;
	struct session s = session_open();
	int status = say_hello(&s, &hello, &theirs);

	if (status)
		errx(1, "HELLO of a trusted peer was answered with status %d: %s", status, theirs.error);
	if (sdv_tls_arm(s.tls))
		errx(1, "kernel TLS");
	return s;
}

/* The other end must close within 15 s, whatever it says before. */
static void expect_close(struct session *s, const char *what)
{
	uint8_t buf[4096];
	ssize_t n;

	for (;;) {
		wait_for(s, false);
		n = read(s->fd, buf, sizeof(buf));
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			break;
	}
	printf("closed, as it should: %s\n", what);
	session_close(s);
}

static void write_all(struct session *s, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = write(s->fd, p, len);

		if (n < 0 && errno == EAGAIN) {
			wait_for(s, true);
			continue;
		}
		if (n < 0)
			return; /* cut off meanwhile: what expect_close() looks for */
		p += n;
		len -= (size_t)n;
	}
}

/* Status of the reply to @op with @payload; -1: closed instead. */
static int ask(struct session *s, uint8_t op, const void *payload, uint32_t len)
{
	struct sdv_head head = { .class = SUPERDEV_CLASS_CONTROL, .op = op, .tag = 77, .length = len };
	struct superdev_frame frame;
	uint8_t body[SUPERDEV_MAX_CONTROL];
	size_t got;

	sdv_frame_build(&frame, &head);
	write_all(s, &frame, sizeof(frame));
	write_all(s, payload, len);
	for (;;) {
		uint32_t left;

		for (got = 0; got < sizeof(frame);) {
			ssize_t n = read(s->fd, (uint8_t *)&frame + got, sizeof(frame) - got);

			if (n < 0 && errno == EAGAIN) {
				wait_for(s, false);
				continue;
			}
			if (n <= 0)
				return -1;
			got += (size_t)n;
		}
		left = le32toh(frame.length);
		while (left) {
			ssize_t n = read(s->fd, body, left < sizeof(body) ? left : sizeof(body));

			if (n < 0 && errno == EAGAIN) {
				wait_for(s, false);
				continue;
			}
			if (n <= 0)
				return -1;
			left -= (uint32_t)n;
		}
		/* What the other end asks or announces by itself is not the answer. */
		if (le16toh(frame.flags) & SUPERDEV_F_REPLY && le32toh(frame.tag) == 77 && frame.op == op)
			return (int)le32toh(frame.status);
	}
}

/* A key that nobody trusts may ask for pairing and for nothing else. */
static void scene_unknown(void)
{
	static const uint8_t purposes[] = { SUPERDEV_PURPOSE_CONTROL, SUPERDEV_PURPOSE_LANE, 0, 99 };

	for (size_t i = 0; i < sizeof(purposes); i++) {
		struct hello hello = control_hello(), theirs;
		struct session s = session_open();
		int status;

		hello.purpose = purposes[i];
		status = say_hello(&s, &hello, &theirs);
		if (!status)
			errx(1, "an unknown key got purpose %u", purposes[i]);
		printf("purpose %u refused: %s\n", purposes[i], status > 0 ? theirs.error : "closed");
		session_close(&s);
	}
}

/* A peer of an older feature set is told so. */
static void scene_old(void)
{
	struct hello hello = control_hello(), theirs;
	struct session s = session_open();
	int status;

	hello.features = 0;
	status = say_hello(&s, &hello, &theirs);
	if (status <= 0)
		errx(1, "a peer without the needed features got status %d", status);
	if (!theirs.error[0])
		errx(1, "refused without a word");
	printf("refused: %s\n", theirs.error);
	session_close(&s);
}

/* Frames that are none end the connection; malformed requests are answered or end it. */
static void scene_frames(void)
{
	struct superdev_frame frame;
	struct sdv_head head = { .class = SUPERDEV_CLASS_CONTROL, .op = SUPERDEV_CTL_PING };
	uint8_t garbage[4096];
	struct session s;

	s = control_open();
	memset(garbage, 0xa5, sizeof(garbage));
	write_all(&s, garbage, sizeof(garbage));
	expect_close(&s, "garbage");

	s = control_open();
	head.length = SUPERDEV_MAX_CONTROL + 1;
	sdv_frame_build(&frame, &head);
	write_all(&s, &frame, sizeof(frame));
	expect_close(&s, "an oversized frame");

	s = control_open();
	head.length = 0xffffffff;
	sdv_frame_build(&frame, &head);
	write_all(&s, &frame, sizeof(frame));
	expect_close(&s, "a frame of 4 GiB");

	s = control_open();
	head.length = 0;
	head.class = SUPERDEV_CLASS_BLK;
	sdv_frame_build(&frame, &head);
	write_all(&s, &frame, sizeof(frame));
	expect_close(&s, "a disk request on a control connection");

	s = control_open();
	head.class = SUPERDEV_CLASS_CONTROL;
	sdv_frame_build(&frame, &head);
	frame.reserved = htole64(1);
	write_all(&s, &frame, sizeof(frame));
	expect_close(&s, "reserved bits");

	/* Every op there is, some beyond, and the last ones. */
	for (unsigned int op = 0; op < 256; op += op == 24 ? 224 : 1) {
		s = control_open();
		if (ask(&s, (uint8_t)op, garbage, 64) == SUPERDEV_ST_OK)
			errx(1, "op %u with garbage attributes was answered with success", op);
		session_close(&s);
	}
	printf("garbage attributes: refused for every op\n");
}

/*
 * Another peer's lease can be neither resumed, returned nor opened a lane of; that it is still
 * there, hostile_peer.sh looks.
 */
static void scene_theft(const char *number)
{
	struct hello hello = control_hello(), theirs;
	uint64_t lease = strtoull(number, NULL, 10);
	static const uint8_t ops[] = { SUPERDEV_CTL_RESUME, SUPERDEV_CTL_RETURN, SUPERDEV_CTL_REVOKE };
	struct sdv_attr_writer w;
	struct session s;
	uint8_t body[256];

	for (size_t i = 0; i < sizeof(ops); i++) {
		s = control_open();
		sdv_attr_begin(&w, body, sizeof(body));
		sdv_put_string(&w, SUPERDEV_A_LEASE_OFFER, "disk0");
		sdv_put_u64(&w, SUPERDEV_A_LEASE_NUMBER, lease);
		sdv_put_u32(&w, SUPERDEV_A_LEASE_EPOCH, 1);
		/* That it has no such lease any more is what who returns one wants to hear. */
		if (ask(&s, ops[i], body, (uint32_t)sdv_attr_end(&w)) == SUPERDEV_ST_OK &&
		    ops[i] != SUPERDEV_CTL_RETURN)
			errx(1, "op %u took another peer's lease", ops[i]);
		session_close(&s);
	}
	for (uint32_t epoch = 0; epoch < 4; epoch++) {
		s = session_open();
		hello.purpose = SUPERDEV_PURPOSE_LANE;
		hello.lease = lease;
		hello.epoch = epoch;
		if (say_hello(&s, &hello, &theirs) == SUPERDEV_ST_OK)
			errx(1, "a lane to another peer's lease, epoch %u", epoch);
		session_close(&s);
	}
	printf("another peer's lease stays another peer's\n");
}

/* A flood ends the connection or is answered; the other end lives. */
static void scene_flood(void)
{
	struct sdv_head head = { .class = SUPERDEV_CLASS_CONTROL, .op = SUPERDEV_CTL_PING };
	struct session s = control_open();
	struct superdev_frame frames[64];
	struct pollfd p = { .fd = s.fd, .events = POLLOUT };

	for (size_t i = 0; i < 64; i++)
		sdv_frame_build(&frames[i], &head);
	/* Never read an answer: a queue without a bound would grow. */
	for (int i = 0; i < 3000; i++) {
		if (poll(&p, 1, 200) <= 0 || p.revents & (POLLERR | POLLHUP) ||
		    write(s.fd, frames, sizeof(frames)) < 0)
			break;
	}
	session_close(&s);
	s = control_open();
	if (ask(&s, SUPERDEV_CTL_PING, NULL, 0) != SUPERDEV_ST_OK)
		errx(1, "no answer after a flood");
	session_close(&s);
	printf("a flood is survived\n");
}

int main(int argc, char **argv)
{
	char error[256], text[SDV_KEY_TEXT_SIZE];
	bool is_new;

	if (argc == 3 && !strcmp(argv[1], "key")) {
		if (sdv_key_load(argv[2], &key, &is_new, error, sizeof(error)))
			errx(1, "%s", error);
		sdv_key_to_text(sdv_key_public(key), text);
		puts(text);
		return 0;
	}
	if (argc < 4)
		errx(2, "usage: stranger key FILE | SCENE HOST FILE [NUMBER]");
	host = argv[2];
	if (sdv_key_load(argv[3], &key, &is_new, error, sizeof(error)))
		errx(1, "%s", error);
	if (!strcmp(argv[1], "unknown"))
		scene_unknown();
	else if (!strcmp(argv[1], "old"))
		scene_old();
	else if (!strcmp(argv[1], "frames"))
		scene_frames();
	else if (!strcmp(argv[1], "theft") && argc == 5)
		scene_theft(argv[4]);
	else if (!strcmp(argv[1], "flood"))
		scene_flood();
	else
		errx(2, "no scene '%s'", argv[1]);
	return 0;
}
