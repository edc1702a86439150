// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * json.c: objects of the registry as JSON.
 *
 * A key is always there; what is not known is null.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

/* Bytes of the UTF-8 character at @text, 0 if it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *text)
{
	uint32_t c = text[0], min;
	size_t len, i;

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c < 0xe0) {
		len = 2;
		c &= 0x1f;
		min = 0x80;
	} else if (c >= 0xe0 && c < 0xf0) {
		len = 3;
		c &= 0x0f;
		min = 0x800;
	} else if (c >= 0xf0 && c < 0xf5) {
		len = 4;
		c &= 0x07;
		min = 0x10000;
	} else {
		return 0;
	}
	for (i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text[i] & 0x3f);
	}
	return c < min || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : len;
}

json_object *cli_json_text(const char *text)
{
	char *clean = cli_alloc(3 * strlen(text) + 1), *out = clean;
	json_object *json;
	size_t n;

	for (; *text; text += n ? n : 1) {
		n = utf8_length((const unsigned char *)text);
		if (n)
			out = mempcpy(out, text, n);
		else
			out = stpcpy(out, "\xef\xbf\xbd");
	}
	*out = 0;
	json = json_object_new_string(clean);
	free(clean);
	return json;
}

char *cli_json_string(json_object *json, bool is_pretty)
{
	const int flags =
		JSON_C_TO_STRING_NOSLASHESCAPE |
		(is_pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN);
	const unsigned char *text = (const unsigned char *)json_object_to_json_string_ext(json, flags);
	char *safe, *out;

	if (!text)
		text = (const unsigned char *)"null";
	safe = out = cli_alloc(6 * strlen((const char *)text) + 1);
	/* json-c escapes what is below a blank; DEL and the C1 controls end up here. */
	for (; *text; text++) {
		if (*text == 0x7f) {
			out = stpcpy(out, "\\u007f");
		} else if (text[0] == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0) {
			out += sprintf(out, "\\u%04x", text[1]);
			text++;
		} else {
			*out++ = (char)*text;
		}
	}
	*out = 0;
	json_object_put(json);
	return safe;
}

void cli_json_print(json_object *json)
{
	char *text = cli_json_string(json, isatty(STDOUT_FILENO));

	puts(text);
	free(text);
}

static void add_text(json_object *json, const char *key, bool is_known, const char *text)
{
	json_object_object_add(json, key, is_known ? cli_json_text(text) : NULL);
}

static void add_number(json_object *json, const char *key, bool is_known, uint64_t number)
{
	json_object_object_add(json, key, is_known ? json_object_new_uint64(number) : NULL);
}

static void add_bool(json_object *json, const char *key, bool value)
{
	json_object_object_add(json, key, json_object_new_boolean(value));
}

static void add_key(json_object *json, bool is_known, const uint8_t key[SUPERDEV_KEY_LEN])
{
	char text[CLI_KEY_TEXT] = "";

	if (is_known)
		cli_key_format(key, text);
	add_text(json, "key", is_known, text);
}

json_object *cli_json_agent(const struct sdv_agent_info *agent)
{
	json_object *json = json_object_new_object();

	add_text(json, "name", SDV_HAS(agent, SUPERDEV_A_AGENT_NAME), agent->name);
	add_key(json, SDV_HAS(agent, SUPERDEV_A_AGENT_KEY), agent->key);
	add_text(json, "version", SDV_HAS(agent, SUPERDEV_A_AGENT_VERSION), agent->version);
	add_number(json, "port", SDV_HAS(agent, SUPERDEV_A_AGENT_PORT), agent->port);
	add_bool(json, "running", agent->running);
	return json;
}

json_object *cli_json_peer(const struct sdv_peer_info *peer)
{
	json_object *json = json_object_new_object();

	add_text(json, "name", true, peer->name);
	add_key(json, SDV_HAS(peer, SUPERDEV_A_PEER_KEY), peer->key);
	add_text(json, "address", *peer->address, peer->address);
	add_text(json, "state", true, cli_peer_word(peer->state));
	add_text(json, "trust", true, cli_trust_word(peer->trust));
	add_number(json, "rtt_us", SDV_HAS(peer, SUPERDEV_A_PEER_RTT_US) && peer->rtt_us, peer->rtt_us);
	add_text(json, "transport", true, cli_transport_word(peer->transport));
	add_text(json, "peer_transport", SDV_HAS(peer, SUPERDEV_A_PEER_PEER_TRANSPORT),
		 cli_transport_word(peer->peer_transport));
	add_text(json, "code", *peer->code, peer->code);
	add_text(json, "error", *peer->error, peer->error);
	return json;
}

static json_object *properties(const struct sdv_offer_info *offer)
{
	json_object *json = json_object_new_object(), *one;
	unsigned int i;

	for (i = 0; i < offer->nr_properties; i++) {
		const struct sdv_property *property = &offer->property[i];
		json_object *name = cli_json_text(property->name);

		one = json_object_new_object();
		add_text(one, "value", true, property->value);
		add_text(one, "source", true, cli_source_word(property->source));
		add_number(one, "time", property->time, property->time);
		json_object_object_add(json, json_object_get_string(name), one);
		json_object_put(name);
	}
	return json;
}

