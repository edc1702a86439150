// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cli_json_test.c: what scripts read (agent/cli/json.c).
 */
// LINK: agent/cli/json.c agent/cli/output.c agent/cli/parse.c
#include <stdlib.h>
#include <string.h>

#include "../../agent/cli/output.h"
#include "harness.h"

static bool text_is(const char *text, const char *want)
{
	char *json = cli_json_string(cli_json_text(text), false);
	bool is_right = !strcmp(json, want);

	free(json);
	return is_right;
}

/* Whether @json has exactly the keys in @keys, blanks between them; consumes it. */
static bool has_keys(json_object *json, const char *keys)
{
	char *copy = cli_strdup(keys), *at = copy, *key;
	bool is_right = true;
	int nr = 0;

	while ((key = strsep(&at, " "))) {
		is_right &= json_object_object_get_ex(json, key, NULL);
		nr++;
	}
	is_right &= json_object_object_length(json) == nr;
	json_object_put(json);
	free(copy);
	return is_right;
}

static const char *member(json_object *json, const char *key)
{
	json_object *value = json_object_object_get(json, key);

	return value ? json_object_get_string(value) : "null";
}

TEST("no control character is left in a text")
{
	CHECK(text_is("a\"b\\c", "\"a\\\"b\\\\c\""));
	CHECK(text_is("\033[31m", "\"\\u001b[31m\""));
	CHECK(text_is("\n\t", "\"\\n\\t\""));
	CHECK(text_is("\177", "\"\\u007f\""));
	CHECK(text_is("\xc2\x9b"
		      "31m",
		      "\"\\u009b31m\""));
}

