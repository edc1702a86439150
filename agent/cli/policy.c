// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * policy.c: commands on what decides where work goes.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf.h"
#include "output.h"

/* Programs run at lenders by leases of this class. */
#define DEFAULT_CLASS  "cpu"
/* What decides where nobody said what does. */
#define DEFAULT_POLICY "/usr/lib/superdev/policy/local-first.bpf.o"

void cli_policy_default(struct cli *cli)
{
	struct sdv_policy_info policy;
	char why[SDV_BPF_WHY_SIZE];

	if (sdv_nl_policy_get(cli->nl, &policy) || *policy.name)
		return;
	if (!sdv_bpf_policy_load(DEFAULT_POLICY, why)) {
		fputs("superdev: no policy was loaded: local-first decides from now on; see superdev policy\n",
		      stderr);
		return;
	}
	why[strcspn(why, "\n")] = 0;
	fprintf(stderr, "superdev: no policy is loaded, so all stays here: " DEFAULT_POLICY ": %s\n", why);
}

int cli_policy_load(struct cli *cli, const struct cli_args *args)
{
	const char *file = cli_arg(args, "FILE");
	char why[SDV_BPF_WHY_SIZE], *line, *rest = why, *escaped;
	int status;

	if (!sdv_bpf_policy_load(file, why))
		return 0;
	status = cli_fail(cli, file, "%s", strsep(&rest, "\n"));
	/* What the verifier says is of use as it is, below the one line. */
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		escaped = cli_escape(line);
		fprintf(stderr, "  %s\n", escaped);
		free(escaped);
	}
	return status;
}

int cli_policy_unload(struct cli *cli, const struct cli_args *args)
{
	int r = sdv_nl_policy_del(cli->nl), unpinned;

	(void)args;
	/* A policy that the kernel has detached leaves its pin behind. */
	unpinned = !r || r == -ENOENT ? sdv_bpf_policy_unpin() : 0;
	if (r == -ENOENT && !unpinned)
		return 0;
	if (r)
		return cli_refused(cli, NULL, r);
	if (unpinned && unpinned != -ENOENT)
		return cli_fail(cli, NULL, "it is detached, but its pin stays: " SDV_BPF_POLICY_PIN ": %s",
				strerror(-unpinned));
	return 0;
}

static void time_text(uint64_t seconds, char *text, size_t size)
{
	time_t when = (time_t)seconds;
	struct tm tm;

	if (!localtime_r(&when, &tm) || !strftime(text, size, "%F %T", &tm))
		snprintf(text, size, "%" PRIu64, seconds);
}

static void policy_print(const struct cli *cli, const struct sdv_policy_info *policy)
{
	struct cli_table *table = cli_table_new(cli);
	char text[64];

	cli_cell(table, CLI_STRONG, "policy");
	if (*policy->name)
		cli_cell(table, CLI_GOOD, "%s", policy->name);
	else
		cli_cell(table, CLI_PLAIN, "none; the built-in default keeps all work here");
	cli_row(table);
	if (*policy->name) {
		time_text(policy->since, text, sizeof(text));
		cli_cell(table, CLI_STRONG, "since");
		cli_cell(table, CLI_PLAIN, "%s", text);
		cli_row(table);
		cli_cell(table, CLI_STRONG, "decisions");
		cli_cell(table, CLI_PLAIN,
			 "%" PRIu64 ": %" PRIu64 " for a lender, %" PRIu64 " left to the default",
			 policy->decisions, policy->remote, policy->declined);
		cli_row(table);
	}
	if (*policy->last_name) {
		time_text(policy->last_time, text, sizeof(text));
		cli_cell(table, CLI_STRONG, "before");
		cli_cell(table, CLI_PLAIN, "%s, until %s: %s", policy->last_name, text, policy->last_error);
		cli_row(table);
	}
	cli_facts_print(table);
}

int cli_policy_show(struct cli *cli, const struct cli_args *args)
{
	struct sdv_policy_info policy;
	int r = sdv_nl_policy_get(cli->nl, &policy);

	(void)args;
	if (r)
		return cli_refused(cli, NULL, r);
	if (cli->is_json)
		cli_json_print(cli_json_policy(&policy));
	else
		policy_print(cli, &policy);
	return 0;
}

static void choice_print(const struct cli *cli, const struct sdv_policy_info *choice)
{
	struct cli_table *table = cli_table_new(cli);

	cli_cell(table, CLI_STRONG, "runs");
	if (SDV_HAS(choice, SUPERDEV_A_POLICY_LEASE))
		cli_cell(table, CLI_GOOD, "by %s/%s", choice->peer, choice->offer);
	else
		cli_cell(table, CLI_GOOD, "here");
	cli_row(table);
	cli_cell(table, CLI_STRONG, "why");
	cli_cell(table, CLI_PLAIN, "%s", choice->why);
	cli_row(table);
	cli_cell(table, CLI_STRONG, "policy");
	cli_cell(table, CLI_PLAIN, "%s", *choice->name ? choice->name : "none");
	cli_row(table);
	if (*choice->name) {
		cli_cell(table, CLI_STRONG, "took");
		cli_cell(table, CLI_PLAIN, "%" PRIu64 ".%03" PRIu64 " us", choice->took_ns / 1000,
			 choice->took_ns % 1000);
		cli_row(table);
	}
	cli_facts_print(table);
}

int cli_policy_try(struct cli *cli, const struct cli_args *args)
{
	const char *program = cli_arg(args, "PROGRAM"), *pid = cli_arg(args, "pid");
	const char *class_name = cli_arg(args, "class"), *why;
	struct sdv_policy_info question = { 0 }, choice;
	int r;

	if (!class_name)
		class_name = DEFAULT_CLASS;
	why = cli_name_check(class_name);
	if (why)
		return cli_fail(cli, program, "class '%s' %s", class_name, why);
	snprintf(question.class_name, sizeof(question.class_name), "%s", class_name);
	SDV_SET(&question, SUPERDEV_A_POLICY_CLASS);
	if (pid) {
		why = cli_number_parse(pid, 1, INT_MAX, &question.pid);
		if (why)
			return cli_fail(cli, program, "pid '%s' %s", pid, why);
		SDV_SET(&question, SUPERDEV_A_POLICY_PID);
	}
	r = cli_program_find(program, question.path, sizeof(question.path));
	if (r == -ENOENT)
		return cli_fail(cli, program, "there is no such program in PATH");
	if (r)
		return cli_fail(cli, program, "%s", strerror(-r));
	SDV_SET(&question, SUPERDEV_A_POLICY_PATH);
	r = sdv_nl_policy_try(cli->nl, &question, &choice);
	if (r)
		return cli_refused(cli, program, r);
	if (cli->is_json)
		cli_json_print(cli_json_choice(&question, &choice));
	else
		choice_print(cli, &choice);
	return 0;
}
