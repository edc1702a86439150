// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lender-double.c: stands for the agent of this machine and for its peer at once.
 *
 *	lender-double CLASS LANES [tls] [nocache] [wrong=KEY]
 *
 * Borrows one offer of CLASS (blk: 64 MiB of memory; cpu; null) from itself, over
 * LANES connections through the loopback, in clear or under kernel TLS with
 * fixed keys.  Lanes that end are replaced.  It does what no honest lender
 * does, when told to: each line on stdin is a command, see commands[], and is
 * answered by a line.  Also judges what the kernel sends, as "stat faults".
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nl.h"
#include "wire.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define PEER       "lender"
#define OFFER      "disk0"
#define DISK_SIZE  (64u << 20)
#define QUEUES_MAX 32
#define DEPTH      64u
/* What one discard or write of zeroes may cover. */
#define MAX_RANGE  (8u << 20)

static void die(const char *what, int error, const char *text)
{
	fprintf(stderr, "lender-double: %s: %s %s\n", what, strerror(error < 0 ? -error : error), text);
	exit(1);
}

/* What goes wrong -------------------------------------------------------------- */

/* Where in the life of a request its lane is cut. */
static const char *const cut_names[] = { "never", "unread", "unapplied", "unanswered", "midway", "silent" };
/* The last is no cut: a request is never answered, and the lane stays. */
enum cut { CUT_NEVER, CUT_UNREAD, CUT_UNAPPLIED, CUT_UNANSWERED, CUT_MIDWAY, CUT_SILENT };

static atomic_uint cut_where, cut_every; /* one request of so many */

#define BAD(word, field, bits, ...)                            \
	{ .name = word,                                        \
	  .offset = offsetof(struct superdev_frame, field),    \
	  .size = sizeof(((struct superdev_frame *)0)->field), \
	  .flip = bits,                                        \
	  __VA_ARGS__ }

/* A reply is made bad by flipping bits of one field. */
static const struct bad {
	const char *name;
	size_t offset, size;
	uint64_t flip;
	bool is_sealed; /* flipped after the checksum was made */
	bool is_empty;  /* comes without payload: an answer that is well-formed */
} bads[] = {
	BAD("none", magic, 0),
	BAD("magic", magic, 1),
	BAD("class", class, SUPERDEV_CLASS_BLK ^ SUPERDEV_CLASS_NULL),
	BAD("op", op, SUPERDEV_BLK_READ ^ SUPERDEV_BLK_WRITE),
	BAD("unknown-flag", flags, 0x8000),
	BAD("request", flags, SUPERDEV_F_REPLY),
	BAD("unused-tag", tag, 1),
	BAD("tag-beyond-queues", tag, 0x7ff0000),
	BAD("unknown-status", status, 77),
	BAD("stale", status, SUPERDEV_ST_STALE),
	BAD("lease", lease, 1),
	BAD("seq", seq, 1),
	BAD("epoch", epoch, 1),
	BAD("length", length, 512),
	BAD("huge-length", length, 2 * SUPERDEV_MAX_PAYLOAD),
	BAD("reserved", reserved, 1),
	BAD("csum", csum, 1, .is_sealed = true),
	BAD("csum-flag", flags, SUPERDEV_F_CSUM, .is_sealed = true),
	BAD("no-memory", status, SUPERDEV_ST_NOMEM, .is_empty = true),
	BAD("io-error", status, SUPERDEV_ST_IO, .is_empty = true),
	BAD("no-status", status, 0, .is_empty = true),
};

static atomic_uint bad_next; /* for one reply, whichever is next */

static void make_bad(struct superdev_frame *frame, const struct bad *bad)
{
	uint64_t flip = htole64(bad->flip);
	uint8_t *field = (uint8_t *)frame + bad->offset;
	size_t i;

	for (i = 0; i < bad->size; i++)
		field[i] ^= ((uint8_t *)&flip)[i];
}

/* What was lent ---------------------------------------------------------------- */

static atomic_ulong frames, replays, repeats, ends, flushes, faults;
static const struct {
	const char *name;
	atomic_ulong *value;
} stats[] = { { "frames", &frames }, { "replays", &replays }, { "repeats", &repeats },
	      { "ends", &ends },     { "flushes", &flushes }, { "faults", &faults } };

static bool is_blk, is_cpu, is_tls;
static bool has_cache = true;
static const char *wrong = ""; /* key of the config that no machine can have so */

