// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nl_parse_fuzz.c: any bytes as a datagram of the kernel's.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../agent/lib/nl_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a reader relies on, whatever came. */
static void check_text(const char *text, size_t size)
{
	if (!memchr(text, 0, size))
		abort();
}

static void check_event(const struct sdv_event *event)
{
	unsigned int i;

	switch (event->cmd) {
	case SUPERDEV_CMD_AGENT_GET:
	case SUPERDEV_CMD_AGENT_NTF:
		check_text(event->agent.name, sizeof(event->agent.name));
		check_text(event->agent.version, sizeof(event->agent.version));
		break;
	case SUPERDEV_CMD_PEER_GET:
	case SUPERDEV_CMD_PEER_NTF:
	case SUPERDEV_CMD_PEER_DEL_NTF:
		check_text(event->peer.name, sizeof(event->peer.name));
		check_text(event->peer.address, sizeof(event->peer.address));
		check_text(event->peer.code, sizeof(event->peer.code));
		check_text(event->peer.error, sizeof(event->peer.error));
		break;
	case SUPERDEV_CMD_OFFER_GET:
	case SUPERDEV_CMD_OFFER_NTF:
	case SUPERDEV_CMD_OFFER_DEL_NTF:
		check_text(event->offer.path, sizeof(event->offer.path));
		if (event->offer.nr_properties > SDV_PROPERTIES)
			abort();
		for (i = 0; i < event->offer.nr_properties; i++)
			check_text(event->offer.property[i].value, sizeof(event->offer.property[i].value));
		break;
	case SUPERDEV_CMD_LEASE_GET:
	case SUPERDEV_CMD_LEASE_ADD:
	case SUPERDEV_CMD_LEASE_REPORT:
	case SUPERDEV_CMD_LEASE_NTF:
	case SUPERDEV_CMD_LEASE_DEL_NTF:
		check_text(event->lease.device, sizeof(event->lease.device));
		if (event->lease.config_len > SUPERDEV_CONFIG_LEN)
			abort();
		break;
	case SUPERDEV_CMD_LANE_GET:
	case SUPERDEV_CMD_LANE_DOWN_NTF: check_text(event->lane.error, sizeof(event->lane.error)); break;
	case SUPERDEV_CMD_POLICY_GET:
	case SUPERDEV_CMD_POLICY_TRY:
	case SUPERDEV_CMD_POLICY_NTF:
		check_text(event->policy.name, sizeof(event->policy.name));
		check_text(event->policy.last_error, sizeof(event->policy.last_error));
		check_text(event->policy.path, sizeof(event->policy.path));
		check_text(event->policy.why, sizeof(event->policy.why));
		break;
	case SUPERDEV_CMD_SPREAD_GET:
	case SUPERDEV_CMD_SPREAD_NTF:
	case SUPERDEV_CMD_SPREAD_DEL_NTF:
		check_text(event->spread.cgroup, sizeof(event->spread.cgroup));
		break;
	case SUPERDEV_CMD_TASK_GET:
	case SUPERDEV_CMD_DECISION_GET:
		check_text(event->task.program, sizeof(event->task.program));
		check_text(event->task.why, sizeof(event->task.why));
		if (event->task.nr_candidates > SDV_CANDIDATES)
			abort();
		for (i = 0; i < event->task.nr_candidates; i++)
			check_text(event->task.candidate[i].offer, sizeof(event->task.candidate[i].offer));
		break;
	default: abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sdv_event event;
	struct sdv_nl_msg msg;
	char text[SDV_TEXT_SIZE];
	int r;

	while (sdv_nl_next(&data, &size, &msg)) {
		if (!sdv_nl_parse_event(msg.payload, msg.len, &event))
			check_event(&event);
		r = sdv_nl_parse_ack(&msg, text, sizeof(text));
		if (r > 0)
			abort();
		check_text(text, sizeof(text));
	}
	return 0;
}
