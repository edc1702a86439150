// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire.c: frames and control attributes, as bytes.  See wire.h.
 *
 * What comes in is a stranger's until the functions here have said 0.
 */
#include "wire.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define ATTR_HEADER 4u
#define ATTR_ALIGN  4u
#define MAX_NEST    4

uint32_t sdv_frame_max(uint8_t class)
{
	return class == SUPERDEV_CLASS_CONTROL ? SUPERDEV_MAX_CONTROL : SUPERDEV_MAX_PAYLOAD;
}

int sdv_frame_check(const struct superdev_frame *frame, const struct sdv_frame_rules *rules,
		    struct sdv_head *ret_head)
{
	struct sdv_head head = {
		.class = frame->class,
		.op = frame->op,
		.flags = le16toh(frame->flags),
		.tag = le32toh(frame->tag),
		.status = le32toh(frame->status),
		.lease = le64toh(frame->lease),
		.seq = le64toh(frame->seq),
		.epoch = le32toh(frame->epoch),
		.length = le32toh(frame->length),
		.offset = le64toh(frame->offset),
		.count = le32toh(frame->count),
	};
	uint32_t limit = sdv_frame_max(rules->class);

	if (le32toh(frame->magic) != SUPERDEV_MAGIC || head.class != rules->class || frame->reserved)
		return -EPROTO;
	if (head.flags & ~SUPERDEV_F_KNOWN || head.status >= SUPERDEV_ST_NR)
		return -EPROTO;
	if (!(head.flags & SUPERDEV_F_REPLY) && head.status)
		return -EPROTO;
	if (!(head.flags & SUPERDEV_F_CSUM) && (rules->must_csum || frame->csum))
		return -EPROTO;
	if (head.length > limit || head.length > rules->max_length)
		return -EMSGSIZE;

	*ret_head = head;
	if (head.lease != rules->lease || head.epoch != rules->epoch)
		return -ESTALE;
	return 0;
}

void sdv_frame_build(struct superdev_frame *ret_frame, const struct sdv_head *head)
{
	*ret_frame = (struct superdev_frame){
		.magic = htole32(SUPERDEV_MAGIC),
		.class = head->class,
		.op = head->op,
		.flags = htole16(head->flags),
		.tag = htole32(head->tag),
		.status = htole32(head->status),
		.lease = htole64(head->lease),
		.seq = htole64(head->seq),
		.epoch = htole32(head->epoch),
		.length = htole32(head->length),
		.offset = htole64(head->offset),
		.count = htole32(head->count),
	};
}

void sdv_frame_reply(struct superdev_frame *ret_frame, const struct sdv_head *head, uint32_t status,
		     uint32_t length)
{
	struct sdv_head reply = {
		.class = head->class,
		.op = head->op,
		.flags = SUPERDEV_F_REPLY,
		.tag = head->tag,
		.status = status,
		.lease = head->lease,
		.seq = head->seq,
		.epoch = head->epoch,
		.length = length,
		.offset = head->offset,
		.count = head->count,
	};

	sdv_frame_build(ret_frame, &reply);
}

void sdv_csum_begin(struct sdv_csum *csum, const struct superdev_frame *frame)
{
	struct superdev_frame bare = *frame;

	bare.csum = 0;
	XXH64_reset(&csum->state, 0);
	XXH64_update(&csum->state, &bare, sizeof(bare));
}

void sdv_csum_add(struct sdv_csum *csum, const void *data, size_t len)
{
	XXH64_update(&csum->state, data, len);
}

uint32_t sdv_csum_end(const struct sdv_csum *csum)
{
	return (uint32_t)XXH64_digest(&csum->state);
}

static uint32_t frame_csum(const struct superdev_frame *frame, const void *payload, size_t len)
{
	struct sdv_csum csum;

	sdv_csum_begin(&csum, frame);
	sdv_csum_add(&csum, payload, len);
	return sdv_csum_end(&csum);
}

void sdv_frame_seal(struct superdev_frame *frame, const void *payload, size_t len)
{
	frame->flags |= htole16(SUPERDEV_F_CSUM);
	frame->csum = htole32(frame_csum(frame, payload, len));
}