json_object *cli_json_offer(const struct sdv_offer_info *offer)
{
	json_object *json = json_object_new_object();

	add_text(json, "peer", *offer->peer, offer->peer);
	add_text(json, "name", true, offer->name);
	add_text(json, "class", true, offer->class_name);
	add_number(json, "size", SDV_HAS(offer, SUPERDEV_A_OFFER_SIZE), offer->size);
	json_object_object_add(json, "properties", properties(offer));
	add_text(json, "state", true, cli_offer_word(offer->state));
	add_bool(json, "read_only", offer->read_only);
	add_text(json, "path", *offer->path, offer->path);
	add_number(json, "cpus", cli_offer_cpus(offer), cli_offer_cpus(offer));
	add_number(json, "memory_bytes", cli_offer_memory(offer), cli_offer_memory(offer));
	add_text(json, "error", *offer->error, offer->error);
	return json;
}

json_object *cli_json_lease(const struct sdv_lease_info *lease)
{
	json_object *json = json_object_new_object();
	char path[256] = "";
	bool has_node = cli_device_node(lease, path, sizeof(path));

	add_number(json, "id", SDV_HAS(lease, SUPERDEV_A_LEASE_ID), lease->id);
	add_text(json, "role", true, cli_role_word(lease->role));
	add_text(json, "peer", true, lease->peer);
	add_text(json, "offer", true, lease->offer);
	add_text(json, "class", *lease->class_name, lease->class_name);
	add_text(json, "state", true, cli_lease_word(lease->state));
	add_number(json, "epoch", SDV_HAS(lease, SUPERDEV_A_LEASE_EPOCH), lease->epoch);
	add_number(json, "lanes", SDV_HAS(lease, SUPERDEV_A_LEASE_LANES), lease->lanes);
	add_number(json, "lanes_wanted", SDV_HAS(lease, SUPERDEV_A_LEASE_LANES_WANTED), lease->lanes_wanted);
	add_text(json, "device", has_node, path);
	add_text(json, "path", cli_device_path(lease, path, sizeof(path)), path);
	add_bool(json, "read_only", lease->read_only);
	add_text(json, "error", *lease->error, lease->error);
	add_text(json, "paths", *lease->paths, lease->paths);
	add_number(json, "denied", true, lease->denied);
	return json;
}

json_object *cli_json_lane(const struct sdv_lane_info *lane)
{
	json_object *json = json_object_new_object();

	add_number(json, "lease", true, lane->lease);
	add_number(json, "index", true, lane->index);
	add_number(json, "epoch", SDV_HAS(lane, SUPERDEV_A_LANE_EPOCH), lane->epoch);
	add_text(json, "transport", SDV_HAS(lane, SUPERDEV_A_LANE_TRANSPORT),
		 cli_transport_word(lane->transport));
	add_number(json, "tx_bytes", SDV_HAS(lane, SUPERDEV_A_LANE_TX_BYTES), lane->tx_bytes);
	add_number(json, "rx_bytes", SDV_HAS(lane, SUPERDEV_A_LANE_RX_BYTES), lane->rx_bytes);
	add_number(json, "tx_frames", SDV_HAS(lane, SUPERDEV_A_LANE_TX_FRAMES), lane->tx_frames);
	add_number(json, "rx_frames", SDV_HAS(lane, SUPERDEV_A_LANE_RX_FRAMES), lane->rx_frames);
	add_text(json, "error", *lane->error, lane->error);
	return json;
}

json_object *cli_json_device(const struct sdv_lease_info *lease)
{
	json_object *json = json_object_new_object();
	char path[256] = "";
	bool has_node = cli_device_node(lease, path, sizeof(path));

	add_text(json, "device", has_node, path);
	add_text(json, "path", cli_device_path(lease, path, sizeof(path)), path);
	add_text(json, "peer", true, lease->peer);
	add_text(json, "offer", true, lease->offer);
	add_text(json, "class", *lease->class_name, lease->class_name);
	add_text(json, "state", true, cli_lease_word(lease->state));
	add_bool(json, "read_only", lease->read_only);
	add_number(json, "cpus", SDV_HAS(lease, SUPERDEV_A_LEASE_CPUS), lease->cpus);
	add_number(json, "load", SDV_HAS(lease, SUPERDEV_A_LEASE_LOAD), lease->load);
	add_number(json, "tasks", SDV_HAS(lease, SUPERDEV_A_LEASE_TASKS), lease->tasks);
	add_number(json, "used_us", SDV_HAS(lease, SUPERDEV_A_LEASE_USED_US), lease->used_us);
	add_number(json, "memory_available", SDV_HAS(lease, SUPERDEV_A_LEASE_MEMORY), lease->memory);
	add_number(json, "load_age_ms", SDV_HAS(lease, SUPERDEV_A_LEASE_LOAD_AGE), lease->load_age_ms);
	return json;
}

