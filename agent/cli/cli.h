/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli.h: what the commands of superdev(8) share.
 *
 * A command returns its exit status: 0, CLI_FAILED with one line on stderr, or
 * CLI_USAGE with one line on stderr.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "grammar.h"
#include "nl.h"
#include "parse.h"

#define CLI_FAILED 1
#define CLI_USAGE  2

struct cli_command;

struct cli {
	struct sdv_nl *nl; /* NULL until cli_open() */
	bool is_watching;
	bool is_json;
	bool is_forced;      /* -f: batch goes on after an error */
	bool has_colour;     /* stdout */
	bool is_stdin_taken; /* a batch comes from there */
	const char *file;    /* of a batch, and the line; else NULL */
	unsigned int line;
	const struct cli_command *command;
};

/* One line of the table in table.c; all else follows from it. */
struct cli_command {
	const char *object; /* NULL: the command stands alone */
	const char *name;
	int (*run)(struct cli *cli, const struct cli_args *args);
	const char *usage; /* see grammar.h */
	const char *help;  /* one line; NULL: not for people */
};

extern const struct cli_command cli_commands[];
extern const size_t cli_nr_commands;

/* dispatch.c: runs the command that @words name; for batches too. */
int cli_dispatch(struct cli *cli, int nr, char *const *words);
/* The object or command that @word begins, if it is the only one; for objects, @object is NULL. */
const struct cli_command *cli_find(const char *object, const char *word, bool *ret_is_object);
/* Says what @word could have been, among the objects or the commands of one: CLI_USAGE. */
int cli_unknown(const struct cli *cli, const char *object, const char *word);

/* help.c */
int cli_help(struct cli *cli, const char *object, const char *name);
void cli_synopsis(FILE *out); /* of superdev(8), in mdoc */

/* error.c: one line, escaped, with the place in a batch, and the command. */
__attribute__((format(printf, 3, 4))) int cli_fail(const struct cli *cli, const char *subject,
						   const char *format, ...);
__attribute__((format(printf, 2, 3))) int cli_misuse(const struct cli *cli, const char *format, ...);
/* A refusal: the kernel's text for @r, or words for it. */
int cli_refused(const struct cli *cli, const char *subject, int r);
/* Words for @r, for what can happen to this program. */
const char *cli_strerror(int r);

/* policy.c: where none is attached, attaches local-first, and says so. */
void cli_policy_default(struct cli *cli);

/* 0, or CLI_FAILED after saying so. */
int cli_open(struct cli *cli);

/* spread.c: has nproc count borrowed processors in a cgroup, or no longer, where BPF can do that. */
void cli_count_borrowed(struct cli *cli, const char *cgroup, bool is_on);

/* The commands. */
int cli_show(struct cli *cli, const struct cli_args *args);
int cli_peer_list(struct cli *cli, const struct cli_args *args);
int cli_peer_show(struct cli *cli, const struct cli_args *args);
int cli_peer_pair(struct cli *cli, const struct cli_args *args);
int cli_peer_trust(struct cli *cli, const struct cli_args *args);
int cli_peer_add(struct cli *cli, const struct cli_args *args);
int cli_peer_set(struct cli *cli, const struct cli_args *args);
int cli_peer_del(struct cli *cli, const struct cli_args *args);
int cli_offer_list(struct cli *cli, const struct cli_args *args);
int cli_offer_show(struct cli *cli, const struct cli_args *args);
int cli_offer_add(struct cli *cli, const struct cli_args *args);
int cli_offer_del(struct cli *cli, const struct cli_args *args);
int cli_offer_revoke(struct cli *cli, const struct cli_args *args);
int cli_lease_list(struct cli *cli, const struct cli_args *args);
int cli_lease_show(struct cli *cli, const struct cli_args *args);
int cli_lease_add(struct cli *cli, const struct cli_args *args);
int cli_lease_del(struct cli *cli, const struct cli_args *args);
int cli_lease_set(struct cli *cli, const struct cli_args *args);
int cli_device_list(struct cli *cli, const struct cli_args *args);
int cli_device_show(struct cli *cli, const struct cli_args *args);
int cli_policy_show(struct cli *cli, const struct cli_args *args);
int cli_policy_try(struct cli *cli, const struct cli_args *args);
int cli_policy_load(struct cli *cli, const struct cli_args *args);
int cli_policy_unload(struct cli *cli, const struct cli_args *args);
int cli_set_show(struct cli *cli, const struct cli_args *args);
int cli_set_spread(struct cli *cli, const struct cli_args *args);
int cli_task_list(struct cli *cli, const struct cli_args *args);
int cli_task_recent(struct cli *cli, const struct cli_args *args);
int cli_run(struct cli *cli, const struct cli_args *args);
int cli_explain(struct cli *cli, const struct cli_args *args);
int cli_top(struct cli *cli, const struct cli_args *args);
int cli_monitor(struct cli *cli, const struct cli_args *args);
int cli_save(struct cli *cli, const struct cli_args *args);
int cli_batch(struct cli *cli, const struct cli_args *args);
int cli_key(struct cli *cli, const struct cli_args *args);
int cli_version(struct cli *cli, const struct cli_args *args);
int cli_help_command(struct cli *cli, const struct cli_args *args);
/* Its words are no command line of its own; main() calls it. */
int cli_complete(struct cli *cli, int nr, char *const *words);

#endif