bool sdv_frame_is_intact(const struct superdev_frame *frame, const void *payload, size_t len)
{
	if (!(le16toh(frame->flags) & SUPERDEV_F_CSUM))
		return true;
	return le32toh(frame->csum) == frame_csum(frame, payload, len);
}

static const struct {
	uint32_t status;
	int error;
} status_errno[] = {
	/* the first of a status is what it becomes, the first of an error likewise */
	{ SUPERDEV_ST_IO, EIO },
	{ SUPERDEV_ST_NOSPC, ENOSPC },
	{ SUPERDEV_ST_NOSPC, EDQUOT },
	{ SUPERDEV_ST_NOSPC, EFBIG },
	{ SUPERDEV_ST_INVAL, EINVAL },
	{ SUPERDEV_ST_ROFS, EROFS },
	{ SUPERDEV_ST_NOTSUPP, EOPNOTSUPP },
	{ SUPERDEV_ST_NOTSUPP, ENOSYS },
	{ SUPERDEV_ST_NOTSUPP, ENOTTY },
	{ SUPERDEV_ST_STALE, ESTALE },
	{ SUPERDEV_ST_NOMEM, ENOMEM },
	{ SUPERDEV_ST_PERM, EPERM },
	{ SUPERDEV_ST_PERM, EACCES },
	{ SUPERDEV_ST_NOENT, ENOENT },
	{ SUPERDEV_ST_BUSY, EBUSY },
};

uint32_t sdv_status_of_errno(int error)
{
	if (!error)
		return SUPERDEV_ST_OK;
	for (size_t i = 0; i < sizeof(status_errno) / sizeof(*status_errno); i++)
		if (status_errno[i].error == error || status_errno[i].error == -error)
			return status_errno[i].status;
	return SUPERDEV_ST_IO;
}

int sdv_errno_of_status(uint32_t status)
{
	if (status == SUPERDEV_ST_OK)
		return 0;
	for (size_t i = 0; i < sizeof(status_errno) / sizeof(*status_errno); i++)
		if (status_errno[i].status == status)
			return -status_errno[i].error;
	return -EIO;
}