/* Protects the fields below it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t *disk;
static struct superdev_cpu_status status_told;
static struct sdv_lease_info lease;
static bool is_held; /* lanes that ended are not replaced */
/* The last write of each tag, so that a replay is not applied again. */
static struct {
	uint64_t seq;
	uint32_t status;
	bool had_first; /* it came otherwise than as a replay */
} slots[QUEUES_MAX][DEPTH];

static struct lane {
	pthread_t thread;
	int fd;
	unsigned int index;
	struct sdv_frame_rules rules;
	bool is_up; /* under lock; the thread serves fd */
} lanes[SUPERDEV_MAX_LANES];
static unsigned int nr_lanes;

static void fault(const char *what, const struct sdv_head *head)
{
	faults++;
	fprintf(stderr, "lender-double: %s (op %u, tag %#x, seq %llu)\n", what, head->op, head->tag,
		(unsigned long long)head->seq);
}

/* Carries out a write of some kind, once however often it is sent. */
static uint32_t write_once(const struct sdv_head *head, const uint8_t *data)
{
	unsigned int queue = head->tag >> 16, index = head->tag & 0xffff;
	bool is_replay = head->flags & SUPERDEV_F_REPLAY;

	if (queue >= QUEUES_MAX || index >= DEPTH) {
		fault("a tag out of range", head);
		return SUPERDEV_ST_INVAL;
	}
	if (head->seq == slots[queue][index].seq) {
		/* The first may come last: its lane is cut, but what had arrived on it is read. */
		if (!is_replay && slots[queue][index].had_first)
			fault("a request was sent again and is not called a replay", head);
		slots[queue][index].had_first |= !is_replay;
		repeats++;
		return slots[queue][index].status;
	}
	/* It was overtaken by its own replay, on a lane that lives. */
	if (head->seq < slots[queue][index].seq)
		return SUPERDEV_ST_STALE;
	slots[queue][index].seq = head->seq;
	slots[queue][index].had_first = !is_replay;
	slots[queue][index].status = SUPERDEV_ST_OK;
	switch (head->op) {
	case SUPERDEV_BLK_WRITE: memcpy(disk + head->offset, data, head->count); break;
	case SUPERDEV_BLK_FLUSH: flushes++; break;
	case SUPERDEV_BLK_DISCARD:
	case SUPERDEV_BLK_ZEROES: memset(disk + head->offset, 0, head->count); break;
	default: fault("an unknown operation", head); slots[queue][index].status = SUPERDEV_ST_NOTSUPP;
	}
	return slots[queue][index].status;
}

/* Carries out @head; what is to come with the reply is left in @data. */
static uint32_t apply(const struct lane *lane, const struct sdv_head *head, uint8_t *data,
		      uint32_t *ret_length)
{
	uint32_t status = SUPERDEV_ST_OK, i;

	*ret_length = 0;
	/* Of these frames carry the range itself, one way or the other. */
	if ((!is_blk || head->op <= SUPERDEV_BLK_WRITE) && head->count > SUPERDEV_MAX_PAYLOAD) {
		fault("more than a frame can carry", head);
		return SUPERDEV_ST_INVAL;
	}
	if (is_blk && head->length != (head->op == SUPERDEV_BLK_WRITE ? head->count : 0)) {
		fault("a payload that does not belong", head);
		return SUPERDEV_ST_INVAL;
	}
	if (is_cpu) {
		if (head->op != SUPERDEV_CPU_STATUS || head->tag || head->length || head->offset ||
		    head->count)
			fault("no question about processors", head);
		pthread_mutex_lock(&lock);
		memcpy(data, &status_told, sizeof(status_told));
		pthread_mutex_unlock(&lock);
		*ret_length = sizeof(status_told);
		return status;
	}
	if (!is_blk) {
		if (head->op != SUPERDEV_NULL_SINK)
			*ret_length = head->op == SUPERDEV_NULL_ECHO ? head->length : head->count;
		for (i = 0; head->op == SUPERDEV_NULL_SOURCE && i < head->count; i++)
			data[i] = (head->offset + i) % 251;
		return status;
	}
	if (head->offset > DISK_SIZE || head->count > DISK_SIZE - head->offset) {
		fault("a range beyond the end", head);
		return SUPERDEV_ST_INVAL;
	}
	pthread_mutex_lock(&lock);
	if (lane->rules.epoch != lease.epoch) {
		status = SUPERDEV_ST_STALE;
	} else if (head->op == SUPERDEV_BLK_READ) {
		memcpy(data, disk + head->offset, head->count);
		*ret_length = head->count;
	} else {
		status = write_once(head, data);
	}
	pthread_mutex_unlock(&lock);
	return status;
}