TEST("a text that is no UTF-8 becomes one")
{
	CHECK(text_is("n\xc3\xa4s", "\"n\xc3\xa4s\""));
	CHECK(text_is("\xff", "\"\xef\xbf\xbd\""));
	CHECK(text_is("\xc3", "\"\xef\xbf\xbd\""));
	CHECK(text_is("\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""));
	CHECK(text_is("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
	CHECK(text_is("\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""));
	CHECK(text_is("\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
}

TEST("every key is there, whatever is known")
{
	struct sdv_peer_info peer = { .name = "nas", .state = SUPERDEV_PEER_STATE_ONLINE };
	struct sdv_offer_info offer = { .name = "disk0", .class_name = "blk" };
	struct sdv_lease_info lease = { .peer = "nas", .offer = "disk0" };
	struct sdv_agent_info agent = { .name = "home" };
	struct sdv_lane_info lane = { .index = 1 };
	static struct sdv_task_info task = { .pid = 1 };

	CHECK(has_keys(cli_json_agent(&agent), "name key version port running"));
	CHECK(has_keys(cli_json_peer(&peer), "name key address state trust rtt_us transport "
					     "peer_transport code error"));
	CHECK(has_keys(cli_json_offer(&offer), "peer name class size properties state read_only path "
					       "cpus memory_bytes error"));
	CHECK(has_keys(cli_json_lease(&lease), "id role peer offer class state epoch lanes "
					       "lanes_wanted device path read_only error paths denied"));
	CHECK(has_keys(cli_json_lane(&lane), "lease index epoch transport tx_bytes rx_bytes "
					     "tx_frames rx_frames error"));
	CHECK(has_keys(cli_json_device(&lease), "device path peer offer class state read_only "
						"cpus load tasks used_us memory_available load_age_ms"));
	CHECK(has_keys(cli_json_task(&task), "pid uid program lease peer offer policy why since_ns took_ns "
					     "ended used_us utime_us stime_us maxrss_kb cpus load_hundredths "
					     "runs wall_us cpu_us remote_runs remote_us leases candidates"));
}

TEST("what is not known is null, states are words")
{
	struct sdv_peer_info peer = { .name = "nas", .state = SUPERDEV_PEER_STATE_ONLINE };
	json_object *json;

	json = cli_json_peer(&peer);
	CHECK(!strcmp(member(json, "key"), "null"));
	CHECK(!strcmp(member(json, "rtt_us"), "null"));
	CHECK(!strcmp(member(json, "state"), "online"));
	CHECK(!strcmp(member(json, "trust"), "pending"));
	json_object_put(json);
}

TEST("a state of a newer kernel is unknown, not a crash")
{
	struct sdv_peer_info peer = { .name = "nas", .state = SUPERDEV_PEER_STATE_ONLINE };
	json_object *json;

	peer.state = (enum superdev_peer_state)99;
	json = cli_json_peer(&peer);
	CHECK(!strcmp(member(json, "state"), "unknown"));
	json_object_put(json);
}

TEST("properties are found by name")
{
	struct sdv_offer_info offer = { .name = "disk0", .class_name = "blk" };
	json_object *json;

	strcpy(offer.property[0].name, "latency");
	strcpy(offer.property[0].value, "0.3 ms");
	offer.property[0].source = SUPERDEV_PROPERTY_SOURCE_MEASURED;
	offer.nr_properties = 1;
	json = cli_json_offer(&offer);
	CHECK(!strcmp(member(json_object_object_get(json_object_object_get(json, "properties"), "latency"),
			     "source"),
		      "measured"));
	json_object_put(json);
}

TEST("a device is named by its node, and a lent lease has none")
{
	struct sdv_lease_info lease = { .peer = "nas", .offer = "disk0" };
	json_object *json;

	strcpy(lease.device, "sdv0");
	json = cli_json_lease(&lease);
	CHECK(!strcmp(member(json, "device"), "/dev/sdv0"));
	json_object_put(json);
	lease.role = SUPERDEV_ROLE_LENT;
	json = cli_json_lease(&lease);
	CHECK(!strcmp(member(json, "device"), "null"));
	json_object_put(json);
}

TEST("a policy that was never attached is null, and so is the one before it")
{
	struct sdv_policy_info policy = { 0 };
	json_object *json = cli_json_policy(&policy);

	CHECK(!strcmp(member(json, "name"), "null"));
	CHECK(!strcmp(member(json, "decisions"), "null"));
	CHECK(!strcmp(member(json, "before"), "null"));
	json_object_put(json);
}

TEST("what was attached before has its reason, whatever is attached now")
{
	struct sdv_policy_info policy = { .decisions = 12, .last_time = 7 };
	json_object *json;

	strcpy(policy.name, "fastest");
	strcpy(policy.last_name, "nonsense");
	strcpy(policy.last_error, "it picked lease 4711");
	json = cli_json_policy(&policy);
	CHECK(!strcmp(member(json, "name"), "fastest"));
	CHECK(!strcmp(member(json, "decisions"), "12"));
	CHECK(!strcmp(member(json_object_object_get(json, "before"), "error"), "it picked lease 4711"));
	json_object_put(json);
}

TEST("a choice without a lease is to run here")
{
	struct sdv_policy_info question = { 0 }, choice = { 0 };
	json_object *json;

	strcpy(question.path, "/bin/true");
	strcpy(choice.why, "there is room");
	json = cli_json_choice(&question, &choice);
	CHECK(!strcmp(member(json, "lease"), "null") && !strcmp(member(json, "peer"), "null"));
	CHECK(!strcmp(member(json, "policy"), "null") && !strcmp(member(json, "took_ns"), "null"));
	CHECK(!strcmp(member(json, "path"), "/bin/true") && !strcmp(member(json, "why"), "there is room"));
	json_object_put(json);
	choice.lease = 3;
	SDV_SET(&choice, SUPERDEV_A_POLICY_LEASE);
	strcpy(choice.peer, "nas");
	json = cli_json_choice(&question, &choice);
	CHECK(!strcmp(member(json, "lease"), "3") && !strcmp(member(json, "peer"), "nas"));
	json_object_put(json);
}

TEST("an offer of processors says what is lent, and before that what is wanted")
{
	struct sdv_offer_info offer = { .name = "cpu", .class_name = "cpu" };
	json_object *json = cli_json_offer(&offer);

	CHECK(!strcmp(member(json, "cpus"), "null") && !strcmp(member(json, "memory_bytes"), "null"));
	json_object_put(json);
	offer.cpus = 3;
	offer.memory = 1 << 30;
	json = cli_json_offer(&offer);
	CHECK(!strcmp(member(json, "cpus"), "3") && !strcmp(member(json, "memory_bytes"), "1073741824"));
	json_object_put(json);
	strcpy(offer.property[0].name, "cpus");
	strcpy(offer.property[0].value, "8");
	strcpy(offer.property[1].name, "memory");
	strcpy(offer.property[1].value, "4096");
	offer.nr_properties = 2;
	json = cli_json_offer(&offer);
	CHECK(!strcmp(member(json, "cpus"), "8") && !strcmp(member(json, "memory_bytes"), "4096"));
	json_object_put(json);
	/* A property of that name of another class means something else. */
	strcpy(offer.class_name, "blk");
	offer.cpus = 0;
	json = cli_json_offer(&offer);
	CHECK(!strcmp(member(json, "cpus"), "null"));
	json_object_put(json);
	/* What a peer claims may be nonsense. */
	strcpy(offer.class_name, "cpu");
	strcpy(offer.property[0].value, "99999999999999999999");
	strcpy(offer.property[1].value, "-1");
	offer.memory = 0;
	json = cli_json_offer(&offer);
	CHECK(!strcmp(member(json, "cpus"), "null") && !strcmp(member(json, "memory_bytes"), "null"));
	json_object_put(json);
}

TEST("a device of processors has figures, as far as its lender has told them")
{
	struct sdv_lease_info lease = { .peer = "nas", .offer = "cpu", .class_name = "cpu" };
	json_object *json = cli_json_device(&lease);

	CHECK(!cli_is_device(&lease));
	CHECK(!strcmp(member(json, "cpus"), "null") && !strcmp(member(json, "load"), "null"));
	json_object_put(json);
	lease.cpus = 4;
	SDV_SET(&lease, SUPERDEV_A_LEASE_CPUS);
	json = cli_json_device(&lease);
	CHECK(cli_is_device(&lease));
	CHECK(!strcmp(member(json, "cpus"), "4") && !strcmp(member(json, "load"), "null"));
	CHECK(!strcmp(member(json, "device"), "null"));
	json_object_put(json);
	lease.used_us = 12;
	SDV_SET(&lease, SUPERDEV_A_LEASE_LOAD);
	SDV_SET(&lease, SUPERDEV_A_LEASE_TASKS);
	SDV_SET(&lease, SUPERDEV_A_LEASE_USED_US);
	json = cli_json_device(&lease);
	CHECK(!strcmp(member(json, "load"), "0") && !strcmp(member(json, "tasks"), "0"));
	CHECK(!strcmp(member(json, "used_us"), "12"));
	json_object_put(json);
	lease.role = SUPERDEV_ROLE_LENT;
	CHECK(!cli_is_device(&lease));
}

int main(void)
{
	return test_main("cli_json");
}