static uint16_t load_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint64_t load(const uint8_t *p, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

static void store(uint8_t *p, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static size_t align(size_t len)
{
	return (len + ATTR_ALIGN - 1) & ~(size_t)(ATTR_ALIGN - 1);
}

void sdv_attr_begin(struct sdv_attr_writer *w, void *data, size_t size)
{
	*w = (struct sdv_attr_writer){ .data = data, .size = size };
}

/* Room for a value of @len bytes, header written and padding zeroed; NULL if there is none. */
static uint8_t *put(struct sdv_attr_writer *w, unsigned int type, size_t len)
{
	uint8_t *p = w->data + w->len;

	if (w->error)
		return NULL;
	if (len > UINT16_MAX - ATTR_HEADER || align(ATTR_HEADER + len) > w->size - w->len) {
		w->error = -EMSGSIZE;
		return NULL;
	}
	store(p, ATTR_HEADER + len, 2);
	store(p + 2, type, 2);
	memset(p + ATTR_HEADER + len, 0, align(len) - len);
	w->len += align(ATTR_HEADER + len);
	return p + ATTR_HEADER;
}

static void put_integer(struct sdv_attr_writer *w, unsigned int type, uint64_t value, size_t len)
{
	uint8_t *p = put(w, type, len);

	if (p)
		store(p, value, len);
}

void sdv_put_flag(struct sdv_attr_writer *w, unsigned int type)
{
	put(w, type, 0);
}

void sdv_put_u8(struct sdv_attr_writer *w, unsigned int type, uint8_t value)
{
	put_integer(w, type, value, 1);
}

void sdv_put_u16(struct sdv_attr_writer *w, unsigned int type, uint16_t value)
{
	put_integer(w, type, value, 2);
}

void sdv_put_u32(struct sdv_attr_writer *w, unsigned int type, uint32_t value)
{
	put_integer(w, type, value, 4);
}

void sdv_put_u64(struct sdv_attr_writer *w, unsigned int type, uint64_t value)
{
	put_integer(w, type, value, 8);
}

void sdv_put_string(struct sdv_attr_writer *w, unsigned int type, const char *value)
{
	sdv_put_binary(w, type, value, strlen(value) + 1);
}

void sdv_put_binary(struct sdv_attr_writer *w, unsigned int type, const void *value, size_t len)
{
	uint8_t *p = put(w, type, len);

	if (p && len)
		memcpy(p, value, len);
}

size_t sdv_nest_begin(struct sdv_attr_writer *w, unsigned int type)
{
	size_t nest = w->len;

	put(w, type, 0);
	return nest;
}

void sdv_nest_end(struct sdv_attr_writer *w, size_t nest)
{
	if (w->error)
		return;
	if (w->len - nest > UINT16_MAX)
		w->error = -EMSGSIZE;
	else
		store(w->data + nest, w->len - nest, 2);
}

int sdv_attr_end(const struct sdv_attr_writer *w)
{
	if (!w->error && w->len > INT_MAX)
		return -EMSGSIZE;
	return w->error ? w->error : (int)w->len;
}

#define NAME { .type = SDV_ATTR_STRING, .min = 1, .max = SUPERDEV_NAME_LEN }
#define TEXT { .type = SDV_ATTR_STRING, .max = 255 }
#define KEY  { .type = SDV_ATTR_BINARY, .min = SUPERDEV_KEY_LEN, .max = SUPERDEV_KEY_LEN }
#define BOOT { .type = SDV_ATTR_BINARY, .min = 16, .max = 16 }

#define SET(set, last, table)             \
	const struct sdv_attr_set set = { \
		.name = #table,           \
		.max = (last),            \
		.policy = table##_policy, \
	}

static const struct sdv_attr_policy agent_policy[SUPERDEV_A_AGENT_MAX + 1] = {
	[SUPERDEV_A_AGENT_NAME] = NAME,
	[SUPERDEV_A_AGENT_KEY] = KEY,
	[SUPERDEV_A_AGENT_VERSION] = { .type = SDV_ATTR_STRING, .max = SUPERDEV_NAME_LEN },
	[SUPERDEV_A_AGENT_FEATURES] = { .type = SDV_ATTR_U64 },
	[SUPERDEV_A_AGENT_PORT] = { .type = SDV_ATTR_U16 },
	[SUPERDEV_A_AGENT_RUNNING] = { .type = SDV_ATTR_U8 },
	[SUPERDEV_A_AGENT_PURPOSE] = { .type = SDV_ATTR_U8 },
	[SUPERDEV_A_AGENT_LEASE] = { .type = SDV_ATTR_U64 },
	[SUPERDEV_A_AGENT_EPOCH] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_AGENT_INDEX] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_AGENT_TRANSPORT] = { .type = SDV_ATTR_U32, .max = SUPERDEV_TRANSPORT_CLEAR },
	[SUPERDEV_A_AGENT_BOOT] = BOOT,
	[SUPERDEV_A_AGENT_NONCE] = KEY,
	[SUPERDEV_A_AGENT_ERROR] = TEXT,
	[SUPERDEV_A_AGENT_USER] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_AGENT_SESSION] = { .type = SDV_ATTR_U64 },
};
SET(sdv_agent_set, SUPERDEV_A_AGENT_MAX, agent);

static const struct sdv_attr_policy peer_policy[SUPERDEV_A_PEER_MAX + 1] = {
	[SUPERDEV_A_PEER_NAME] = NAME,
	[SUPERDEV_A_PEER_KEY] = KEY,
	[SUPERDEV_A_PEER_ADDRESS] = TEXT,
	[SUPERDEV_A_PEER_TRUST] = { .type = SDV_ATTR_U32, .max = SUPERDEV_TRUST_TRUSTED },
	[SUPERDEV_A_PEER_STATE] = { .type = SDV_ATTR_U32, .max = SUPERDEV_PEER_STATE_REFUSED },
	[SUPERDEV_A_PEER_TRANSPORT] = { .type = SDV_ATTR_U32, .max = SUPERDEV_TRANSPORT_CLEAR },
	[SUPERDEV_A_PEER_PEER_TRANSPORT] = { .type = SDV_ATTR_U32, .max = SUPERDEV_TRANSPORT_CLEAR },
	[SUPERDEV_A_PEER_CODE] = { .type = SDV_ATTR_STRING, .max = 15 },
	[SUPERDEV_A_PEER_RTT_US] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_PEER_ERROR] = TEXT,
	[SUPERDEV_A_PEER_FORCE] = { .type = SDV_ATTR_FLAG },
};
SET(sdv_peer_set, SUPERDEV_A_PEER_MAX, peer);

