/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h: frames and control attributes, as bytes.
 *
 * Builds and checks what is sent to and comes from another machine.  Every
 * length that a peer sends is checked here and nowhere else.  Needs libc alone,
 * so that fuzzers can have it; used by the daemon, the workers and the tests.
 * Documentation/wire tells the format in prose.
 */
#ifndef SDV_WIRE_H
#define SDV_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define XXH_STATIC_LINKING_ONLY /* its state lies within ours */
#include <xxhash.h>

#include "superdev.h"
#include "superdev_wire.h"

/**
 * struct sdv_head - a frame's header, in the byte order of this machine
 *
 * Fields as in struct superdev_frame; magic, csum and reserved are wire.c's.
 */
struct sdv_head {
	uint8_t class;
	uint8_t op;
	uint16_t flags;
	uint32_t tag;
	uint32_t status;
	uint64_t lease;
	uint64_t seq;
	uint32_t epoch;
	uint32_t length;
	uint64_t offset;
	uint32_t count;
};

/**
 * struct sdv_frame_rules - what a connection may carry
 * @class:	the only class (SUPERDEV_CLASS_CONTROL: lease and epoch 0)
 * @must_csum:	the transport does not protect frames: SUPERDEV_F_CSUM needed
 * @lease:	the only lease
 * @epoch:	its epoch now
 * @max_length:	most bytes of payload; capped by the class's own limit
 */
struct sdv_frame_rules {
	uint8_t class;
	bool must_csum;
	uint64_t lease;
	uint32_t epoch;
	uint32_t max_length;
};

/* Most bytes of payload that a frame of @class may carry. */
uint32_t sdv_frame_max(uint8_t class);

/**
 * sdv_frame_check - is this header one that the connection may carry?
 * @frame:	as received
 * @rules:	of the connection
 * @ret_head:	written unless the result is -EPROTO or -EMSGSIZE
 *
 * The one place where a received length is checked.
 * Return: 0; -EPROTO: wrong magic, class, flags, status or reserved bytes;
 * -EMSGSIZE: too long; after these two the stream cannot be followed further
 * and the connection must be closed.  -ESTALE: well-formed, but of another
 * lease or epoch: read its payload and answer SUPERDEV_ST_STALE.
 */
int sdv_frame_check(const struct superdev_frame *frame, const struct sdv_frame_rules *rules,
		    struct sdv_head *ret_head);

/* Writes @head as a frame; csum is zero until sdv_frame_seal(). */
void sdv_frame_build(struct superdev_frame *ret_frame, const struct sdv_head *head);

/* The reply to @head: same class, op, tag, lease, seq, epoch, offset; @length of payload. */
void sdv_frame_reply(struct superdev_frame *ret_frame, const struct sdv_head *head, uint32_t status,
		     uint32_t length);

/* Sets SUPERDEV_F_CSUM and the checksum of header and payload. */
void sdv_frame_seal(struct superdev_frame *frame, const void *payload, size_t len);

/* True where the frame has no checksum or the right one. */
bool sdv_frame_is_intact(const struct superdev_frame *frame, const void *payload, size_t len);

/*
 * The checksum of a frame that comes in pieces: begin() takes the header,
 * whatever its checksum, add() the payload; end() is what csum has to be.
 */
struct sdv_csum {
	XXH64_state_t state;
};

void sdv_csum_begin(struct sdv_csum *csum, const struct superdev_frame *frame);
void sdv_csum_add(struct sdv_csum *csum, const void *data, size_t len);
uint32_t sdv_csum_end(const struct sdv_csum *csum);

/* errno (positive or negative, 0) to enum superdev_status and back (to -errno, 0). */
uint32_t sdv_status_of_errno(int error);
int sdv_errno_of_status(uint32_t status);

/*
 * Attributes: {u16 length with this header, u16 type} in little endian, value,
 * zeros up to a multiple of 4.  Integers are little endian, strings end in one
 * zero byte which counts, flags have no value, nests hold attributes.
 */

/**
 * struct sdv_attr_writer - attributes being written into a bounded buffer
 *
 * An attribute that does not fit sets the error, which stays: callers look at
 * it once, in sdv_attr_end().
 */
struct sdv_attr_writer {
	uint8_t *data;
	size_t len, size;
	int error;
};