json_object *cli_json_policy(const struct sdv_policy_info *policy)
{
	json_object *json = json_object_new_object(), *last = NULL;
	bool is_attached = *policy->name;

	add_text(json, "name", is_attached, policy->name);
	add_number(json, "since", is_attached, policy->since);
	add_number(json, "decisions", is_attached, policy->decisions);
	add_number(json, "remote", is_attached, policy->remote);
	add_number(json, "declined", is_attached, policy->declined);
	if (*policy->last_name) {
		last = json_object_new_object();
		add_text(last, "name", true, policy->last_name);
		add_number(last, "time", true, policy->last_time);
		add_text(last, "error", true, policy->last_error);
	}
	json_object_object_add(json, "before", last);
	return json;
}

json_object *cli_json_choice(const struct sdv_policy_info *question, const struct sdv_policy_info *choice)
{
	bool is_remote = SDV_HAS(choice, SUPERDEV_A_POLICY_LEASE);
	json_object *json = json_object_new_object();

	add_text(json, "path", true, question->path);
	add_text(json, "class", true, question->class_name);
	add_number(json, "lease", is_remote, choice->lease);
	add_text(json, "peer", is_remote, choice->peer);
	add_text(json, "offer", is_remote, choice->offer);
	add_text(json, "why", true, choice->why);
	add_text(json, "policy", *choice->name, choice->name);
	add_number(json, "took_ns", *choice->name, choice->took_ns);
	return json;
}

json_object *cli_json_spread(const struct sdv_spread_info *spread)
{
	json_object *json = json_object_new_object();

	add_text(json, "cgroup", true, spread->cgroup);
	add_number(json, "id", SDV_HAS(spread, SUPERDEV_A_SPREAD_ID), spread->id);
	return json;
}

static json_object *json_candidate(const struct sdv_candidate *candidate)
{
	json_object *json = json_object_new_object();
	bool has_load = SDV_HAS(candidate, SUPERDEV_A_CANDIDATE_LOAD);

	add_number(json, "lease", true, candidate->lease);
	add_text(json, "peer", true, candidate->peer);
	add_text(json, "offer", true, candidate->offer);
	add_text(json, "state", true, cli_lease_word(candidate->state));
	add_number(json, "lanes", true, candidate->lanes);
	add_number(json, "rtt_us", SDV_HAS(candidate, SUPERDEV_A_CANDIDATE_RTT_US), candidate->rtt_us);
	add_number(json, "cpus", SDV_HAS(candidate, SUPERDEV_A_CANDIDATE_CPUS), candidate->cpus);
	add_number(json, "load_hundredths", has_load, candidate->load);
	add_number(json, "load_age_s", has_load, candidate->load_age_s);
	add_number(json, "tasks", true, candidate->tasks);
	return json;
}

json_object *cli_json_task(const struct sdv_task_info *task)
{
	bool is_remote = SDV_HAS(task, SUPERDEV_A_TASK_LEASE);
	bool has_figures = SDV_HAS(task, SUPERDEV_A_TASK_CPUS);
	bool has_used = SDV_HAS(task, SUPERDEV_A_TASK_UTIME_US);
	json_object *json = json_object_new_object(), *array = json_object_new_array();

	add_number(json, "pid", true, task->pid);
	add_number(json, "uid", true, task->uid);
	add_text(json, "program", true, task->program);
	add_number(json, "lease", is_remote, task->lease);
	add_text(json, "peer", is_remote, task->peer);
	add_text(json, "offer", is_remote, task->offer);
	add_text(json, "policy", *task->policy, task->policy);
	add_text(json, "why", true, task->why);
	add_number(json, "since_ns", true, task->since_ns);
	add_number(json, "took_ns", SDV_HAS(task, SUPERDEV_A_TASK_TOOK_NS), task->took_ns);
	json_object_object_add(json, "ended", json_object_new_boolean(task->ended));
	add_number(json, "used_us", has_used, task->utime_us + task->stime_us);
	add_number(json, "utime_us", has_used, task->utime_us);
	add_number(json, "stime_us", has_used, task->stime_us);
	add_number(json, "maxrss_kb", has_used && task->maxrss_kb, task->maxrss_kb);
	add_number(json, "cpus", has_figures, task->cpus);
	add_number(json, "load_hundredths", has_figures, task->load);
	add_number(json, "runs", SDV_HAS(task, SUPERDEV_A_TASK_RUNS), task->runs);
	add_number(json, "wall_us", SDV_HAS(task, SUPERDEV_A_TASK_WALL_US), task->wall_us);
	add_number(json, "cpu_us", SDV_HAS(task, SUPERDEV_A_TASK_CPU_US), task->cpu_us);
	add_number(json, "remote_runs", SDV_HAS(task, SUPERDEV_A_TASK_REMOTE_RUNS), task->remote_runs);
	add_number(json, "remote_us", SDV_HAS(task, SUPERDEV_A_TASK_REMOTE_US), task->remote_us);
	add_number(json, "leases", has_figures, task->leases);
	for (unsigned int i = 0; i < task->nr_candidates; i++)
		json_object_array_add(array, json_candidate(&task->candidate[i]));
	json_object_object_add(json, "candidates", array);
	return json;
}