static const struct sdv_attr_policy property_policy[SUPERDEV_A_PROPERTY_MAX + 1] = {
	[SUPERDEV_A_PROPERTY_NAME] = NAME,
	[SUPERDEV_A_PROPERTY_VALUE] = TEXT,
	[SUPERDEV_A_PROPERTY_SOURCE] = { .type = SDV_ATTR_U32, .max = SUPERDEV_PROPERTY_SOURCE_ATTESTED },
	[SUPERDEV_A_PROPERTY_TIME] = { .type = SDV_ATTR_U64 },
};
SET(sdv_property_set, SUPERDEV_A_PROPERTY_MAX, property);

static const struct sdv_attr_policy offer_policy[SUPERDEV_A_OFFER_MAX + 1] = {
	[SUPERDEV_A_OFFER_PEER] = NAME,
	[SUPERDEV_A_OFFER_NAME] = NAME,
	[SUPERDEV_A_OFFER_CLASS] = NAME,
	[SUPERDEV_A_OFFER_PATH] = { .type = SDV_ATTR_STRING, .min = 1, .max = 4095 },
	[SUPERDEV_A_OFFER_READ_ONLY] = { .type = SDV_ATTR_FLAG },
	[SUPERDEV_A_OFFER_SIZE] = { .type = SDV_ATTR_U64 },
	[SUPERDEV_A_OFFER_STATE] = { .type = SDV_ATTR_U32, .max = SUPERDEV_OFFER_STATE_REMOVING },
	[SUPERDEV_A_OFFER_PROPERTY] = { .type = SDV_ATTR_NEST,
					.is_multi = true,
					.nested = &sdv_property_set },
	[SUPERDEV_A_OFFER_ERROR] = TEXT,
	[SUPERDEV_A_OFFER_FORCE] = { .type = SDV_ATTR_FLAG },
	[SUPERDEV_A_OFFER_CPUS] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_OFFER_MEMORY] = { .type = SDV_ATTR_U64 },
};
SET(sdv_offer_set, SUPERDEV_A_OFFER_MAX, offer);

static const struct sdv_attr_policy lease_policy[SUPERDEV_A_LEASE_MAX + 1] = {
	[SUPERDEV_A_LEASE_ID] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_LEASE_PEER] = NAME,
	[SUPERDEV_A_LEASE_OFFER] = NAME,
	[SUPERDEV_A_LEASE_CLASS] = NAME,
	[SUPERDEV_A_LEASE_ROLE] = { .type = SDV_ATTR_U32, .max = SUPERDEV_ROLE_LENT },
	[SUPERDEV_A_LEASE_STATE] = { .type = SDV_ATTR_U32, .max = SUPERDEV_LEASE_STATE_GONE },
	[SUPERDEV_A_LEASE_NUMBER] = { .type = SDV_ATTR_U64 },
	[SUPERDEV_A_LEASE_EPOCH] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_LEASE_READ_ONLY] = { .type = SDV_ATTR_FLAG },
	[SUPERDEV_A_LEASE_LANES] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_LEASE_LANES_WANTED] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_LEASE_DEVICE] = { .type = SDV_ATTR_STRING, .max = 127 },
	[SUPERDEV_A_LEASE_CONFIG] = { .type = SDV_ATTR_BINARY, .max = SUPERDEV_CONFIG_LEN },
	[SUPERDEV_A_LEASE_BOOT] = BOOT,
	[SUPERDEV_A_LEASE_ERROR] = TEXT,
	[SUPERDEV_A_LEASE_FORCE] = { .type = SDV_ATTR_FLAG },
	[SUPERDEV_A_LEASE_CPUS] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_LEASE_LOAD] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_LEASE_TASKS] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_LEASE_USED_US] = { .type = SDV_ATTR_U64 },
	[SUPERDEV_A_LEASE_MEMORY] = { .type = SDV_ATTR_U64 },
	[SUPERDEV_A_LEASE_LOAD_AGE] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_LEASE_PATHS] = { .type = SDV_ATTR_STRING, .max = 1023 },
};
SET(sdv_lease_set, SUPERDEV_A_LEASE_MAX, lease);

