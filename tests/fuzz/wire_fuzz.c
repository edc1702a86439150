// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire_fuzz.c: any bytes as a frame, and as the attributes of any set.
 *
 * The first byte chooses, past the last set a frame; what is accepted must survive being
 * written again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define MUST(claim)              \
	do {                     \
		if (!(claim))    \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sdv_attr_set *const sets[] = {
	&sdv_agent_set, &sdv_peer_set,       &sdv_property_set,   &sdv_offer_set,
	&sdv_lease_set, &sdv_blk_config_set, &sdv_cpu_config_set,
};

static void frame_try(const uint8_t *data, size_t size)
{
	struct sdv_frame_rules rules = {
		.class = SUPERDEV_CLASS_BLK, .lease = 77, .epoch = 3, .max_length = SUPERDEV_MAX_PAYLOAD
	};
	struct superdev_frame frame, again;
	struct sdv_head head;
	uint32_t csum;
	int r;

	if (size < sizeof(frame))
		return;
	memcpy(&frame, data, sizeof(frame));
	r = sdv_frame_check(&frame, &rules, &head);
	sdv_frame_is_intact(&frame, data + sizeof(frame), size - sizeof(frame));
	if (r && r != -ESTALE)
		return;
	MUST(head.length <= SUPERDEV_MAX_PAYLOAD);
	csum = frame.csum;
	sdv_frame_build(&again, &head);
	again.csum = csum;
	MUST(!memcmp(&frame, &again, sizeof(frame)));
}

/* Reads every attribute the way that callers do. */
static void attrs_try(const struct sdv_attr_set *set, const uint8_t *data, size_t size)
{
	struct sdv_attr attrs[64], nest;
	unsigned int bad;

	if (sdv_attr_parse(set, data, size, attrs, &bad)) {
		MUST(bad <= set->max);
		return;
	}
	for (unsigned int type = 1; type <= set->max; type++) {
		size_t pos = 0;

		if (!sdv_has(&attrs[type]))
			continue;
		MUST(attrs[type].data >= data && attrs[type].data + attrs[type].len <= data + size);
		switch (set->policy[type].type) {
		case SDV_ATTR_U8: sdv_get_u8(&attrs[type]); break;
		case SDV_ATTR_U16: sdv_get_u16(&attrs[type]); break;
		case SDV_ATTR_U32: sdv_get_u32(&attrs[type]); break;
		case SDV_ATTR_U64: sdv_get_u64(&attrs[type]); break;
		case SDV_ATTR_STRING:
			MUST(strlen(sdv_get_string(&attrs[type])) == attrs[type].len - 1);
			break;
		case SDV_ATTR_NEST:
			while (sdv_attr_next(data, size, type, &pos, &nest))
				attrs_try(set->policy[type].nested, nest.data, nest.len);
			break;
		default: break;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] < sizeof(sets) / sizeof(*sets))
		attrs_try(sets[data[0]], data + 1, size - 1);
	else
		frame_try(data + 1, size - 1);
	return 0;
}