void sdv_attr_begin(struct sdv_attr_writer *w, void *data, size_t size);
void sdv_put_flag(struct sdv_attr_writer *w, unsigned int type);
void sdv_put_u8(struct sdv_attr_writer *w, unsigned int type, uint8_t value);
void sdv_put_u16(struct sdv_attr_writer *w, unsigned int type, uint16_t value);
void sdv_put_u32(struct sdv_attr_writer *w, unsigned int type, uint32_t value);
void sdv_put_u64(struct sdv_attr_writer *w, unsigned int type, uint64_t value);
void sdv_put_string(struct sdv_attr_writer *w, unsigned int type, const char *value);
void sdv_put_binary(struct sdv_attr_writer *w, unsigned int type, const void *value, size_t len);
/* Returns the place that sdv_nest_end() wants. */
size_t sdv_nest_begin(struct sdv_attr_writer *w, unsigned int type);
void sdv_nest_end(struct sdv_attr_writer *w, size_t nest);
/* Bytes written, or -EMSGSIZE. */
int sdv_attr_end(const struct sdv_attr_writer *w);

enum sdv_attr_type {
	SDV_ATTR_UNKNOWN = 0, /* not ours: passed over */
	SDV_ATTR_FLAG,
	SDV_ATTR_U8,
	SDV_ATTR_U16,
	SDV_ATTR_U32,
	SDV_ATTR_U64,
	SDV_ATTR_STRING, /* max counts the bytes before the zero */
	SDV_ATTR_BINARY,
	SDV_ATTR_NEST,
};

struct sdv_attr_set;

/**
 * struct sdv_attr_policy - what one attribute must look like
 * @min:	fewest bytes, of strings and binaries
 * @max:	most bytes, of strings and binaries; largest value of integers
 *		where it is not 0 (enumerations)
 * @is_multi:	may come several times: sdv_attr_next(); any other twice is refused
 * @nested:	set of a nest
 */
struct sdv_attr_policy {
	enum sdv_attr_type type;
	uint16_t min, max;
	bool is_multi;
	const struct sdv_attr_set *nested;
};

struct sdv_attr_set {
	const char *name;
	unsigned int max; /* largest type; policy has one more entry */
	const struct sdv_attr_policy *policy;
};

extern const struct sdv_attr_set sdv_agent_set;
extern const struct sdv_attr_set sdv_peer_set;
extern const struct sdv_attr_set sdv_property_set;
extern const struct sdv_attr_set sdv_offer_set;
extern const struct sdv_attr_set sdv_lease_set;
extern const struct sdv_attr_set sdv_blk_config_set;
extern const struct sdv_attr_set sdv_cpu_config_set;

/* A received value; data is NULL where the attribute is absent, and points into the message. */
struct sdv_attr {
	const uint8_t *data;
	size_t len;
};

/**
 * sdv_attr_parse - checks a message against a set and finds its attributes
 * @set:	what is known
 * @data:	the message
 * @len:	its length in bytes
 * @ret_attrs:	set->max + 1 entries, by type; of a multi attribute the first
 * @ret_bad:	where not NULL, type of the attribute that made it fail
 *
 * Nests are checked too, to a depth of 4.  Attributes that the set does not
 * know are passed over if they are well-formed: newer peers send them.
 * Return: 0; -EBADMSG: lengths do not add up; -EINVAL: a known attribute of
 * the wrong size or value, an unterminated string or one with a zero inside,
 * or one that came twice; -E2BIG: nested too deep.
 */
int sdv_attr_parse(const struct sdv_attr_set *set, const void *data, size_t len, struct sdv_attr *ret_attrs,
		   unsigned int *ret_bad);

/*
 * The next attribute of @type at or after *@pos (start with 0) of a message that
 * sdv_attr_parse() found good; false when there is none.
 */
bool sdv_attr_next(const void *data, size_t len, unsigned int type, size_t *pos, struct sdv_attr *ret_attr);

/* Of an absent attribute: 0, or NULL. */
uint8_t sdv_get_u8(const struct sdv_attr *attr);
uint16_t sdv_get_u16(const struct sdv_attr *attr);
uint32_t sdv_get_u32(const struct sdv_attr *attr);
uint64_t sdv_get_u64(const struct sdv_attr *attr);
const char *sdv_get_string(const struct sdv_attr *attr);
static inline bool sdv_has(const struct sdv_attr *attr)
{
	return attr->data;
}

#endif
