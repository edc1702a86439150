/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nl_parse.h: bytes from the kernel to the structs of nl.h, and where the
 * members of those structs are.
 *
 * Internal to nl.c, its unit test and its fuzzer; needs libc and the kernel's
 * headers alone.
 */
#ifndef SDV_NL_PARSE_H
#define SDV_NL_PARSE_H

#include <linux/netlink.h>

#include "nl.h"

enum sdv_nl_kind {
	SDV_NL_STRING, /* ends with a zero, within size */
	SDV_NL_BINARY, /* exactly size bytes */
	SDV_NL_BLOB,   /* up to size bytes; their number at len_offset */
	SDV_NL_U8,
	SDV_NL_U16,
	SDV_NL_U32,
	SDV_NL_U64,
	SDV_NL_FLAG,      /* there or not; a bool */
	SDV_NL_PROPERTY,  /* appended to an offer's */
	SDV_NL_CANDIDATE, /* appended to a task's; never sent */
};

/* Where a member is, and how it travels; the attribute is also its bit in has. */
struct sdv_nl_field {
	uint16_t attr;
	uint16_t kind;
	uint32_t offset;
	uint32_t size;
	uint32_t len_offset;
};

/* All members of one struct; every such struct begins with has. */
struct sdv_nl_set {
	const struct sdv_nl_field *fields;
	unsigned int nr_fields;
};

extern const struct sdv_nl_set sdv_nl_agent_set, sdv_nl_peer_set, sdv_nl_offer_set;
extern const struct sdv_nl_set sdv_nl_lease_set, sdv_nl_lane_set, sdv_nl_property_set;
extern const struct sdv_nl_set sdv_nl_policy_set, sdv_nl_spread_set, sdv_nl_task_set;
extern const struct sdv_nl_set sdv_nl_candidate_set;

/* One message of a datagram. */
struct sdv_nl_msg {
	struct nlmsghdr hdr;
	const uint8_t *payload;
	size_t len;
};

/**
 * sdv_nl_next - take the next message off a datagram
 * @buf:	what is left of it; moved on
 * @len:	bytes left; reduced
 * @ret_msg:	the message; its payload points into the datagram
 *
 * Return: true, or false at the end and at a header that does not fit (then
 * @len stays above 0).
 */
bool sdv_nl_next(const uint8_t **buf, size_t *len, struct sdv_nl_msg *ret_msg);

/**
 * sdv_nl_parse_event - what a message of the family says
 * @payload:	from the generic netlink header on
 * @len:	its bytes
 * @ret_event:	filled on success; all else in it is zero
 *
 * Attributes of a newer kernel are passed over.  Values of enumerations are not
 * judged: the reader must expect ones that it has no word for.
 *
 * Return: 0; -EBADMSG: an attribute has a wrong size, or a text no end;
 * -EOPNOTSUPP: an operation that this file doesn't know.
 */
int sdv_nl_parse_event(const uint8_t *payload, size_t len, struct sdv_event *ret_event);

/**
 * sdv_nl_parse_ack - the verdict of an NLMSG_ERROR or NLMSG_DONE
 * @msg:	the message
 * @text:	set to the kernel's words, or to ""
 * @size:	of @text, at least 1
 *
 * Return: 0 or -errno as the kernel said; -EBADMSG: it said nothing readable.
 */
int sdv_nl_parse_ack(const struct sdv_nl_msg *msg, char *text, size_t size);

#endif