static const struct sdv_attr_policy blk_config_policy[SUPERDEV_A_BLK_CONFIG_MAX + 1] = {
	[SUPERDEV_A_BLK_CONFIG_SIZE] = { .type = SDV_ATTR_U64 },
	[SUPERDEV_A_BLK_CONFIG_LOGICAL_BLOCK] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_BLK_CONFIG_PHYSICAL_BLOCK] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_BLK_CONFIG_IO_MIN] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_BLK_CONFIG_IO_OPT] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_BLK_CONFIG_MAX_IO] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_BLK_CONFIG_MAX_DISCARD] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_BLK_CONFIG_DISCARD_GRANULARITY] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_BLK_CONFIG_MAX_ZEROES] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_BLK_CONFIG_WRITE_CACHE] = { .type = SDV_ATTR_U8, .max = 1 },
	[SUPERDEV_A_BLK_CONFIG_ROTATIONAL] = { .type = SDV_ATTR_U8, .max = 1 },
	[SUPERDEV_A_BLK_CONFIG_READ_ONLY] = { .type = SDV_ATTR_U8, .max = 1 },
	[SUPERDEV_A_BLK_CONFIG_QUEUE_DEPTH] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_BLK_CONFIG_QUEUES] = { .type = SDV_ATTR_U32 },
};
SET(sdv_blk_config_set, SUPERDEV_A_BLK_CONFIG_MAX, blk_config);

static const struct sdv_attr_policy cpu_config_policy[SUPERDEV_A_CPU_CONFIG_MAX + 1] = {
	[SUPERDEV_A_CPU_CONFIG_CPUS] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_CPU_CONFIG_MEMORY] = { .type = SDV_ATTR_U64 },
	[SUPERDEV_A_CPU_CONFIG_ARCHITECTURE] = NAME,
	[SUPERDEV_A_CPU_CONFIG_KERNEL] = NAME,
	[SUPERDEV_A_CPU_CONFIG_PAGE_SIZE] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_CPU_CONFIG_X86_LEVEL] = { .type = SDV_ATTR_U32 },
	[SUPERDEV_A_CPU_CONFIG_XCR0] = { .type = SDV_ATTR_U64 },
	[SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE] = { .type = SDV_ATTR_U32 },
};
SET(sdv_cpu_config_set, SUPERDEV_A_CPU_CONFIG_MAX, cpu_config);

/*
 * Reads the header at @*pos and moves @*pos behind the value.  1: there is one,
 * 0: the end, -EBADMSG: neither.  The padding of the last may be missing.
 */
static int attr_at(const uint8_t *data, size_t len, size_t *pos, unsigned int *ret_type,
		   struct sdv_attr *ret_attr)
{
	size_t left = len - *pos, size;

	if (!left)
		return 0;
	if (left < ATTR_HEADER)
		return -EBADMSG;
	size = load_u16(data + *pos);
	if (size < ATTR_HEADER || size > left)
		return -EBADMSG;
	*ret_type = load_u16(data + *pos + 2);
	*ret_attr = (struct sdv_attr){ data + *pos + ATTR_HEADER, size - ATTR_HEADER };
	*pos = align(size) < left ? *pos + align(size) : len;
	return 1;
}

static int integer_check(const struct sdv_attr_policy *policy, const struct sdv_attr *attr, size_t len)
{
	if (attr->len != len || (policy->max && load(attr->data, len) > policy->max))
		return -EINVAL;
	return 0;
}

static int attrs_check(const struct sdv_attr_set *set, const uint8_t *data, size_t len, int depth,
		       struct sdv_attr *ret_attrs, unsigned int *ret_bad);