/* Lanes, the lender's end -------------------------------------------------------- */

static bool receive(int fd, void *data, size_t len)
{
	ssize_t n;

	for (; len; len -= n, data = (uint8_t *)data + n) {
		n = recv(fd, data, len, 0);
		if (n <= 0)
			return false;
	}
	return true;
}

static bool transmit(int fd, const void *data, size_t len, int flags)
{
	ssize_t n;

	for (; len; len -= n, data = (const uint8_t *)data + n) {
		n = send(fd, data, len, MSG_NOSIGNAL | flags);
		if (n <= 0)
			return false;
	}
	return true;
}

static bool reply(const struct lane *lane, const struct sdv_head *head, uint32_t status, const uint8_t *data,
		  uint32_t length, bool is_cut)
{
	const struct bad *bad = &bads[atomic_exchange(&bad_next, 0)];
	struct superdev_frame frame;

	if (bad->is_empty)
		length = 0;
	sdv_frame_reply(&frame, head, status, length);
	if (!bad->is_sealed)
		make_bad(&frame, bad);
	if (lane->rules.must_csum)
		sdv_frame_seal(&frame, data, length);
	if (bad->is_sealed)
		make_bad(&frame, bad);
	if (is_cut) {
		/* In the payload where there is one, else in the header. */
		transmit(lane->fd, &frame, length ? sizeof(frame) : sizeof(frame) / 2, 0);
		transmit(lane->fd, data, length / 2, 0);
		return false;
	}
	return transmit(lane->fd, &frame, sizeof(frame), length ? MSG_MORE : 0) &&
	       transmit(lane->fd, data, length, 0);
}

/* Return: whether the lane goes on. */
static bool serve_one(const struct lane *lane, uint8_t *data)
{
	unsigned int every = cut_every, number;
	enum cut cut = CUT_NEVER;
	struct superdev_frame frame;
	struct sdv_head head = { 0 };
	uint32_t status, length;
	int r;

	if (!receive(lane->fd, &frame, sizeof(frame)))
		return false;
	number = ++frames;
	if (every && number % every == 0)
		cut = cut_where;
	r = sdv_frame_check(&frame, &lane->rules, &head);
	if (r && r != -ESTALE) {
		fault("a malformed frame", &head);
		return false;
	}
	if (cut == CUT_UNREAD || !receive(lane->fd, data, head.length))
		return false;
	if (!sdv_frame_is_intact(&frame, data, head.length))
		fault("a checksum is wrong", &head);
	if (r == -ESTALE || head.flags & SUPERDEV_F_REPLY || head.status)
		fault("a frame that is no request of this lease", &head);
	if (head.flags & SUPERDEV_F_REPLAY)
		replays++;
	if (cut == CUT_UNAPPLIED)
		return false;
	status = apply(lane, &head, data, &length);
	if (cut == CUT_UNANSWERED)
		return false;
	if (cut == CUT_SILENT)
		return true;
	return reply(lane, &head, status, data, length, cut == CUT_MIDWAY);
}

static void *lane_serve(void *arg)
{
	struct lane *lane = arg;
	uint8_t *data = malloc(SUPERDEV_MAX_PAYLOAD);

	while (data && serve_one(lane, data))
		;
	free(data);
	pthread_mutex_lock(&lock);
	close(lane->fd);
	lane->is_up = false;
	ends++;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* Lanes, the agent's end ----------------------------------------------------------- */

static struct sdv_nl *nl;

static void arm_tls(int fd, bool is_home)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info = { .version = TLS_1_3_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128 },
	};

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		die("TCP_ULP", errno, "");
	memset(keys.key, is_home ? 1 : 2, sizeof(keys.key));
	if (setsockopt(fd, SOL_TLS, TLS_TX, &keys, sizeof(keys)))
		die("TLS_TX", errno, "");
	memset(keys.key, is_home ? 2 : 1, sizeof(keys.key));
	if (setsockopt(fd, SOL_TLS, TLS_RX, &keys, sizeof(keys)))
		die("TLS_RX", errno, "");
}

