/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.h: words for states, aligned columns, JSON.
 *
 * Everything that is printed passes through here, so that nothing a stranger
 * wrote reaches a terminal as it is.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <json-c/json.h>

#include "registry.h"

enum cli_tint { CLI_PLAIN, CLI_GOOD, CLI_WAITING, CLI_BAD, CLI_STRONG };

/* Words; "unknown" for what a newer kernel means. */
const char *cli_trust_word(unsigned int trust);
const char *cli_peer_word(unsigned int state);
const char *cli_transport_word(unsigned int transport);
const char *cli_offer_word(unsigned int state);
const char *cli_role_word(unsigned int role);
const char *cli_lease_word(unsigned int state);
const char *cli_source_word(unsigned int source);
enum cli_tint cli_peer_tint(const struct sdv_peer_info *peer);
enum cli_tint cli_offer_tint(const struct sdv_offer_info *offer);
enum cli_tint cli_lease_tint(const struct sdv_lease_info *lease);

/* Rows of cells; a row ends with cli_row(). */
struct cli_table;
struct cli_table *cli_table_new(const struct cli *cli);
__attribute__((format(printf, 3, 4))) void cli_cell(struct cli_table *table, enum cli_tint tint,
						    const char *format, ...);
void cli_row(struct cli_table *table);
/* Prints and frees; the first row is a heading, without others nothing is printed. */
void cli_table_print(struct cli_table *table);
/* Prints and frees rows of two cells, a name and a value, without a heading. */
void cli_facts_print(struct cli_table *table);

/* The path to use a held lease's device by; false if there is none. */
bool cli_device_path(const struct sdv_lease_info *lease, char *ret_path, size_t size);
/* Its node below /dev; false if there is none. */
bool cli_device_node(const struct sdv_lease_info *lease, char *ret_path, size_t size);

/*
 * Of an offer of processors: what is lent where the agent has looked, else what
 * was wanted; 0 where neither is known.
 */
uint32_t cli_offer_cpus(const struct sdv_offer_info *offer);
uint64_t cli_offer_memory(const struct sdv_offer_info *offer);
/* Whether a held lease has become a device: with a node, or one that tells its processors. */
bool cli_is_device(const struct sdv_lease_info *lease);
/* "0.35 s", "123 s". */
void cli_used_format(uint64_t used_us, char text[CLI_SIZE_TEXT]);
/* "12%", of the 200% that there can be. */
void cli_load_format(uint32_t load, char text[CLI_SIZE_TEXT]);

json_object *cli_json_agent(const struct sdv_agent_info *agent);
json_object *cli_json_peer(const struct sdv_peer_info *peer);
json_object *cli_json_offer(const struct sdv_offer_info *offer);
json_object *cli_json_lease(const struct sdv_lease_info *lease);
json_object *cli_json_lane(const struct sdv_lane_info *lane);
json_object *cli_json_policy(const struct sdv_policy_info *policy);
/* A trial: what was asked, and what would be decided. */
json_object *cli_json_choice(const struct sdv_policy_info *question, const struct sdv_policy_info *choice);
json_object *cli_json_spread(const struct sdv_spread_info *spread);
/* A decision, with what it rests on. */
json_object *cli_json_task(const struct sdv_task_info *task);
json_object *cli_json_device(const struct sdv_lease_info *lease);
/* A text as JSON has it: what is no UTF-8 becomes U+FFFD. */
json_object *cli_json_text(const char *text);
/* As text that is safe on a terminal; to be freed.  Consumes @json. */
char *cli_json_string(json_object *json, bool is_pretty);
/* Prints it, in lines where people look; consumes @json. */
void cli_json_print(json_object *json);

#endif