static int attr_check(const struct sdv_attr_policy *policy, const struct sdv_attr *attr, int depth)
{
	switch (policy->type) {
	case SDV_ATTR_UNKNOWN: return 0;
	case SDV_ATTR_FLAG: return attr->len ? -EINVAL : 0;
	case SDV_ATTR_U8: return integer_check(policy, attr, 1);
	case SDV_ATTR_U16: return integer_check(policy, attr, 2);
	case SDV_ATTR_U32: return integer_check(policy, attr, 4);
	case SDV_ATTR_U64: return integer_check(policy, attr, 8);
	case SDV_ATTR_STRING:
		/* Exactly one zero, and it is last: nothing can hide behind it. */
		if (!attr->len || memchr(attr->data, 0, attr->len) != attr->data + attr->len - 1)
			return -EINVAL;
		return attr->len - 1 < policy->min || attr->len - 1 > policy->max ? -EINVAL : 0;
	case SDV_ATTR_BINARY: return attr->len < policy->min || attr->len > policy->max ? -EINVAL : 0;
	case SDV_ATTR_NEST: return attrs_check(policy->nested, attr->data, attr->len, depth + 1, NULL, NULL);
	}
	return -EINVAL;
}

/* The found attributes are only written where @ret_attrs is not NULL: not of nests. */
static int attrs_check(const struct sdv_attr_set *set, const uint8_t *data, size_t len, int depth,
		       struct sdv_attr *ret_attrs, unsigned int *ret_bad)
{
	uint64_t seen = 0;
	struct sdv_attr attr;
	unsigned int type;
	size_t pos = 0;
	int r;

	if (depth > MAX_NEST)
		return -E2BIG;
	while ((r = attr_at(data, len, &pos, &type, &attr)) > 0) {
		bool is_first;

		if (type > set->max)
			continue;
		if (ret_bad)
			*ret_bad = type;
		r = attr_check(&set->policy[type], &attr, depth);
		if (r)
			return r;
		is_first = !(seen & UINT64_C(1) << type);
		if (!is_first && !set->policy[type].is_multi && set->policy[type].type != SDV_ATTR_UNKNOWN)
			return -EINVAL;
		seen |= UINT64_C(1) << type;
		if (ret_attrs && is_first)
			ret_attrs[type] = attr;
	}
	return r;
}

/* attrs_check() marks what it has seen in one 64-bit word. */
_Static_assert(SUPERDEV_A_LEASE_MAX < 64 && SUPERDEV_A_AGENT_MAX < 64 && SUPERDEV_A_PEER_MAX < 64 &&
		       SUPERDEV_A_OFFER_MAX < 64 && SUPERDEV_A_BLK_CONFIG_MAX < 64 &&
		       SUPERDEV_A_CPU_CONFIG_MAX < 64,
	       "sets have fewer than 64 attributes");

int sdv_attr_parse(const struct sdv_attr_set *set, const void *data, size_t len, struct sdv_attr *ret_attrs,
		   unsigned int *ret_bad)
{
	memset(ret_attrs, 0, (set->max + 1) * sizeof(*ret_attrs));
	if (ret_bad)
		*ret_bad = 0;
	return attrs_check(set, data, len, 1, ret_attrs, ret_bad);
}

bool sdv_attr_next(const void *data, size_t len, unsigned int type, size_t *pos, struct sdv_attr *ret_attr)
{
	unsigned int found;

	while (attr_at(data, len, pos, &found, ret_attr) > 0)
		if (found == type)
			return true;
	return false;
}

uint8_t sdv_get_u8(const struct sdv_attr *attr)
{
	return attr->data ? (uint8_t)load(attr->data, 1) : 0;
}

uint16_t sdv_get_u16(const struct sdv_attr *attr)
{
	return attr->data ? load_u16(attr->data) : 0;
}

uint32_t sdv_get_u32(const struct sdv_attr *attr)
{
	return attr->data ? (uint32_t)load(attr->data, 4) : 0;
}

uint64_t sdv_get_u64(const struct sdv_attr *attr)
{
	return attr->data ? load(attr->data, 8) : 0;
}

const char *sdv_get_string(const struct sdv_attr *attr)
{
	return (const char *)attr->data;
}