/* A connection of this machine with itself. */
static void connect_pair(int fds[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len) ||
	    connect(fds[0], (struct sockaddr *)&address, len))
		die("connect", errno, "");
	fds[1] = accept(listener, NULL, NULL);
	if (fds[1] < 0 || setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("accept", errno, "");
	close(listener);
	if (is_tls) {
		arm_tls(fds[0], true);
		arm_tls(fds[1], false);
	}
}

/* With the lock held.  That the kernel has not yet buried the last one is no error. */
static int lane_open(struct lane *lane)
{
	struct sdv_lane_info info = {
		.lease = lease.id,
		.index = lane->index,
		.epoch = lease.epoch,
		.transport = is_tls ? SUPERDEV_TRANSPORT_TLS : SUPERDEV_TRANSPORT_CLEAR,
	};
	int fds[2], r;

	connect_pair(fds);
	SDV_SET(&info, SUPERDEV_A_LANE_LEASE);
	SDV_SET(&info, SUPERDEV_A_LANE_INDEX);
	SDV_SET(&info, SUPERDEV_A_LANE_EPOCH);
	SDV_SET(&info, SUPERDEV_A_LANE_FD);
	SDV_SET(&info, SUPERDEV_A_LANE_TRANSPORT);
	info.fd = fds[0];
	r = sdv_nl_lane(nl, SUPERDEV_CMD_LANE_ADD, &info);
	close(fds[0]);
	if (r) {
		close(fds[1]);
		return r;
	}
	lane->fd = fds[1];
	lane->rules = (struct sdv_frame_rules){ .class = is_blk   ? SUPERDEV_CLASS_BLK
							 : is_cpu ? SUPERDEV_CLASS_CPU
								  : SUPERDEV_CLASS_NULL,
						.must_csum = !is_tls,
						.lease = lease.number,
						.epoch = lease.epoch,
						.max_length = SUPERDEV_MAX_PAYLOAD };
	lane->is_up = true;
	r = pthread_create(&lane->thread, NULL, lane_serve, lane);
	if (r)
		die("a thread", r, "");
	pthread_detach(lane->thread);
	return 0;
}

static int report(enum superdev_lease_state state)
{
	lease.state = state;
	return sdv_nl_lease(nl, SUPERDEV_CMD_LEASE_REPORT, &lease, NULL);
}

static void ignore(void *arg, const struct sdv_event *event)
{
	(void)arg;
	(void)event;
}

/* Replaces lanes that ended, and lets go of the lease when the kernel does. */
static void *keep(void *arg)
{
	struct pollfd watch = { .fd = sdv_nl_watch_fd(nl), .events = POLLIN };
	struct sdv_lease_info now;
	unsigned int i;

	(void)arg;
	for (;;) {
		poll(&watch, 1, 20);
		pthread_mutex_lock(&lock);
		sdv_nl_watch_read(nl, ignore, NULL);
		if (!sdv_nl_lease_get(nl, PEER, OFFER, &now)) {
			if (now.state == SUPERDEV_LEASE_STATE_RETURNING)
				report(SUPERDEV_LEASE_STATE_GONE);
			else
				for (i = 0; i < nr_lanes && !is_held; i++)
					if (!lanes[i].is_up)
						lane_open(&lanes[i]);
		}
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

/* The beginning -------------------------------------------------------------------- */

/* An attribute of netlink, in this machine's byte order; returns what follows it. */
static uint8_t *put(uint8_t *at, uint16_t type, const void *value, uint16_t len)
{
	uint16_t head[2] = { sizeof(head) + len, type };

	memset(at, 0, sizeof(head) + (len + 3) / 4 * 4);
	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), value, len);
	return at + sizeof(head) + (len + 3) / 4 * 4;
}

static uint8_t *put_u32(uint8_t *at, uint16_t type, uint32_t value)
{
	return put(at, type, &value, sizeof(value));
}

