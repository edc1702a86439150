// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * monitor.c: a line for everything that happens.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"

static void print_time(struct timespec *ret_now)
{
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, ret_now);
	localtime_r(&ret_now->tv_sec, &tm);
	strftime(text, sizeof(text), "%T", &tm);
	printf("%s.%03ld ", text, ret_now->tv_nsec / 1000000);
}

__attribute__((format(printf, 1, 2))) static void print_line(const char *format, ...)
{
	char text[5120], *escaped;
	struct timespec now;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	escaped = cli_escape(text);
	print_time(&now);
	puts(escaped);
	free(escaped);
}

static void print_event(const struct sdv_event *event)
{
	const struct sdv_agent_info *agent = &event->agent;
	const struct sdv_peer_info *peer = &event->peer;
	const struct sdv_offer_info *offer = &event->offer;
	const struct sdv_lease_info *lease = &event->lease;
	const struct sdv_policy_info *policy = &event->policy;
	char rtt[CLI_SIZE_TEXT] = "", size[CLI_SIZE_TEXT] = "", path[256] = "";

	switch (event->cmd) {
	case SUPERDEV_CMD_AGENT_NTF:
		print_line("agent %s%s%s", agent->name, *agent->name ? " " : "",
			   agent->running ? "is running" : "is gone");
		break;
	case SUPERDEV_CMD_PEER_NTF:
		if (peer->rtt_us)
			cli_rtt_format(peer->rtt_us, rtt);
		print_line("peer %s: %s, %s%s%s%s%s%s%s", peer->name, cli_peer_word(peer->state),
			   cli_trust_word(peer->trust), *peer->code ? ", code " : "", peer->code,
			   *rtt ? ", round trip " : "", rtt, *peer->error ? ": " : "", peer->error);
		break;
	case SUPERDEV_CMD_PEER_DEL_NTF: print_line("peer %s: gone", peer->name); break;
	case SUPERDEV_CMD_OFFER_NTF:
		if (offer->size)
			cli_size_format(offer->size, size);
		print_line("offer %s%s%s: %s, class %s%s%s%s%s%s", offer->peer, *offer->peer ? "/" : "",
			   offer->name, cli_offer_word(offer->state), offer->class_name, *size ? ", " : "",
			   size, offer->read_only ? ", read-only" : "", *offer->error ? ": " : "",
			   offer->error);
		break;
	case SUPERDEV_CMD_OFFER_DEL_NTF:
		print_line("offer %s%s%s: gone", offer->peer, *offer->peer ? "/" : "", offer->name);
		break;
	case SUPERDEV_CMD_LEASE_NTF:
		cli_device_node(lease, path, sizeof(path));
		print_line("lease %s/%s: %s, %s, epoch %" PRIu32 ", %" PRIu32 " lanes%s%s%s%s", lease->peer,
			   lease->offer, cli_role_word(lease->role), cli_lease_word(lease->state),
			   lease->epoch, lease->lanes, *path ? ", " : "", path, *lease->error ? ": " : "",
			   lease->error);
		break;
	case SUPERDEV_CMD_LEASE_DEL_NTF:
		print_line("lease %s/%s: %s, gone", lease->peer, lease->offer, cli_role_word(lease->role));
		break;
	case SUPERDEV_CMD_LANE_DOWN_NTF:
		print_line("lane %" PRIu32 " of lease %" PRIu32 ": down%s%s", event->lane.index,
			   event->lane.lease, *event->lane.error ? ": " : "", event->lane.error);
		break;
	case SUPERDEV_CMD_POLICY_NTF:
		if (*policy->name)
			print_line("policy %s: decides from now on", policy->name);
		else
			print_line("policy %s: detached: %s", policy->last_name, policy->last_error);
		break;
	case SUPERDEV_CMD_SPREAD_NTF: print_line("cgroup %s: may spread", event->spread.cgroup); break;
	case SUPERDEV_CMD_SPREAD_DEL_NTF:
		print_line("cgroup %s: does not spread any more", event->spread.cgroup);
		break;
	default: break;
	}
}

static void print_json(const char *what, const char *key, json_object *value)
{
	json_object *json = json_object_new_object();
	struct timespec now;
	char text[64], *line;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(text, sizeof(text), "%FT%T", &tm);
	snprintf(text + n, sizeof(text) - n, ".%06ldZ", now.tv_nsec / 1000);
	json_object_object_add(json, "time", json_object_new_string(text));
	json_object_object_add(json, "event", json_object_new_string(what));
	if (key)
		json_object_object_add(json, key, value);
	line = cli_json_string(json, false);
	puts(line);
	free(line);
}

static void json_event(const struct sdv_event *event)
{
	switch (event->cmd) {
	case SUPERDEV_CMD_AGENT_NTF: print_json("agent", "agent", cli_json_agent(&event->agent)); break;
	case SUPERDEV_CMD_PEER_NTF: print_json("peer", "peer", cli_json_peer(&event->peer)); break;
	case SUPERDEV_CMD_PEER_DEL_NTF: print_json("peer-gone", "peer", cli_json_peer(&event->peer)); break;
	case SUPERDEV_CMD_OFFER_NTF: print_json("offer", "offer", cli_json_offer(&event->offer)); break;
	case SUPERDEV_CMD_OFFER_DEL_NTF:
		print_json("offer-gone", "offer", cli_json_offer(&event->offer));
		break;
	case SUPERDEV_CMD_LEASE_NTF: print_json("lease", "lease", cli_json_lease(&event->lease)); break;
	case SUPERDEV_CMD_LEASE_DEL_NTF:
		print_json("lease-gone", "lease", cli_json_lease(&event->lease));
		break;
	case SUPERDEV_CMD_LANE_DOWN_NTF: print_json("lane-down", "lane", cli_json_lane(&event->lane)); break;
	case SUPERDEV_CMD_POLICY_NTF: print_json("policy", "policy", cli_json_policy(&event->policy)); break;
	case SUPERDEV_CMD_SPREAD_NTF: print_json("spread", "spread", cli_json_spread(&event->spread)); break;
	case SUPERDEV_CMD_SPREAD_DEL_NTF:
		print_json("spread-gone", "spread", cli_json_spread(&event->spread));
		break;
	default: break;
	}
}

static void on_event(void *arg, const struct sdv_event *event)
{
	const struct cli *cli = arg;

	if (cli->is_json)
		json_event(event);
	else
		print_event(event);
}

int cli_monitor(struct cli *cli, const struct cli_args *args)
{
	struct pollfd pollfds[] = {
		{ .events = POLLIN },
		/* A reader that went away is an end too, though nothing happens. */
		{ .fd = fileno(stdout), .events = 0 },
	};
	int r;

	(void)args;
	r = cli_watch(cli);
	if (r)
		return cli_refused(cli, NULL, r);
	pollfds[0].fd = sdv_nl_watch_fd(cli->nl);
	cli_interrupt_begin();
	while (!cli_is_interrupted()) {
		if (poll(pollfds, 2, -1) < 0)
			continue;
		if (pollfds[1].revents & POLLERR)
			break;
		r = sdv_nl_watch_read(cli->nl, on_event, cli);
		if (r == -ENOBUFS) {
			if (cli->is_json)
				print_json("lost", NULL, NULL);
			else
				print_line("events came too quickly, and some are not shown");
		} else if (r) {
			break;
		}
		if (fflush(stdout))
			break;
	}
	cli_interrupt_end();
	return r && r != -ENOBUFS ? cli_refused(cli, NULL, r) : 0;
}
