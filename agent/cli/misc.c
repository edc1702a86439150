// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * misc.c: this machine's key, and versions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

int cli_key(struct cli *cli, const struct cli_args *args)
{
	struct cli_registry registry;
	char text[CLI_KEY_TEXT];
	json_object *json;
	int r;

	(void)args;
	r = cli_registry_load(cli, CLI_AGENT, &registry);
	if (r)
		return cli_refused(cli, NULL, r);
	if (!SDV_HAS(&registry.agent, SUPERDEV_A_AGENT_KEY))
		return cli_fail(cli, NULL,
				"no agent has said this machine's key yet; try: systemctl start superdevd");
	cli_key_format(registry.agent.key, text);
	if (cli->is_json) {
		json = json_object_new_object();
		json_object_object_add(json, "key", cli_json_text(text));
		cli_json_print(json);
	} else {
		puts(text);
	}
	return 0;
}

/* The module's version, or NULL; to be freed. */
static char *module_version(void)
{
	FILE *in = fopen("/sys/module/superdev/version", "re");
	char *text = NULL;
	size_t size = 0;
	ssize_t len = -1;

	if (in) {
		len = getline(&text, &size, in);
		fclose(in);
	}
	if (len < 0) {
		free(text);
		return NULL;
	}
	text[strcspn(text, "\n")] = 0;
	return text;
}

int cli_version(struct cli *cli, const struct cli_args *args)
{
	struct cli_registry registry = { 0 };
	char *module = module_version(), *escaped;
	const char *agent = NULL;
	json_object *json;

	(void)args;
	/* Asking for versions works without any of what is asked about. */
	if ((cli->nl || !sdv_nl_open(&cli->nl)) && !cli_registry_load(cli, CLI_AGENT, &registry) &&
	    registry.is_running)
		agent = registry.agent.version;
	if (cli->is_json) {
		json = json_object_new_object();
		json_object_object_add(json, "superdev", json_object_new_string(SDV_VERSION));
		json_object_object_add(json, "agent", agent ? cli_json_text(agent) : NULL);
		json_object_object_add(json, "module", module ? cli_json_text(module) : NULL);
		cli_json_print(json);
	} else {
		puts("superdev " SDV_VERSION);
		if (agent && strcmp(agent, SDV_VERSION) != 0) {
			escaped = cli_escape(agent);
			printf("agent %s\n", escaped);
			free(escaped);
		}
		if (module && strcmp(module, SDV_VERSION) != 0) {
			escaped = cli_escape(module);
			printf("module %s\n", escaped);
			free(escaped);
		}
	}
	free(module);
	return 0;
}