static void describe_disk(void)
{
	uint64_t size = DISK_SIZE;
	uint8_t cache = has_cache, *at = lease.config;

	at = put(at, SUPERDEV_A_BLK_CONFIG_SIZE, &size, sizeof(size));
	at = put_u32(at, SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK, 512);
	at = put_u32(at, SUPERDEV_A_BLK_CONFIG_PHYSICAL_BLOCK, 4096);
	at = put_u32(at, SUPERDEV_A_BLK_CONFIG_MAX_IO, SUPERDEV_MAX_PAYLOAD);
	at = put_u32(at, SUPERDEV_A_BLK_CONFIG_MAX_DISCARD, MAX_RANGE);
	at = put_u32(at, SUPERDEV_A_BLK_CONFIG_DISCARD_GRANULARITY, 4096);
	at = put_u32(at, SUPERDEV_A_BLK_CONFIG_MAX_ZEROES, MAX_RANGE);
	at = put(at, SUPERDEV_A_BLK_CONFIG_WRITE_CACHE, &cache, sizeof(cache));
	at = put_u32(at, SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH, DEPTH);
	at = put_u32(at, SUPERDEV_A_BLK_CONFIG_QUEUES, nr_lanes);
	lease.config_len = at - lease.config;
	SDV_SET(&lease, SUPERDEV_A_LEASE_CONFIG);
}

static uint8_t *put_text(uint8_t *at, uint16_t type, const char *text)
{
	return put(at, type, text, strlen(text) + 1);
}

static void describe_processors(void)
{
	uint64_t memory = strcmp(wrong, "memory") != 0 ? 1u << 30 : 1,
		 xcr0 = strcmp(wrong, "xcr0") != 0 ? 7 : 4;
	uint8_t *at = lease.config;

	if (strcmp(wrong, "missing") != 0)
		at = put_u32(at, SUPERDEV_A_CPU_CONFIG_CPUS, strcmp(wrong, "cpus") != 0 ? 2 : 0);
	at = put(at, SUPERDEV_A_CPU_CONFIG_MEMORY, &memory, sizeof(memory));
	at = put_text(at, SUPERDEV_A_CPU_CONFIG_ARCHITECTURE,
		      strcmp(wrong, "architecture") != 0 ? "x86_64" : "x86_64\n");
	at = put_text(at, SUPERDEV_A_CPU_CONFIG_KERNEL, "6.12.0-double");
	at = put_u32(at, SUPERDEV_A_CPU_CONFIG_PAGE_SIZE, 4096);
	at = put_u32(at, SUPERDEV_A_CPU_CONFIG_X86_LEVEL, 3);
	at = put(at, SUPERDEV_A_CPU_CONFIG_XCR0, &xcr0, sizeof(xcr0));
	at = put_u32(at, SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE, 832);
	lease.config_len = at - lease.config - (strcmp(wrong, "cut") != 0 ? 0 : 3);
	SDV_SET(&lease, SUPERDEV_A_LEASE_CONFIG);
}

static void check(const char *what, int error)
{
	if (error)
		die(what, error, sdv_nl_error(nl));
}

/* Two machines that trust each other, as far as the kernel knows. */
static void introduce(void)
{
	enum superdev_transport transport = is_tls ? SUPERDEV_TRANSPORT_TLS : SUPERDEV_TRANSPORT_CLEAR;
	struct sdv_agent_info agent = { .name = "home", .key = "home" };
	struct sdv_peer_info peer = {
		.name = PEER, .key = PEER, .address = "127.0.0.1", .transport = transport
	};

	SDV_SET(&agent, SUPERDEV_A_AGENT_NAME);
	SDV_SET(&agent, SUPERDEV_A_AGENT_KEY);
	check("agent-bind", sdv_nl_agent_bind(nl, &agent));
	SDV_SET(&peer, SUPERDEV_A_PEER_NAME);
	SDV_SET(&peer, SUPERDEV_A_PEER_KEY);
	SDV_SET(&peer, SUPERDEV_A_PEER_ADDRESS);
	SDV_SET(&peer, SUPERDEV_A_PEER_TRANSPORT);
	check("peer-add", sdv_nl_peer(nl, SUPERDEV_CMD_PEER_ADD, &peer));
	peer.state = SUPERDEV_PEER_STATE_ONLINE;
	peer.peer_transport = transport;
	peer.has = 0;
	SDV_SET(&peer, SUPERDEV_A_PEER_NAME);
	SDV_SET(&peer, SUPERDEV_A_PEER_STATE);
	SDV_SET(&peer, SUPERDEV_A_PEER_PEER_TRANSPORT);
	check("peer-report", sdv_nl_peer(nl, SUPERDEV_CMD_PEER_REPORT, &peer));
}

static void borrow(void)
{
	struct sdv_offer_info offer = { .peer = PEER, .name = OFFER, .state = SUPERDEV_OFFER_STATE_READY };
	struct sdv_lease_info wanted = { .peer = PEER, .offer = OFFER };

	strcpy(offer.class_name, is_blk ? "blk" : is_cpu ? "cpu" : "null");
	SDV_SET(&offer, SUPERDEV_A_OFFER_PEER);
	SDV_SET(&offer, SUPERDEV_A_OFFER_NAME);
	SDV_SET(&offer, SUPERDEV_A_OFFER_CLASS);
	SDV_SET(&offer, SUPERDEV_A_OFFER_STATE);
	check("offer-report", sdv_nl_offer(nl, SUPERDEV_CMD_OFFER_REPORT, &offer));
	SDV_SET(&wanted, SUPERDEV_A_LEASE_PEER);
	SDV_SET(&wanted, SUPERDEV_A_LEASE_OFFER);
	check("lease-add", sdv_nl_lease(nl, SUPERDEV_CMD_LEASE_ADD, &wanted, &lease.id));
	strcpy(lease.class_name, offer.class_name);
	strcpy((char *)lease.boot, "boot 1");
	lease.number = 1000;
	lease.epoch = 1;
	lease.lanes_wanted = nr_lanes;
	SDV_SET(&lease, SUPERDEV_A_LEASE_ID);
	SDV_SET(&lease, SUPERDEV_A_LEASE_CLASS);
	SDV_SET(&lease, SUPERDEV_A_LEASE_STATE);
	SDV_SET(&lease, SUPERDEV_A_LEASE_NUMBER);
	SDV_SET(&lease, SUPERDEV_A_LEASE_EPOCH);
	SDV_SET(&lease, SUPERDEV_A_LEASE_LANES_WANTED);
	SDV_SET(&lease, SUPERDEV_A_LEASE_BOOT);
	if (is_blk)
		describe_disk();
	if (is_cpu)
		describe_processors();
	check("lease-report", report(SUPERDEV_LEASE_STATE_GRANTED));
}

/* Commands: with the lock held; each returns 0, or an errno, that is the answer. ------ */

static int find(const char *const *names, size_t stride, size_t nr, const char *name)
{
	size_t i;

	for (i = 0; name && i < nr; i++)
		if (!strcmp(*(const char *const *)((const char *)names + i * stride), name))
			return i;
	return -1;
}

static int do_chaos(const char *where, const char *every)
{
	int i = find(cut_names, sizeof(*cut_names), sizeof(cut_names) / sizeof(*cut_names), where);

	if (i < 0 || (i && !every))
		return EINVAL;
	cut_every = i ? atoi(every) : 0;
	cut_where = i;
	return 0;
}

static int do_bad(const char *name, const char *unused)
{
	int i = find(&bads[0].name, sizeof(*bads), sizeof(bads) / sizeof(*bads), name);

	(void)unused;
	if (i < 0)
		return EINVAL;
	bad_next = i;
	return 0;
}

/* Lanes are cut, all of them or one. */
static int do_cut(const char *index, const char *unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < nr_lanes; i++)
		if (lanes[i].is_up && (!index || i == (unsigned int)atoi(index)))
			shutdown(lanes[i].fd, SHUT_RDWR);
	return 0;
}

static int do_hold(const char *unused, const char *unused2)
{
	(void)unused, (void)unused2;
	is_held = true;
	return 0;
}

static int do_go(const char *unused, const char *unused2)
{
	(void)unused, (void)unused2;
	is_held = false;
	return 0;
}

/* The lender was booted: it remembers nothing, and resumes the lease at a new epoch. */
static int do_reboot(const char *unused, const char *unused2)
{
	(void)unused, (void)unused2;
	memset(slots, 0, sizeof(slots));
	lease.epoch++;
	lease.number++;
	lease.boot[5]++;
	return -report(SUPERDEV_LEASE_STATE_GRANTED);
}

static int do_return(const char *force, const char *unused)
{
	struct sdv_lease_info info = { .peer = PEER, .offer = OFFER, .force = true };

	(void)unused;
	SDV_SET(&info, SUPERDEV_A_LEASE_PEER);
	SDV_SET(&info, SUPERDEV_A_LEASE_OFFER);
	if (force)
		SDV_SET(&info, SUPERDEV_A_LEASE_FORCE);
	return -sdv_nl_lease(nl, SUPERDEV_CMD_LEASE_DEL, &info, NULL);
}

/* A number, not an errno. */
static int do_stat(const char *name, const char *unused)
{
	int i = find(&stats[0].name, sizeof(*stats), sizeof(stats) / sizeof(*stats), name);

	(void)unused;
	return i < 0 ? -1 : (int)*stats[i].value;
}

/* How many lanes are up, as the kernel has it; a number. */
static int do_lanes(const char *unused, const char *unused2)
{
	struct sdv_lease_info now;

	(void)unused, (void)unused2;
	return sdv_nl_lease_get(nl, PEER, OFFER, &now) ? -1 : (int)now.lanes;
}

static int do_state(const char *unused, const char *unused2)
{
	struct sdv_lease_info now;

	(void)unused, (void)unused2;
	return sdv_nl_lease_get(nl, PEER, OFFER, &now) ? -1 : (int)now.state;
}

/* What STATUS answers from now on. */
static int do_figure(const char *name, const char *value)
{
	uint64_t number = value ? strtoull(value, NULL, 0) : 0;

	if (!name || !value)
		return EINVAL;
	if (!strcmp(name, "load"))
		status_told.load = htole32(number);
	else if (!strcmp(name, "cpus"))
		status_told.cpus = htole32(number);
	else if (!strcmp(name, "tasks"))
		status_told.tasks = htole32(number);
	else if (!strcmp(name, "memory"))
		status_told.memory = htole64(number);
	else if (!strcmp(name, "used_us"))
		status_told.used_us = htole64(number);
	else if (!strcmp(name, "own"))
		status_told.own = htole32(number);
	else if (!strcmp(name, "reserved"))
		status_told.reserved[3] = htole64(number);
	else
		return EINVAL;
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const char *, const char *);
} commands[] = {
	{ "chaos", do_chaos },   /* WHERE EVERY: cut_names */
	{ "bad", do_bad },       /* NAME: bads */
	{ "cut", do_cut },       /* [INDEX] */
	{ "hold", do_hold },     /* no lane is replaced */
	{ "go", do_go },         /* they are again */
	{ "reboot", do_reboot }, /* of the lender */
	{ "return", do_return }, /* [force] */
	{ "stat", do_stat },     /* NAME: stats */
	{ "figure", do_figure }, /* FIELD NUMBER: of struct superdev_cpu_status */
	{ "lanes", do_lanes },   { "state", do_state },
};

static int obey(char *line)
{
	char *save, *name = strtok_r(line, " \n", &save), *first = strtok_r(NULL, " \n", &save);
	char *second = strtok_r(NULL, " \n", &save);
	int i = find(&commands[0].name, sizeof(*commands), sizeof(commands) / sizeof(*commands), name);
	int answer = EINVAL;

	if (i >= 0) {
		pthread_mutex_lock(&lock);
		answer = commands[i].run(first, second);
		pthread_mutex_unlock(&lock);
	}
	return answer;
}

int main(int argc, char **argv)
{
	pthread_t keeper;
	char line[128];
	unsigned int i;
	int a;

	if (argc < 3 || (nr_lanes = atoi(argv[2])) < 1 || nr_lanes > SUPERDEV_MAX_LANES)
		die("usage: lender-double CLASS LANES [tls] [nocache] [wrong=KEY]", EINVAL, "");
	is_blk = !strcmp(argv[1], "blk");
	is_cpu = !strcmp(argv[1], "cpu");
	for (a = 3; a < argc; a++) {
		is_tls |= !strcmp(argv[a], "tls");
		has_cache &= !!strcmp(argv[a], "nocache");
		if (!strncmp(argv[a], "wrong=", 6))
			wrong = argv[a] + 6;
	}
	for (i = 0; i < nr_lanes; i++)
		lanes[i].index = i;
	status_told.cpus = htole32(4);
	disk = calloc(1, DISK_SIZE);
	if (!disk)
		die("memory", ENOMEM, "");
	check("netlink", sdv_nl_open(&nl));
	check("watch", sdv_nl_watch(nl));
	introduce();
	borrow();
	pthread_mutex_lock(&lock);
	for (i = 0; i < nr_lanes; i++)
		check("lane-add", lane_open(&lanes[i]));
	pthread_mutex_unlock(&lock);
	a = pthread_create(&keeper, NULL, keep, NULL);
	if (a)
		die("a thread", a, "");
	puts("ready");
	for (;;) {
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return 0;
		printf("%d\n", obey(line));
	}
}
